// SPDX-License-Identifier: Apache-2.0
/// @file
/// Writing to subjects that one owner holds (semantics.md, section 2): claims, appends with an expectation, one in
/// flight per subject, and the resolution of ambiguous answers.
///
/// Blocks on the bus: for detached actors. A lane belongs to one thread at a time.
#pragma once

#include "messaging/bus.hpp"
#include "messaging/frame.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::runtime {

/// One output subject and what its last message says.
struct lane {
  std::string log;
  std::string subject;
  /// A log with one writer expects by its own sequence, a log with several by the subject's (rule 2.3).
  expectation::scope scope = expectation::scope::subject;

  /// Ownership and the chain of the last message written or read.
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  std::uint64_t checksum = 0;
  /// Expected sequence, and the subject's own last sequence (the same for scope subject).
  std::uint64_t expected = 0;
  std::uint64_t last = 0;
  /// The last frame's checkpoint.
  origin covered;
  nanoseconds_t watermark = no_watermark;
  nanoseconds_t origin_watermark = no_watermark;
  nanoseconds_t high_time = no_watermark;
  ledger counters;
  /// `note` of the last frame, copied by claims and releases; on state logs the sequence of the newest manifest.
  std::string note;
};

struct append_policy {
  /// How long one append may stay unanswered before it is resolved by reading the tail (rule 2.4).
  std::chrono::milliseconds deadline{3000};
  /// Pause before the same bytes are sent again.
  std::chrono::milliseconds retry{20};
  /// Cap of that pause; it doubles while a log is full or the broker away.
  std::chrono::milliseconds retry_cap{1000};
  /// Gives up waiting when it becomes true; what is in flight is then ambiguous.
  const std::atomic<bool>* stop = nullptr;
  /// Called when an append has to wait, once a pause: reason and lane.
  std::function<void(const error&, const lane&)> on_wait;
  std::function<void(std::chrono::milliseconds)> sleep;
};

struct lane_append {
  lane* to = nullptr;
  std::string payload;
  header_list headers;
};

/// Appends every request (at most one per lane) and returns when all are stored. Sets the lanes' `expected` and
/// `last`; number, checksum and checkpoint are the caller's. Errors: ec::fenced (stop at once), ec::unavailable
/// (stopped while waiting), ec::too_large.
result<void> append_all(bus& b, std::span<lane_append> requests, const append_policy& policy);

/// A log is never made smaller than this, however little room the broker has.
inline constexpr std::uint64_t min_log_bytes = 4ULL * 1024 * 1024;

/// Creates a log if it is missing. The broker reserves a log's bound: where there is not enough room, it gets an
/// eighth, so that those still to come find some too, down to `min_log_bytes`.
result<void> ensure_fitting_log(bus& b, log_spec spec);

/// Reads a lane's tail into it; an empty subject leaves zeros. Errors: ec::corrupt, or the bus's.
result<void> read_lane(bus& b, lane& l);

/// Takes over: reads every lane's tail, then claims each, in order, with epoch = maximum + 1, copying the
/// predecessor's checkpoint (rules 2.1, 2.2). Errors: ec::fenced when somebody else wrote meanwhile.
result<void> claim_lanes(bus& b, std::span<lane*> lanes, std::string_view writer, std::uint64_t definition,
                         const append_policy& policy);

/// Encodes `f` as the lane's next frame (epoch, number, predecessor) and moves the lane's checkpoint to it.
lane_append next_frame(lane& l, frame& f, frame_encoder& encoder, std::string_view writer);

} // namespace millrace::runtime
