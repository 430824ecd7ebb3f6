// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the partitions of stages and of ingest share: their writer and reader, credits, failure, orderly stop, and
/// what they tell their metrics. Used inside one actor; not thread-safe.
#pragma once

#include "actors/runtime/partition.hpp"

#include <string>

namespace millrace::runtime {

inline constexpr double ns_per_second = 1e9;

struct unit_base {
  partition_actor::pointer self = nullptr;
  environment env;
  supervisor_actor parent;
  writer_actor writer;
  reader_actor reader;
  std::string unit;
  std::uint64_t index = 0;
  partition_metrics meters;

  bool writing = false;
  bool draining = false;
  bool released = false;
  /// Credits withheld while too much output waits.
  std::size_t withheld = 0;
  std::int64_t newest_stamp = 0;
  /// Log time behind, as of the last run, and messages not read yet.
  std::int64_t lag = 0;
  std::uint64_t behind = 0;
  std::uint64_t trimmed = 0;

  /// Spawns the writer, asks it to claim, starts the pulse.
  void begin(const partition_names& names, bool publish, const trim_spec& trim);
  /// Takes the reader and gives it its credits.
  void attach(reader_actor r);
  /// Tells the supervisor and ends.
  void fail(error e);
  /// Tells the supervisor that this unit has stopped in order, and ends.
  void stopped();
  void send(write_job job);
  /// After a job: metrics, the end of an orderly stop. False: nothing more is to be done.
  bool stored_job(const written& w);
  /// Answers a run with a credit, or withholds it.
  void answer_run(std::size_t pending_bytes);
  /// Gives out withheld credits once there is room.
  void release_credits(std::size_t pending_bytes);
  /// The input below `position` is not needed any more.
  void trim_to(std::uint64_t position);
  /// A new version of what parametrises the stage; most have nothing of the kind.
  void offer(const local<control>&) {}
  /// `now`: log time that the delay is measured from.
  void report(const ledger& counters, nanoseconds_t watermark, nanoseconds_t high_time, std::int64_t now);
};

/// The behaviour of an actor whose state derives from `unit_base` and has `core`, `start`, `take` for both kinds of
/// run, `stored`, `pulse` and `pump`.
template <class Self>
partition_actor::behavior_type unit_behavior(Self* self) {
  return {
    [self](local<opened>& o) { self->state.start(*o); },
    [self](local<input_run>& run) { self->state.take(*run); },
    [self](local<source_run>& run) { self->state.take(*run); },
    [self](local<written>& w) { self->state.stored(*w); },
    [self](local<error>& e) { self->state.fail(std::move(*e)); },
    [self](local<control>& c) { self->state.offer(c); },
    [self](pulse_atom) { self->state.pulse(); },
    [self](drain_atom) {
      auto& s = self->state;
      s.draining = true;
      if (s.core)
        s.pump();
      else
        s.stopped(); // nothing is ours yet
    },
  };
}

} // namespace millrace::runtime
