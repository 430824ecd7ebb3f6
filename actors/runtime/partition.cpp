// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/partition.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/reader.hpp"
#include "actors/runtime/stage_core.hpp"
#include "actors/runtime/writer.hpp"
#include "messaging/codec/json_writer.hpp"

namespace millrace::runtime {

namespace {

constexpr double ns_per_second = 1e9;

struct partition_state {
  static inline const char* name = "millrace.partition";

  partition_actor::pointer self = nullptr;
  environment env;
  partition_spec spec;
  supervisor_actor parent;
  writer_actor writer;
  reader_actor reader;
  std::unique_ptr<stage_core> core;

  bool writing = false;
  bool draining = false;
  bool released = false;
  /// Credits withheld while too much output waits.
  std::size_t withheld = 0;
  std::optional<stage_state> snapshot;
  std::int64_t snapshot_due = 0;
  std::int64_t snapshot_done = 0;
  std::uint64_t snapshot_position = 0;
  std::size_t input_since_snapshot = 0;
  origin acknowledged;
  origin in_flight;
  std::int64_t newest_stamp = 0;
  /// Log time behind, as of the last run, and messages not read yet.
  std::int64_t lag = 0;
  std::uint64_t behind = 0;
  std::uint64_t trimmed = 0;

  void fail(error e);
  void start(opened& o);
  void take(input_run& run);
  void pump();
  void stored(const written& w);
  void pulse();
  void report();

private:
  void send(write_job job);
  bool snapshot_ready() const;
  void take_snapshot();
  void count(const stage_output& out);
};

void partition_state::fail(error e) {
  // A frame that was refused is an event that cannot be read: counted like one.
  if (e.code == ec::corrupt && spec.meters.stage)
    spec.meters.stage->add_rejected("malformed");
  env.board->set(spec.unit, unit_state::waiting, e.message);
  self->send(parent, spec.index, make_local(std::move(e)));
  self->quit(caf::exit_reason::user_shutdown);
}

void partition_state::start(opened& o) {
  core = std::make_unique<stage_core>(spec.make_processor(), spec.writers, spec.names.definition);
  if (o.snapshot)
    if (auto r = core->restore(*o.snapshot); !r)
      return fail(error{r.error().code, spec.unit + ": cannot restore the snapshot: " + r.error().message, ""});
  core->resume(o.outputs.front(), o.rejected);
  snapshot_position = core->position();
  snapshot_done = env.clock.steady();
  snapshot_due = snapshot_done + std::chrono::nanoseconds{env.tune.snapshot_interval}.count();
  acknowledged = in_flight = o.outputs.front().covered;
  log::info("partition runs", {{"unit", spec.unit},
                               {"epoch", std::to_string(o.epoch)},
                               {"from", std::to_string(core->position() + 1)},
                               {"written_to", std::to_string(acknowledged.sequence)}});
  if (spec.meters.service)
    spec.meters.service->add_claim();
  env.board->set(spec.unit, unit_state::running);
  reader = spawn_log_reader(self->home_system(), env, self, {spec.input_log, core->position() + 1, spec.input_filter});
  self->link_to(reader);
  for (std::size_t i = 0; i < env.tune.credits; ++i)
    self->send(reader, fetch_atom_v);
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
  if (core->pending_bytes() > env.tune.pending_bytes)
    ++withheld;
  else
    self->send(reader, fetch_atom_v);
  pump();
}

void partition_state::send(write_job job) {
  writing = true;
  if (!job.frames.empty())
    in_flight = job.frames.back().content.origin;
  job.input_stamp = newest_stamp;
  self->send(writer, make_local(std::move(job)));
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
  auto* m = spec.meters.stage;
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
    return send(std::move(job));
  }
  if (core->has_output()) {
    auto out = core->next(env.tune.frame_bytes);
    count(out);
    job.rejects = std::move(out.rejects);
    if (out.out)
      job.frames.push_back({0, std::move(*out.out)});
    return send(std::move(job));
  }
  if (draining) {
    if (auto t = core->tick())
      job.frames.push_back({0, std::move(*t)});
    else if (core->position() != snapshot_position) {
      take_snapshot();
      return pump();
    } else
      job.release = released = true;
    send(std::move(job));
  }
}

void partition_state::stored(const written& w) {
  writing = false;
  acknowledged = in_flight;
  const auto now = env.clock.wall();
  if (auto* m = spec.meters.stage) {
    for (const auto& f : w.frames) {
      if (f.rows == 0)
        continue;
      m->observe_frame(static_cast<double>(f.rows), static_cast<double>(f.bytes));
      m->observe_stage_seconds(static_cast<double>(now - w.input_stamp) / ns_per_second);
    }
    if (w.snapshot) {
      m->set_snapshot(static_cast<double>(w.snapshot_ns) / ns_per_second, static_cast<double>(w.snapshot_bytes));
      snapshot_done = env.clock.steady();
    }
  }
  if (w.released) {
    env.board->set(spec.unit, unit_state::stopped);
    self->send(parent, stopped_atom_v, spec.index);
    self->quit(caf::exit_reason::user_shutdown);
    return;
  }
  if (w.trim_position > trimmed) {
    trimmed = w.trim_position;
    self->send(writer, trim_atom_v, trimmed);
  }
  while (withheld > 0 && core->pending_bytes() <= env.tune.pending_bytes && !draining) {
    --withheld;
    self->send(reader, fetch_atom_v);
  }
  pump();
}

void partition_state::pulse() {
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
  if (!core || draining)
    return;
  report();
  const bool due = env.clock.steady() >= snapshot_due || input_since_snapshot >= env.tune.snapshot_input_bytes;
  if (due && !snapshot && core->position() != snapshot_position)
    take_snapshot();
  if (!writing && !core->has_output()) {
    if (auto t = core->tick()) {
      write_job job;
      job.frames.push_back({0, std::move(*t)});
      send(std::move(job));
    }
  }
  pump();
}

void partition_state::report() {
  auto* m = spec.meters.stage;
  if (!m)
    return;
  const auto& p = core->stage();
  m->set_ledger(totals(p.counters()));
  m->set_state(static_cast<double>(p.state_keys()), static_cast<double>(p.state_bytes()));
  m->set_snapshot_age(static_cast<double>(env.clock.steady() - snapshot_done) / ns_per_second);
  m->set_lag(static_cast<double>(behind), behind == 0 ? 0.0 : static_cast<double>(lag) / ns_per_second);
  const auto& in = core->progress();
  if (in.watermark() != no_watermark) {
    const auto w = in.watermark() == end_watermark ? in.high_time() : in.watermark();
    m->set_watermark(static_cast<double>(w) / ns_per_second, static_cast<double>(in.log_time() - w) / ns_per_second);
  }
  if (p.counters().imbalance() != 0)
    log::error("the ledger does not balance", {{"unit", spec.unit}, {"by", std::to_string(p.counters().imbalance())}});
}

partition_actor::behavior_type partition_behavior(partition_actor::stateful_pointer<partition_state> self,
                                                  environment env, supervisor_actor parent, partition_spec spec) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  st.parent = std::move(parent);
  st.spec = std::move(spec);
  st.env.board->set(st.spec.unit, unit_state::starting);
  st.writer = spawn_writer(self->home_system(), st.env, self, st.spec.names, st.spec.publish, st.spec.trim);
  self->link_to(st.writer);
  self->send(st.writer, claim_atom_v);
  self->delayed_send(self, st.env.tune.pulse, pulse_atom_v);
  return {
    [self](local<opened>& o) { self->state.start(*o); },
    [self](local<input_run>& run) { self->state.take(*run); },
    [](local<source_run>&) {},
    [self](local<written>& w) { self->state.stored(*w); },
    [self](local<error>& e) { self->state.fail(std::move(*e)); },
    [self](pulse_atom) { self->state.pulse(); },
    [self](drain_atom) {
      auto& s = self->state;
      s.draining = true;
      if (!s.core) { // nothing is ours yet
        self->send(s.parent, stopped_atom_v, s.spec.index);
        self->quit(caf::exit_reason::user_shutdown);
        return;
      }
      s.pump();
    },
  };
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
