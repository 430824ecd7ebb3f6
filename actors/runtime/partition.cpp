// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/partition.hpp"

#include "actors/lookup_totals.hpp"
#include "actors/runtime/log.hpp"
#include "actors/runtime/reader.hpp"
#include "actors/runtime/stage_core.hpp"
#include "actors/runtime/unit_base.hpp"
#include "messaging/codec/json_writer.hpp"

#include <deque>
#include <map>

namespace millrace::runtime {

namespace {

/// A lane on which nothing but the origin moves says so only every so many pulses, when there are several: the ticks of
/// a shuffle are the square of its width, and nothing waits for an origin (rule 1.7).
constexpr std::uint64_t origin_pulses = 8;

struct partition_state : unit_base {
  static inline const char* name = "millrace.partition";

  partition_spec spec;
  std::unique_ptr<stage_core> core;

  std::optional<stage_state> snapshot;
  std::int64_t snapshot_due = 0;
  std::int64_t snapshot_done = 0;
  std::uint64_t snapshot_position = 0;
  std::uint64_t snapshot_controls = 0;
  std::size_t input_since_snapshot = 0;
  bool ticks_due = false;
  std::uint64_t pulses = 0;

  /// The newest version of each name that waits to be recorded, and the one that is being recorded.
  std::map<std::string, std::shared_ptr<const control>> offered;
  std::optional<control_record> recording;
  /// Runs that came while input waits for a control (rule 7.1): as many as there are credits.
  std::deque<input_run> held;
  /// Name of the control without which no input is taken; empty: none.
  std::string waiting_for;

  void start(opened& o);
  void take(input_run& run);
  void take(source_run&) {}
  void offer(const local<control>& c);
  void pump();
  void stored(const written& w);
  void pulse();

private:
  bool consume(input_run& run);
  void take_held();
  bool input_waits();
  void say_waiting();
  bool record_control();
  void apply_recorded();
  bool unsaved() const;
  void take_snapshot();
  void count(const stage_output& out);
  void report_stage();
};

void partition_state::start(opened& o) {
  core =
    std::make_unique<stage_core>(spec.make_processor(), spec.writers, spec.names.definition, spec.names.outputs.size());
  if (o.snapshot)
    if (auto r = core->restore(*o.snapshot); !r)
      return fail(error{r.error().code, unit + ": cannot restore the snapshot: " + r.error().message, ""});
  snapshot_position = core->position();
  snapshot_controls = core->controls();
  snapshot_done = env.clock.steady();
  snapshot_due = snapshot_done + std::chrono::nanoseconds{env.tune.snapshot_interval}.count();
  std::uint64_t written_to = UINT64_MAX;
  for (const auto& c : o.outputs)
    written_to = std::min(written_to, c.covered.sequence);
  core->resume(o.outputs, o.rejected, std::move(o.controls));
  log::info("partition runs", {{"unit", unit},
                               {"epoch", std::to_string(o.epoch)},
                               {"from", std::to_string(core->position() + 1)},
                               {"written_to", std::to_string(written_to)}});
  env.board->set(unit, unit_state::running);
  say_waiting();
  attach(spawn_log_reader(self->home_system(), env, self, {spec.input_log, core->position() + 1, spec.input_filter}));
  pump();
}

void partition_state::take(input_run& run) {
  if (draining)
    return; // not taken, so not owed: the next owner reads it
  if (input_waits() || !held.empty()) {
    held.push_back(std::move(run));
    return;
  }
  if (consume(run))
    pump();
}

bool partition_state::consume(input_run& run) {
  if (!run.frames.empty())
    lag = env.clock.wall() - run.frames.back().stamp;
  behind = run.behind;
  for (auto& f : run.frames) {
    newest_stamp = f.stamp;
    input_since_snapshot += f.bytes;
    if (auto r = core->accept(std::move(f)); !r) {
      fail(std::move(r).error());
      return false;
    }
  }
  answer_run(core->pending_bytes());
  return true;
}

void partition_state::take_held() {
  while (!held.empty() && !draining && !input_waits()) {
    auto run = std::move(held.front());
    held.pop_front();
    if (!consume(run))
      return;
  }
}

/// A control must be recorded before the input that it applies to is seen, and each must have come once.
bool partition_state::input_waits() {
  say_waiting();
  return recording || !waiting_for.empty();
}

void partition_state::say_waiting() {
  std::string missing;
  // What was written without (by an older release, say) is replayed without.
  if (spec.controls && core->replayed())
    for (const auto& x : spec.controls->names())
      if (missing.empty() && !core->version(x))
        missing = x;
  if (missing == waiting_for)
    return;
  waiting_for = std::move(missing);
  if (waiting_for.empty()) {
    env.board->set(unit, unit_state::running);
    return;
  }
  const auto text = "waiting for table " + waiting_for;
  env.board->set(unit, unit_state::waiting, text);
  log::info(text, {{"unit", unit}});
}

void partition_state::offer(const local<control>& c) {
  if (draining)
    return;
  offered[c->name] = c.value;
  pump();
}

/// Sends the next version that is new to the writer; true when it did. It gets the place that the input has now: until
/// it is recorded, none is taken.
bool partition_state::record_control() {
  if (draining || !core->replayed())
    return false;
  while (!offered.empty()) {
    auto c = std::move(offered.begin()->second);
    offered.erase(offered.begin());
    const auto* current = core->version(c->name);
    if (current && *current == c->hash)
      continue;
    recording = control_record{std::move(c), core->controls() + 1, core->position()};
    write_job job;
    job.control = recording;
    send(std::move(job));
    return true;
  }
  return false;
}

void partition_state::apply_recorded() {
  const auto c = std::move(*recording);
  recording.reset();
  const auto r = core->apply(c);
  if (r)
    log::info("a table version takes effect", {{"unit", unit},
                                               {"table", c.what->name},
                                               {"after", std::to_string(c.position)},
                                               {"bytes", std::to_string(c.what->contents.size())}});
  else
    log::error("a table version is refused, the last one stays",
               {{"unit", unit}, {"table", c.what->name}, {"why", to_string(r.error())}});
  take_held();
}

bool partition_state::unsaved() const {
  return core->position() != snapshot_position || core->controls() != snapshot_controls;
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
  for (const auto& f : out.frames) {
    for (const auto& s : f.content.sections) {
      if (s.name != codec::section_alerts)
        continue;
      const auto* rule = s.batch.find("rule");
      const auto* state = s.batch.find("state");
      for (std::size_t row = 0; row < s.batch.rows; ++row)
        m->add_alert(rule->text(row), state->text(row));
    }
  }
}

void partition_state::pump() {
  if (writing || !core || released || record_control())
    return;
  write_job job;
  if (std::exchange(ticks_due, false))
    job.frames = core->ticks(core->lanes() == 1 || pulses % origin_pulses == 0);
  // Rule 6.2: a manifest for S only after all output with origin ≤ S is acknowledged; nothing is in flight here.
  if (job.frames.empty() && snapshot && core->settled(snapshot->position)) {
    job.snapshot = std::exchange(snapshot, {});
    snapshot_position = job.snapshot->position;
    snapshot_controls = job.snapshot->controls;
    return send(std::move(job));
  }
  if (core->has_output()) {
    auto out = core->next(env.tune.frame_bytes);
    count(out);
    job.rejects = std::move(out.rejects);
    for (auto& f : out.frames)
      job.frames.push_back(std::move(f));
  }
  if (!job.frames.empty() || !job.rejects.empty())
    return send(std::move(job));
  if (!draining)
    return;
  job.frames = core->ticks();
  if (job.frames.empty()) {
    if (unsaved()) {
      take_snapshot();
      return pump();
    }
    job.release = released = true;
  }
  send(std::move(job));
}

void partition_state::stored(const written& w) {
  if (!stored_job(w))
    return;
  if (w.control)
    apply_recorded();
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
  ++pulses;
  report_stage();
  const bool due = env.clock.steady() >= snapshot_due || input_since_snapshot >= env.tune.snapshot_input_bytes;
  if (due && !snapshot && unsaved())
    take_snapshot();
  // With one lane whatever is on its way says more than a tick; with several it may be another lane's.
  ticks_due = core->lanes() > 1 || (!writing && !core->has_output());
  pump();
}

void partition_state::report_stage() {
  const auto& p = core->stage();
  const auto& in = core->progress();
  report(p.counters(), in.watermark(), in.high_time(), in.log_time());
  if (!meters.stage)
    return;
  meters.stage->set_state(static_cast<double>(p.state_keys()), static_cast<double>(p.state_bytes()));
  if (const auto* tables = dynamic_cast<const lookup_totals*>(&p))
    for (const auto& t : tables->lookup_tables())
      meters.stage->set_lookups(t.name, t.hits, t.misses, static_cast<double>(t.rows));
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
  if (st.spec.controls)
    st.spec.controls->subscribe(self);
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
