// SPDX-License-Identifier: Apache-2.0
/// @file
/// One source shard as a deterministic machine: decode, judge time, key, split by partition (section 3).
#pragma once

#include "actors/processor.hpp"
#include "messaging/codec/decoder.hpp"

#include <memory>
#include <string>
#include <vector>

namespace millrace::ingest {

struct shard_options {
  codec::decode_options decode;
  /// Names of the key fields; empty: everything goes to partition 0.
  std::vector<std::string> key;
  std::uint32_t partitions = 1;
  nanoseconds_t max_delay = 0;
  /// Beyond log time + max_ahead an event is `future`; 0: not judged (files, batch).
  nanoseconds_t max_ahead = 0;
};

/// What a run of source messages became.
struct chunk {
  event_batch batch;
  std::vector<rejected_event> rejected;
};

/// Not thread-safe.
class shard {
public:
  /// Errors: ec::config.
  static result<std::unique_ptr<shard>> make(shard_options options, std::uint32_t index);

  schema_ptr layout() const;
  codec::event_decoder& decoder();
  /// Decodes one source message into the current chunk.
  void feed(const codec::source_message& m);
  /// Like `feed`, for whole lines of a file.
  void feed_lines(const codec::source_message& m);
  std::size_t pending_rows() const;
  /// Ends the chunk: rows with their watermarks, and the rejects.
  chunk take();
  /// The source has ended: watermark becomes `end_watermark`.
  void end();
  /// The source is idle: the watermark follows log time (rule 4.2). Call it when nothing is pending.
  void idle_until(nanoseconds_t log_time);

  nanoseconds_t watermark() const noexcept;
  nanoseconds_t high_time() const noexcept;
  const ledger& counters() const noexcept;
  /// Resumes from the tail of the shard's subjects (rule 3.2).
  void resume(nanoseconds_t watermark, nanoseconds_t high_time, const ledger& counters);

  /// Rows of `b` by partition; for one partition the rows are all of them.
  void split(const event_batch& b, std::vector<std::vector<std::uint32_t>>& rows) const;

private:
  shard() = default;
  void accept(nanoseconds_t time) noexcept;
  bool is_future(nanoseconds_t time, nanoseconds_t log_time) const noexcept;
  rejected_event stamp(codec::decode_reject&& r) const;
  rejected_event future(const event_batch& b, std::size_t row, nanoseconds_t log_time) const;
  /// Gives the rows their watermarks and takes the `future` ones out.
  void judge(event_batch& b, std::vector<codec::decode_reject>&& rejects, std::vector<rejected_event>& out);
  void note_arrival(nanoseconds_t arrival);

  shard_options options_;
  std::unique_ptr<codec::event_decoder> decoder_;
  std::vector<std::size_t> key_columns_;
  std::uint32_t index_ = 0;
  nanoseconds_t watermark_ = no_watermark;
  nanoseconds_t high_time_ = no_watermark;
  /// First row and log time of each pending message, for `future`.
  std::vector<std::pair<std::size_t, nanoseconds_t>> arrivals_;
  ledger counters_;
};

} // namespace millrace::ingest
