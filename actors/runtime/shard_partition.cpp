// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/shard_partition.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/shard_core.hpp"
#include "actors/runtime/unit_base.hpp"

namespace millrace::runtime {

namespace {

/// An answer of the source is taken for fresh for so long beyond a few fetches.
constexpr std::int64_t fresh_ns = 1'000'000'000;

struct shard_state : unit_base {
  static inline const char* name = "millrace.shard";

  shard_spec spec;
  std::unique_ptr<shard_core> core;

  bool at_end = false;
  bool pulse_due = false;
  bool readable = false;
  std::int64_t last_event = 0;
  /// When the source last answered: silence of a source that cannot be read means nothing.
  std::int64_t answered = 0;

  void start(opened& o);
  void take(input_run&) {}
  void take(source_run& run);
  void pump();
  void stored(const written& w);
  void pulse();

private:
  void consider_idle();
};

void shard_state::start(opened& o) {
  auto s = ingest::shard::make(spec.options, static_cast<std::uint32_t>(spec.names.partition));
  if (!s)
    return fail(std::move(s).error());
  if (!spec.csv_header.empty()) {
    auto* sink = dynamic_cast<codec::csv_header_sink*>(&(*s)->decoder());
    if (auto r = sink ? sink->set_header(spec.csv_header) : result<void>{}; !r)
      return fail(error{ec::config, spec.file + ": " + r.error().message, r.error().hint});
  }
  core = std::make_unique<shard_core>(std::move(*s), spec.names.partition, spec.options.partitions,
                                      spec.names.definition, spec.file, !spec.file.empty());
  core->resume(o.outputs, o.rejected);
  last_event = env.clock.steady();
  log::info("source shard runs",
            {{"unit", unit}, {"epoch", std::to_string(o.epoch)}, {"after", std::to_string(core->place())}});
  attach(spawn_source_reader(self->home_system(), env, self,
                             [open = spec.open, after = core->place()] { return open(after); }));
  pump();
}

void shard_state::take(source_run& run) {
  if (draining)
    return; // not taken, so not owed: the next owner reads it
  at_end = run.at_end;
  answered = env.clock.steady();
  behind = run.behind;
  if (!std::exchange(readable, true))
    env.board->set(unit, unit_state::running); // the source has answered: whoever publishes now is heard
  if (!run.messages.empty()) {
    last_event = env.clock.steady();
    newest_stamp = run.messages.back().stamp;
    lag = env.clock.wall() - newest_stamp;
  }
  const bool ended = run.ended;
  if (auto r = core->take(run); !r)
    return fail(std::move(r).error());
  if (!ended)
    answer_run(core->pending_bytes());
  if (withheld > 0)
    at_end = false; // more may have come by the time it is read again
  pump();
}

/// Rule 4.2: read to the end, silent for `idle_timeout`, everything said so far acknowledged.
void shard_state::consider_idle() {
  const auto now = env.clock.steady();
  const auto silent = now - last_event;
  const bool heard = now - answered < std::chrono::nanoseconds{4 * env.tune.fetch_wait}.count() + fresh_ns;
  if (at_end && heard && !writing && !core->has_output() && silent >= spec.idle_timeout)
    core->idle(silent);
}

void shard_state::pump() {
  if (writing || !core || released)
    return;
  write_job job;
  if (std::exchange(pulse_due, false)) {
    trim_to(core->covered()); // rule 3.2: only below what every subject covers; nothing is in flight now
    job.frames = core->ticks();
  }
  if (core->has_output()) {
    auto out = core->next(env.tune.frame_bytes);
    if (meters.stage)
      for (const auto& r : out.rejects)
        meters.stage->add_rejected(r.event.reason);
    job.rejects = std::move(out.rejects);
    for (auto& f : out.frames)
      job.frames.push_back(std::move(f));
    return send(std::move(job));
  }
  if (draining) {
    for (auto& f : core->ticks())
      job.frames.push_back(std::move(f));
    if (job.frames.empty())
      job.release = released = true;
  }
  if (!job.frames.empty() || job.release)
    send(std::move(job));
}

void shard_state::stored(const written& w) {
  if (!stored_job(w))
    return;
  release_credits(core->pending_bytes());
  pump();
}

void shard_state::pulse() {
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
  if (!core || draining)
    return;
  const auto& s = core->state();
  report(s.counters(), s.watermark(), s.high_time(), env.clock.wall());
  pulse_due = true;
  consider_idle();
  pump();
}

partition_actor::behavior_type shard_behavior(partition_actor::stateful_pointer<shard_state> self, environment env,
                                              supervisor_actor parent, shard_spec spec) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  st.parent = std::move(parent);
  st.unit = spec.unit;
  st.index = spec.index;
  st.meters = spec.meters;
  st.spec = std::move(spec);
  st.begin(st.spec.names, false, st.spec.trim);
  return unit_behavior(self);
}

} // namespace

partition_actor spawn_shard(caf::actor_system& sys, const environment& env, supervisor_actor parent, shard_spec spec) {
  return sys.spawn(shard_behavior, env, std::move(parent), std::move(spec));
}

} // namespace millrace::runtime
