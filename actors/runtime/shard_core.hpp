// SPDX-License-Identifier: Apache-2.0
/// @file
/// The partition of ingest: one source shard between its source and one subject per events partition (semantics.md,
/// section 3). Plain C++; not thread-safe; does no I/O.
#pragma once

#include "actors/ingest/shard.hpp"
#include "actors/runtime/frame_queue.hpp"
#include "actors/runtime/messages.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::runtime {

/// What one writer job carries for a shard.
struct shard_output {
  std::vector<marked_reject> rejects;
  std::vector<lane_frame> frames;
};

class shard_core {
public:
  /// @param lines Places are byte offsets of lines (files); else sequences of messages.
  shard_core(std::unique_ptr<ingest::shard> s, std::uint32_t index, std::uint32_t partitions, std::uint64_t definition,
             std::string file, bool lines);

  /// Resumes at the smallest origin of the subjects, with the watermark and counters of that tail (rule 3.2).
  void resume(const std::vector<checkpoint>& lanes, const reject_mark& rejected);
  /// The source place after which to read: the last one covered.
  std::uint64_t place() const noexcept { return place_; }
  bool ended() const noexcept { return shard_->watermark() == end_watermark; }
  const ingest::shard& state() const noexcept { return *shard_; }

  /// Takes the next run of the source. Errors: ec::config, ec::invalid from the decoder (a CSV header).
  result<void> take(source_run& run);
  /// The source has been silent for `elapsed` ns: the watermark moves on as log time does (rule 4.2, docs/adr/0005).
  /// Only when `!has_output()` and all is acknowledged. Frames saying so are queued on every subject when it is news.
  void idle(std::int64_t elapsed);

  bool has_output() const noexcept;
  std::size_t pending_bytes() const noexcept;
  shard_output next(std::size_t max_bytes);
  /// Ticks of the quiet subjects.
  std::vector<lane_frame> ticks();
  /// The smallest place that every subject covers, as handed out: what a source may be trimmed to.
  std::uint64_t covered() const noexcept;

private:
  void finish_chunk(std::int64_t stamp, bool forced);
  checkpoint now() const;
  bool suppressed(std::size_t lane, std::int64_t position) const;

  std::unique_ptr<ingest::shard> shard_;
  std::uint32_t index_;
  std::string file_;
  bool lines_;
  std::uint64_t place_ = 0;
  std::vector<frame_queue> lanes_;
  std::vector<std::vector<std::uint32_t>> rows_;
  std::vector<marked_reject> rejects_;
  reject_mark rejected_;
  bool idle_ = false;
};

} // namespace millrace::runtime
