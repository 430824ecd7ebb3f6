// SPDX-License-Identifier: Apache-2.0
/// @file
/// The contract of a storage: fenced (rule 2.8), idempotent writes with the position in the same
/// transaction, and the queries behind the HTTP API. Implemented by `sqlite`.
///
/// Thread-safety: one thread writes through one `store_writer`; `store_reader` may be used from several threads.
/// Calls block on the disk: own threads or detached actors only.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/frame.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::storage {

/// A durable position of one input log, with what a restart must know (rule 1.6).
struct position {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;
  std::uint64_t checksum = 0;
  /// Opaque state of the input (chain numbers per subject, log time).
  std::string reader_state;
  nanoseconds_t watermark = no_watermark;
  ledger counters;
};

/// What one transaction writes.
struct write_request {
  std::span<const section> sections;
  position next;
};

class store_writer {
public:
  virtual ~store_writer() = default;
  /// Takes ownership of `log` (input log name): raises the epoch of its position row and returns the position. A
  /// missing row starts at sequence 0.
  virtual result<position> claim(std::string_view pipeline, std::string_view log) = 0;
  /// Upserts window results by (pipeline, window, key, start, seq) keeping the largest (generation, version), alert
  /// transitions by (pipeline, id, state), events by (pipeline, shard, position), and moves the position
  /// `WHERE sequence = :old AND epoch = :mine`, in one transaction. Errors: ec::fenced; ec::full (disk),
  /// ec::unavailable (busy): retry the same call, which is idempotent. `next.epoch` is the claimed epoch, or 0 for
  /// "the one this writer claimed last"; `next.sequence` never goes back (ec::invalid).
  virtual result<void> write(std::string_view pipeline, std::string_view log, const write_request& request) = 0;
};

struct window_query {
  std::string pipeline;
  std::string window;
  /// Key members that must match: JSON pointer-less name and JSON text of the value. Several entries of one name are
  /// alternatives; numbers match by value (`1` matches `1.0`).
  std::vector<std::pair<std::string, std::string>> key;
  std::optional<nanoseconds_t> from;
  std::optional<nanoseconds_t> to;
  std::size_t limit = 100;
  bool descending = true;
  /// Opaque, from a previous page's `next`.
  std::string cursor;
};

struct alert_query {
  std::string pipeline;
  std::string state;
  std::string rule;
  std::optional<nanoseconds_t> from;
  std::optional<nanoseconds_t> to;
  std::size_t limit = 100;
  bool descending = true;
  std::string cursor;
};

struct event_query {
  std::string pipeline;
  std::vector<std::pair<std::string, std::string>> match;
  std::optional<nanoseconds_t> from;
  std::optional<nanoseconds_t> to;
  std::size_t limit = 100;
  bool descending = true;
  std::string cursor;
};

/// Output records as JSON text, ready to serve.
struct page {
  std::vector<std::string> items;
  /// Empty: no more.
  std::string next;
};

class store_reader {
public:
  virtual ~store_reader() = default;
  virtual result<page> windows(const window_query& q) = 0;
  /// Newest window (by start) of one key (`q.key` given: at most one item), or of every key, ordered by key.
  /// Retracted results are passed over; `q.descending` plays no part.
  virtual result<page> latest(const window_query& q) = 0;
  virtual result<page> alerts(const alert_query& q) = 0;
  virtual result<page> events(const event_query& q) = 0;
  /// Smallest watermark over the input logs of a pipeline; `no_watermark` if none.
  virtual result<nanoseconds_t> watermark(std::string_view pipeline) = 0;
};

struct sqlite_options {
  std::string path;
  int busy_timeout_ms = 5000;
  /// Also store the rows of unnamed sections.
  bool keep_events = false;
};

/// Opens or creates the database (WAL, synchronous=NORMAL is not enough: FULL), migrates its schema. Errors:
/// ec::config for a file of another program, ec::unsupported for one of a newer Millrace.
result<std::unique_ptr<store_writer>> open_sqlite_writer(const sqlite_options& options);
/// Another process may write meanwhile. Errors: ec::unavailable until the writer has created the database.
result<std::unique_ptr<store_reader>> open_sqlite_reader(const sqlite_options& options);

} // namespace millrace::storage
