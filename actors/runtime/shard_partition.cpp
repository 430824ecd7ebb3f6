// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/shard_partition.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/shard_core.hpp"
#include "actors/runtime/writer.hpp"

namespace millrace::runtime {

namespace {

constexpr double ns_per_second = 1e9;
/// An answer of the source is taken for fresh for so long beyond a few fetches.
constexpr std::int64_t fresh_ns = 1'000'000'000;

struct shard_state {
  static inline const char* name = "millrace.shard";

  partition_actor::pointer self = nullptr;
  environment env;
  shard_spec spec;
  supervisor_actor parent;
  writer_actor writer;
  reader_actor reader;
  std::unique_ptr<shard_core> core;

  bool writing = false;
  bool draining = false;
  bool released = false;
  bool at_end = false;
  bool pulse_due = false;
  bool readable = false;
  std::size_t withheld = 0;
  std::int64_t last_event = 0;
  /// When the source last answered: silence of a source that cannot be read means nothing.
  std::int64_t answered = 0;
  std::int64_t newest_stamp = 0;
  std::int64_t lag = 0;
  std::uint64_t behind = 0;
  std::uint64_t trimmed = 0;

  void fail(error e);
  void start(opened& o);
  void take(source_run& run);
  void pump();
  void stored(const written& w);
  void pulse();
  void report();

private:
  void send(write_job job);
  void consider_idle();
  void trim_source();
};

void shard_state::fail(error e) {
  env.board->set(spec.unit, unit_state::waiting, e.message);
  self->send(parent, spec.index, make_local(std::move(e)));
  self->quit(caf::exit_reason::user_shutdown);
}

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
            {{"unit", spec.unit}, {"epoch", std::to_string(o.epoch)}, {"after", std::to_string(core->place())}});
  if (spec.meters.service)
    spec.meters.service->add_claim();
  reader = spawn_source_reader(self->home_system(), env, self,
                               [open = spec.open, after = core->place()] { return open(after); });
  self->link_to(reader);
  for (std::size_t i = 0; i < env.tune.credits; ++i)
    self->send(reader, fetch_atom_v);
  pump();
}

void shard_state::take(source_run& run) {
  if (draining)
    return; // not taken, so not owed: the next owner reads it
  at_end = run.at_end;
  answered = env.clock.steady();
  behind = run.behind;
  if (!std::exchange(readable, true))
    env.board->set(spec.unit, unit_state::running); // the source has answered: whoever publishes now is heard
  if (!run.messages.empty()) {
    last_event = env.clock.steady();
    newest_stamp = run.messages.back().stamp;
    lag = env.clock.wall() - newest_stamp;
  }
  const bool ended = run.ended;
  if (auto r = core->take(run); !r)
    return fail(std::move(r).error());
  if (core->pending_bytes() > env.tune.pending_bytes) {
    ++withheld;
    at_end = false; // more may have come by the time it is read again
  } else if (!ended) {
    self->send(reader, fetch_atom_v);
  }
  pump();
}

void shard_state::send(write_job job) {
  writing = true;
  job.input_stamp = newest_stamp;
  self->send(writer, make_local(std::move(job)));
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
    trim_source();
    job.frames = core->ticks();
  }
  if (core->has_output()) {
    auto out = core->next(env.tune.frame_bytes);
    if (spec.meters.stage)
      for (const auto& r : out.rejects)
        spec.meters.stage->add_rejected(r.event.reason);
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
  writing = false;
  const auto now = env.clock.wall();
  if (auto* m = spec.meters.stage) {
    for (const auto& f : w.frames) {
      if (f.rows == 0)
        continue;
      m->observe_frame(static_cast<double>(f.rows), static_cast<double>(f.bytes));
      m->observe_stage_seconds(static_cast<double>(now - w.input_stamp) / ns_per_second);
    }
  }
  if (w.released) {
    env.board->set(spec.unit, unit_state::stopped);
    self->send(parent, stopped_atom_v, spec.index);
    self->quit(caf::exit_reason::user_shutdown);
    return;
  }
  while (withheld > 0 && core->pending_bytes() <= env.tune.pending_bytes && !draining) {
    --withheld;
    self->send(reader, fetch_atom_v);
  }
  pump();
}

/// A source is trimmed only below what every subject covers (rule 3.2). Called when nothing is in flight.
void shard_state::trim_source() {
  const auto covered = core->covered();
  if (covered <= trimmed)
    return;
  trimmed = covered;
  self->send(writer, trim_atom_v, trimmed);
}

void shard_state::pulse() {
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
  if (!core || draining)
    return;
  report();
  pulse_due = true;
  consider_idle();
  pump();
}

void shard_state::report() {
  auto* m = spec.meters.stage;
  if (!m)
    return;
  const auto& s = core->state();
  m->set_ledger(totals(s.counters()));
  m->set_lag(static_cast<double>(behind), at_end ? 0.0 : static_cast<double>(lag) / ns_per_second);
  if (s.watermark() != no_watermark) {
    const auto w = s.watermark() == end_watermark ? s.high_time() : s.watermark();
    m->set_watermark(static_cast<double>(w) / ns_per_second, static_cast<double>(env.clock.wall() - w) / ns_per_second);
  }
}

partition_actor::behavior_type shard_behavior(partition_actor::stateful_pointer<shard_state> self, environment env,
                                              supervisor_actor parent, shard_spec spec) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  st.parent = std::move(parent);
  st.spec = std::move(spec);
  st.env.board->set(st.spec.unit, unit_state::starting);
  st.writer = spawn_writer(self->home_system(), st.env, self, st.spec.names, false, st.spec.trim);
  self->link_to(st.writer);
  self->send(st.writer, claim_atom_v);
  self->delayed_send(self, st.env.tune.pulse, pulse_atom_v);
  return {
    [self](local<opened>& o) { self->state.start(*o); },
    [](local<input_run>&) {},
    [self](local<source_run>& run) { self->state.take(*run); },
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

partition_actor spawn_shard(caf::actor_system& sys, const environment& env, supervisor_actor parent, shard_spec spec) {
  return sys.spawn(shard_behavior, env, std::move(parent), std::move(spec));
}

} // namespace millrace::runtime
