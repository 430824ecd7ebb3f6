// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace why`: which source shard or stage holds a window open, since when, and what releases it (rule 4.4), from
/// the last frames of the pipeline's logs. Only reads; blocks on the bus.
#pragma once

#include "messaging/bus.hpp"
#include "services/pipeline/definition.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// What the last frame on one subject says.
struct tail_view {
  bool present = false;
  /// Its writer left in order and nobody took over.
  bool released = false;
  bool idle = false;
  /// A shard that is idle without ever having had an event: it holds nothing (rule 4.2).
  bool absent = false;
  nanoseconds_t watermark = no_watermark;
  nanoseconds_t high_time = no_watermark;
  /// When the broker stored it.
  nanoseconds_t stamp = 0;
};

enum class hold_kind : std::uint8_t { shard, stage };

/// One thing that holds a partition back.
struct holder {
  hold_kind kind = hold_kind::shard;
  /// Shard (`nats0`) or stage (`enrich`, `window`, `window-merge`).
  std::string name;
  /// `unclaimed`, `released`, `silent`, `active`, `idle`, `behind`.
  std::string_view state;
  tail_view tail;
  /// A stage: partition of its own.
  std::uint32_t partition = 0;
};

struct why_partition {
  std::uint32_t partition = 0;
  /// Of the window stage.
  nanoseconds_t watermark = no_watermark;
  /// The watermark at which the window in question closes; none: unknown before the first event.
  std::optional<nanoseconds_t> closes_at;
  bool ended = false;
  /// None: nothing holds it.
  std::optional<holder> held_by;
};

struct why_answer {
  /// Index of the window in the plan.
  std::size_t window = 0;
  nanoseconds_t now = 0;
  std::vector<why_partition> partitions;
};

struct why_question {
  std::size_t window = 0;
  /// Asks for the window that holds this event time; else for the next one to close.
  std::optional<nanoseconds_t> at;
};

/// @param now Wall clock, to be compared with the broker's stamps.
/// Errors: ec::not_found when the pipeline has no logs on this server, ec::corrupt, or the bus's.
result<why_answer> ask_why(bus& b, const pipeline::definition& d, const why_question& q, nanoseconds_t now);

/// What releases the hold, in a sentence.
std::string release_of(const pipeline::definition& d, const why_partition& p, nanoseconds_t now);
/// Why it holds, in a sentence.
std::string reason_of(const pipeline::definition& d, const why_partition& p, nanoseconds_t now);

std::string to_text(const pipeline::definition& d, const why_answer& a);
std::string to_json(const pipeline::definition& d, const why_answer& a);

} // namespace millrace::cli
