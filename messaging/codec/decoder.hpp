// SPDX-License-Identifier: Apache-2.0
/// @file
/// Source bytes (JSON, CloudEvents, CSV) straight into the columns of a declared schema.
/// One bad event is rejected with its reason and its bytes; its neighbours go on.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::codec {

enum class event_format : std::uint8_t { json, cloudevents, csv };

/// How the text or number of a timestamp field is read.
enum class timestamp_unit : std::uint8_t { rfc3339, seconds, milliseconds, microseconds, nanoseconds, pattern };

/// What a field is read from.
enum class field_source : std::uint8_t { body, file, subject, arrival, attribute };

struct field_spec {
  millrace::field field;
  field_source source = field_source::body;
  /// Member names from the event's root (`meta.venue` is two); for CSV one column name; for
  /// `attribute` the CloudEvents attribute. Never empty for body and attribute.
  std::vector<std::string> path;
  timestamp_unit unit = timestamp_unit::rfc3339;
  /// strptime-like pattern (%Y %m %d %H %M %S %f, literal text), UTC; with unit `pattern`.
  std::string pattern;
  /// False: nobody reads the column after decoding. The value is still checked against its type, but the
  /// column may be left out of the batch's schema (see `event_decoder::layout`).
  bool kept = true;
};

struct decode_options {
  event_format format = event_format::json;
  std::vector<field_spec> fields;
  /// Index into `fields` of the event time; none: arrival.
  std::optional<std::size_t> time;
  /// CloudEvents: event time from `$ce.time` when `time` is unset.
  bool time_from_attribute = false;
  /// Longest accepted single event, bytes; beyond: reason `oversize`.
  std::size_t max_event_bytes = 512 * 1024;
  /// Deepest accepted nesting inside an event.
  std::size_t max_depth = 64;
};

/// Where a message came from.
struct source_message {
  std::string_view payload;
  std::uint32_t shard = 0;
  /// Stream sequence or byte offset.
  std::uint64_t place = 0;
  /// When the broker stored it, ns; for files the log time of the reader.
  std::int64_t arrival = 0;
  std::string_view subject;
  std::string_view file;
  /// CloudEvents binary mode: `ce-*` headers, names without the prefix; else empty.
  const std::vector<std::pair<std::string, std::string>>* attributes = nullptr;
};

/// An event that could not become a row.
struct decode_reject {
  /// `malformed`, `type`, `missing`, `oversize`.
  std::string reason;
  /// Names field, position in the message and remedy.
  std::string detail;
  /// The event's bytes as they came (truncated to 4 KiB for `oversize`, with the hash in `detail`).
  std::string body;
  bool is_json = true;
  std::int64_t position = 0;
  std::uint32_t shard = 0;
  /// Rows decoded into the current batch before this event: its place between the rows.
  std::size_t before_row = 0;
};

/// Decodes messages into one growing batch. Not thread-safe; keep one per shard and reuse it.
class event_decoder {
public:
  virtual ~event_decoder() = default;
  /// The schema of the rows: the kept fields, in order.
  virtual schema_ptr layout() const = 0;
  /// Decodes one message (one JSON object, an array of objects, or NDJSON; CSV: header and records) and
  /// appends its events. The bytes need no padding and are not kept. Index 0, 1, ... counts every event of the
  /// message, rejected ones too; blank lines are not events.
  virtual void decode(const source_message& m) = 0;
  /// NDJSON fast path over a file chunk that ends at a line end: every line is an event whose place is its
  /// byte offset from `m.place` and whose index is 0.
  virtual void decode_lines(const source_message& m) = 0;
  virtual std::size_t rows() const = 0;
  /// Hands out the rows (watermark column filled with `no_watermark`) and starts a new batch.
  virtual event_batch finish() = 0;
  /// Rejects since the last call.
  virtual std::vector<decode_reject> take_rejects() = 0;
};

/// CSV files: the header line is given once, then chunks of whole records go to `decode_lines`.
class csv_header_sink {
public:
  virtual ~csv_header_sink() = default;
  virtual result<void> set_header(std::string_view line) = 0;
};

/// Errors: ec::config for specs that cannot be decoded (duplicate names, empty paths, wrong unit for type).
/// For format csv the result also implements `csv_header_sink`.
result<std::unique_ptr<event_decoder>> make_decoder(const decode_options& options);

/// Number of events in a JSON body (object, array, NDJSON) without decoding them; counts what `decode` would
/// index. Never fails: garbage counts as one.
std::size_t count_events(std::string_view body);

} // namespace millrace::codec
