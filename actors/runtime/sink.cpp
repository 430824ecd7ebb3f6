// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/sink.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/reader.hpp"

#include <thread>

namespace millrace::runtime {

namespace {

constexpr double ns_per_second = 1e9;
constexpr std::chrono::milliseconds store_retry{500};

struct sink_state {
  static inline const char* name = "millrace.sink";

  partition_actor::pointer self = nullptr;
  environment env;
  sink_spec spec;
  supervisor_actor parent;
  reader_actor reader;
  std::unique_ptr<trimmer> trim;
  input_state input;
  ledger counters;
  std::uint64_t epoch = 0;
  std::uint64_t durable = 0;
  std::int64_t lag = 0;
  std::uint64_t behind = 0;
  bool running = false;

  void fail(error e);
  void claim();
  void take(input_run& run);
  result<void> write(std::vector<section>& sections);
  void pulse();
  void report();
};

void sink_state::fail(error e) {
  env.board->set(spec.unit, unit_state::waiting, e.message);
  self->send(parent, spec.index, make_local(std::move(e)));
  self->quit(caf::exit_reason::user_shutdown);
}

void sink_state::claim() {
  result<storage::position> p = [&] {
    std::lock_guard lock{spec.store->mutex};
    return spec.store->writer->claim(spec.pipeline, spec.input_log);
  }();
  if (!p)
    return fail(std::move(p).error());
  input = input_state{spec.writers};
  if (p->sequence > 0)
    if (auto r = input.load(p->reader_state); !r)
      return fail(std::move(r).error());
  counters = p->counters;
  epoch = p->epoch;
  durable = p->sequence;
  log::info("partition runs",
            {{"unit", spec.unit}, {"epoch", std::to_string(epoch)}, {"from", std::to_string(durable + 1)}});
  if (spec.meters.service)
    spec.meters.service->add_claim();
  env.board->set(spec.unit, unit_state::running);
  running = true;
  reader = spawn_log_reader(self->home_system(), env, self, {spec.input_log, durable + 1, {}});
  self->link_to(reader);
  for (std::size_t i = 0; i < env.tune.credits; ++i)
    self->send(reader, fetch_atom_v);
}

/// Writes rows and position in one transaction; waits while the store is busy or full.
result<void> sink_state::write(std::vector<section>& sections) {
  storage::write_request request;
  request.sections = sections;
  request.next = {epoch, input.sequence(), input.checksum(), input.save(), input.watermark(), counters};
  for (;;) {
    result<void> r = [&] {
      std::lock_guard lock{spec.store->mutex};
      return spec.store->writer->write(spec.pipeline, spec.input_log, request);
    }();
    if (r) {
      durable = input.sequence();
      return r;
    }
    if ((r.error().code != ec::unavailable && r.error().code != ec::full) || env.stop->load())
      return r;
    env.board->set(spec.unit, unit_state::waiting, r.error().message);
    log::warn("waiting to store", {{"unit", spec.unit}, {"why", to_string(r.error())}});
    std::this_thread::sleep_for(store_retry);
    env.board->set(spec.unit, unit_state::running);
  }
}

void sink_state::take(input_run& run) {
  std::vector<section> sections;
  std::vector<std::int64_t> stamps;
  for (auto& f : run.frames) {
    lag = env.clock.wall() - f.stamp;
    if (auto r = input.accept(f); !r)
      return fail(std::move(r).error());
    for (auto& s : f.content.sections) {
      counters.in += s.batch.rows;
      counters.absorbed += s.batch.rows;
      if (s.batch.rows > 0 && f.content.source_stamp > 0)
        stamps.push_back(f.content.source_stamp);
      sections.push_back(s); // the dictionaries are shared, and the frame is still needed for its metrics
    }
  }
  behind = run.behind;
  if (!sections.empty()) {
    if (auto r = write(sections); !r)
      return fail(std::move(r).error());
    if (auto* m = spec.meters.stage) {
      const auto now = env.clock.wall();
      for (auto t : stamps)
        m->observe_end_to_end_seconds(static_cast<double>(now - t) / ns_per_second);
      for (const auto& f : run.frames) {
        if (f.content.sections.empty())
          continue;
        m->observe_stage_seconds(static_cast<double>(now - f.stamp) / ns_per_second);
        m->observe_frame(static_cast<double>(f.content.rows()), static_cast<double>(f.bytes));
      }
    }
  }
  self->send(reader, fetch_atom_v);
}

void sink_state::pulse() {
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
  if (!running)
    return claim();
  // Ticks alone move the position at most once a pulse.
  std::vector<section> none;
  if (input.sequence() > durable)
    if (auto r = write(none); !r)
      return fail(std::move(r).error());
  trim->advance(durable, env.clock.wall());
  report();
}

void sink_state::report() {
  auto* m = spec.meters.stage;
  if (!m)
    return;
  m->set_ledger(totals(counters));
  m->set_lag(static_cast<double>(behind), behind == 0 ? 0.0 : static_cast<double>(lag) / ns_per_second);
  if (input.watermark() != no_watermark) {
    const auto w = input.watermark() == end_watermark ? input.high_time() : input.watermark();
    m->set_watermark(static_cast<double>(w) / ns_per_second, static_cast<double>(input.log_time() - w) / ns_per_second);
  }
}

partition_actor::behavior_type sink_behavior(partition_actor::stateful_pointer<sink_state> self, environment env,
                                             supervisor_actor parent, sink_spec spec) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  st.parent = std::move(parent);
  st.spec = std::move(spec);
  st.trim = std::make_unique<trimmer>(st.env.bus, st.spec.trim);
  st.env.board->set(st.spec.unit, unit_state::starting);
  self->delayed_send(self, std::chrono::milliseconds{0}, pulse_atom_v);
  // Claimed by the first pulse: an actor that quits while its behaviour is being made would not end.
  return {
    [](local<opened>&) {},
    [self](local<input_run>& run) { self->state.take(*run); },
    [](local<source_run>&) {},
    [](local<control>&) {},
    [](local<written>&) {},
    [self](local<error>& e) { self->state.fail(std::move(*e)); },
    [self](pulse_atom) { self->state.pulse(); },
    [self](drain_atom) {
      auto& s = self->state;
      std::vector<section> none;
      if (s.running && s.input.sequence() > s.durable)
        if (auto r = s.write(none); !r)
          log::warn("position not stored", {{"unit", s.spec.unit}, {"why", to_string(r.error())}});
      s.env.board->set(s.spec.unit, unit_state::stopped);
      self->send(s.parent, stopped_atom_v, s.spec.index);
      self->quit(caf::exit_reason::user_shutdown);
    },
  };
}

} // namespace

partition_actor spawn_sink(caf::actor_system& sys, const environment& env, supervisor_actor parent, sink_spec spec) {
  if (env.detached)
    return sys.spawn<caf::detached>(sink_behavior, env, std::move(parent), std::move(spec));
  return sys.spawn(sink_behavior, env, std::move(parent), std::move(spec));
}

} // namespace millrace::runtime
