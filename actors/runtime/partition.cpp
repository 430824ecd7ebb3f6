// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/partition.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/reader.hpp"
#include "actors/runtime/stage_core.hpp"
#include "actors/runtime/unit_base.hpp"
#include "messaging/codec/json_writer.hpp"

namespace millrace::runtime {

namespace {

struct partition_state : unit_base {
  static inline const char* name = "millrace.partition";

  partition_spec spec;
  std::unique_ptr<stage_core> core;

  std::optional<stage_state> snapshot;
  std::int64_t snapshot_due = 0;
  std::int64_t snapshot_done = 0;
  std::uint64_t snapshot_position = 0;
  std::size_t input_since_snapshot = 0;
  origin acknowledged;
  origin in_flight;

  void start(opened& o);
  void take(input_run& run);
  void take(source_run&) {}
  void pump();
  void stored(const written& w);
  void pulse();

private:
  void write(write_job job);
  bool snapshot_ready() const;
  void take_snapshot();
  void count(const stage_output& out);
  void report_stage();
};

void partition_state::start(opened& o) {
  core = std::make_unique<stage_core>(spec.make_processor(), spec.writers, spec.names.definition);
  if (o.snapshot)
    if (auto r = core->restore(*o.snapshot); !r)
      return fail(error{r.error().code, unit + ": cannot restore the snapshot: " + r.error().message, ""});
  core->resume(o.outputs.front(), o.rejected);
  snapshot_position = core->position();
  snapshot_done = env.clock.steady();
  snapshot_due = snapshot_done + std::chrono::nanoseconds{env.tune.snapshot_interval}.count();
  acknowledged = in_flight = o.outputs.front().covered;
  log::info("partition runs", {{"unit", unit},
                               {"epoch", std::to_string(o.epoch)},
                               {"from", std::to_string(core->position() + 1)},
                               {"written_to", std::to_string(acknowledged.sequence)}});
  env.board->set(unit, unit_state::running);
  attach(spawn_log_reader(self->home_system(), env, self, {spec.input_log, core->position() + 1, spec.input_filter}));
}

void partition_state::take(input_run& run) {
  if (draining)
    return; // not taken, so not owed: the next owner reads it
  if (!run.frames.empty())
    lag = env.clock.wall() - run.frames.back().stamp;
  behind = run.behind;
  for (auto& f : run.frames) {
    newest_stamp = f.stamp;
    input_since_snapshot += f.bytes;
    if (auto r = core->accept(std::move(f)); !r)
      return fail(std::move(r).error());
  }
  answer_run(core->pending_bytes());
  pump();
}

void partition_state::write(write_job job) {
  if (!job.frames.empty())
    in_flight = job.frames.back().content.origin;
  send(std::move(job));
}

/// Rule 6.2: a manifest for S only after all output with origin ≤ S is acknowledged.
bool partition_state::snapshot_ready() const {
  return snapshot && (!core->has_output() || acknowledged.sequence >= snapshot->position);
}

void partition_state::take_snapshot() {
  snapshot = core->snapshot();
  snapshot_due = env.clock.steady() + std::chrono::nanoseconds{env.tune.snapshot_interval}.count();
  input_since_snapshot = 0;
}

/// Rejects and alert transitions by name: once each, for replays are suppressed before they come here.
void partition_state::count(const stage_output& out) {
  auto* m = meters.stage;
  if (!m)
    return;
  for (const auto& r : out.rejects)
    m->add_rejected(r.event.reason);
  if (!out.out)
    return;
  for (const auto& s : out.out->sections) {
    if (s.name != codec::section_alerts)
      continue;
    const auto* rule = s.batch.find("rule");
    const auto* state = s.batch.find("state");
    for (std::size_t row = 0; row < s.batch.rows; ++row)
      m->add_alert(rule->text(row), state->text(row));
  }
}

void partition_state::pump() {
  if (writing || !core || released)
    return;
  write_job job;
  if (snapshot_ready()) {
    job.snapshot = std::exchange(snapshot, {});
    snapshot_position = job.snapshot->position;
    return write(std::move(job));
  }
  if (core->has_output()) {
    auto out = core->next(env.tune.frame_bytes);
    count(out);
    job.rejects = std::move(out.rejects);
    if (out.out)
      job.frames.push_back({0, std::move(*out.out)});
    return write(std::move(job));
  }
  if (draining) {
    if (auto t = core->tick())
      job.frames.push_back({0, std::move(*t)});
    else if (core->position() != snapshot_position) {
      take_snapshot();
      return pump();
    } else
      job.release = released = true;
    write(std::move(job));
  }
}

void partition_state::stored(const written& w) {
  acknowledged = in_flight;
  if (!stored_job(w))
    return;
  if (w.snapshot) {
    snapshot_done = env.clock.steady();
    if (meters.stage)
      meters.stage->set_snapshot(static_cast<double>(w.snapshot_ns) / ns_per_second,
                                 static_cast<double>(w.snapshot_bytes));
  }
  trim_to(w.trim_position);
  release_credits(core->pending_bytes());
  pump();
}

void partition_state::pulse() {
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
  if (!core || draining)
    return;
  report_stage();
  const bool due = env.clock.steady() >= snapshot_due || input_since_snapshot >= env.tune.snapshot_input_bytes;
  if (due && !snapshot && core->position() != snapshot_position)
    take_snapshot();
  if (!writing && !core->has_output()) {
    if (auto t = core->tick()) {
      write_job job;
      job.frames.push_back({0, std::move(*t)});
      write(std::move(job));
    }
  }
  pump();
}

void partition_state::report_stage() {
  const auto& p = core->stage();
  const auto& in = core->progress();
  report(p.counters(), in.watermark(), in.high_time(), in.log_time());
  if (!meters.stage)
    return;
  meters.stage->set_state(static_cast<double>(p.state_keys()), static_cast<double>(p.state_bytes()));
  meters.stage->set_snapshot_age(static_cast<double>(env.clock.steady() - snapshot_done) / ns_per_second);
}

partition_actor::behavior_type partition_behavior(partition_actor::stateful_pointer<partition_state> self,
                                                  environment env, supervisor_actor parent, partition_spec spec) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  st.parent = std::move(parent);
  st.unit = spec.unit;
  st.index = spec.index;
  st.meters = spec.meters;
  st.spec = std::move(spec);
  st.begin(st.spec.names, st.spec.publish, st.spec.trim);
  return unit_behavior(self);
}

} // namespace

metrics::ledger_totals totals(const ledger& l) {
  return {l.in, l.forwarded, l.absorbed, l.retired, l.filtered, l.duplicate, l.late, l.rejected, l.skipped};
}

partition_actor spawn_partition(caf::actor_system& sys, const environment& env, supervisor_actor parent,
                                partition_spec spec) {
  return sys.spawn(partition_behavior, env, std::move(parent), std::move(spec));
}

} // namespace millrace::runtime
