// SPDX-License-Identifier: Apache-2.0
/// @file
/// Output of one subject on its way to the writer: rows by the input they derive from, cut into frames whose origins
/// are checkpoints (rule 1.4), with suppression of what the subject already holds. Plain C++; not thread-safe.
#pragma once

#include "messaging/frame.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace millrace::runtime {

/// What the last frame on an output subject says (rule 1.4).
struct checkpoint {
  origin covered;
  /// As of `covered`.
  nanoseconds_t watermark = no_watermark;
  nanoseconds_t high_time = no_watermark;
  ledger counters;
  /// What the readers of the subject were told: more than `watermark` when the last frame ends inside an input.
  nanoseconds_t told = no_watermark;
};

/// A frame and the output subject it is for.
struct lane_frame {
  std::size_t lane = 0;
  frame content;
};

class frame_queue {
public:
  explicit frame_queue(std::uint64_t definition = 0) : definition_{definition} {}

  /// Says what the subject holds. Output of inputs up to `covered.sequence` must not be pushed again; of what follows
  /// the first `covered.rows` rows are dropped here.
  void resume(const checkpoint& written);
  const checkpoint& resumed() const noexcept { return written_; }

  /// Adds the output of one input. Without sections only the checkpoint moves.
  /// @param forced Queue even without rows, so that a frame goes out now.
  void push(const checkpoint& at, nanoseconds_t source_stamp, std::vector<section> sections, bool forced = false);

  bool empty() const noexcept { return items_.empty(); }
  /// Source place that the last frame handed out covers.
  std::uint64_t covered() const noexcept { return said_; }
  /// All output of inputs up to `position` was handed out.
  bool settled(std::uint64_t position) const noexcept { return items_.empty() || said_ >= position; }
  /// A replay that has come to `position` has passed everything that the subject held at the start.
  bool replayed(std::uint64_t position) const noexcept {
    return position >= written_.covered.sequence && replayed_rows_ >= written_.covered.rows;
  }
  /// A tick would say a new watermark.
  bool time_moved() const noexcept { return moved_ && done_.watermark > said_watermark_; }
  /// Estimated bytes waiting.
  std::size_t bytes() const noexcept { return bytes_; }
  /// The next frame, about `max_bytes`; nullopt when nothing waits.
  std::optional<frame> next(std::size_t max_bytes);
  /// A tick, when the checkpoint moved since the last frame and nothing waits (rule 1.7).
  std::optional<frame> tick();

private:
  struct item {
    checkpoint at;
    nanoseconds_t source_stamp = 0;
    std::vector<section> sections;
    std::size_t bytes = 0;
  };

  void suppress(std::vector<section>& sections);
  void cut_rows(item& from, frame& into, std::size_t max_bytes);
  frame stamped();
  static nanoseconds_t watermark_within(const item& x);

  std::uint64_t definition_;
  std::deque<item> items_;
  std::size_t bytes_ = 0;
  checkpoint written_;
  std::uint64_t replayed_rows_ = 0;
  /// Checkpoint of the last frame handed out, or of a tick that is due.
  checkpoint done_;
  nanoseconds_t done_stamp_ = 0;
  bool moved_ = false;
  std::uint64_t said_ = 0;
  /// What the readers were told: never goes back.
  nanoseconds_t said_watermark_ = no_watermark;
};

} // namespace millrace::runtime
