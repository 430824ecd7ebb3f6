// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a reader remembers of each subject of its input log (rule 1.6): epoch, number and checksum of the last
/// frame, and the time its writer last said. Part of a partition's state. Not thread-safe.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/frame.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::runtime {

/// A frame as it stood on an input log.
struct input_frame {
  std::uint64_t sequence = 0;
  std::string subject;
  /// Broker time, ns.
  std::int64_t stamp = 0;
  std::uint64_t checksum = 0;
  /// Encoded size, for flow control.
  std::size_t bytes = 0;
  frame content;
};

/// The input of one partition as its reader has seen it so far.
class input_state {
public:
  input_state() = default;
  /// @param writers Subjects that must have claimed before there is a watermark (rule 3.3).
  explicit input_state(std::vector<std::string> writers) : writers_{std::move(writers)} {}

  /// Checks the chain (rules 1.6, 2.5) and takes over epoch, number, watermark and log time (rule 1.3).
  /// Errors: ec::gap (numbers missing), ec::corrupt (an older epoch after a newer claim, a wrong predecessor, a
  /// subject that no writer of the definition owns).
  result<void> accept(const input_frame& in);

  /// The last sequence taken and its checksum.
  std::uint64_t sequence() const noexcept { return sequence_; }
  std::uint64_t checksum() const noexcept { return checksum_; }
  /// Minimum over the writers, never going back (rule 4.1); `end_watermark` once all have ended.
  nanoseconds_t watermark() const noexcept { return watermark_; }
  nanoseconds_t high_time() const noexcept { return high_time_; }
  nanoseconds_t log_time() const noexcept { return log_time_; }

  /// Binary state; equal states give equal bytes.
  std::string save() const;
  result<void> load(std::string_view bytes);

private:
  struct writer_state {
    std::uint64_t epoch = 0;
    std::uint64_t number = 0;
    std::uint64_t checksum = 0;
    nanoseconds_t watermark = no_watermark;
    /// Idle before its first event: it holds nothing (rule 4.2).
    bool absent = false;
  };

  std::vector<std::string> writers_;
  std::map<std::string, writer_state, std::less<>> seen_;
  std::uint64_t sequence_ = 0;
  std::uint64_t checksum_ = 0;
  nanoseconds_t watermark_ = no_watermark;
  nanoseconds_t high_time_ = no_watermark;
  nanoseconds_t log_time_ = 0;
  std::int64_t last_stamp_ = 0;
};

} // namespace millrace::runtime
