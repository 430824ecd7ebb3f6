// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/supervisor.hpp"

#include "actors/runtime/log.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

constexpr std::chrono::milliseconds first_backoff{200};
constexpr std::chrono::milliseconds backoff_cap{10000};
/// A fenced unit lost to another owner: it looks again only after this (rule 2.1); spread by the unit's index.
constexpr std::chrono::milliseconds fenced_backoff{3000};

/// Restarting reads the same bytes again: a person must look.
bool halts(ec code) {
  return code == ec::gap || code == ec::corrupt || code == ec::config || code == ec::invalid || code == ec::too_large;
}

/// A unit that ran for so long starts again without delay.
constexpr std::int64_t healthy_ns = std::int64_t{60} * 1'000'000'000;

struct supervisor_state {
  static inline const char* name = "millrace.supervisor";

  struct unit {
    unit_spec spec;
    partition_actor running;
    unsigned failures = 0;
    std::int64_t started = 0;
    bool done = false;
  };

  supervisor_actor::pointer self = nullptr;
  environment env;
  std::vector<unit> units;
  bool draining = false;
  caf::typed_response_promise<stopped_atom> stopped;

  void start(std::uint64_t i) {
    if (draining)
      return;
    units[i].started = env.clock.steady();
    units[i].running = units[i].spec.start(self->home_system(), env, self, i);
    self->monitor(units[i].running);
  }
  void down(const caf::down_msg& x);
  void failed(std::uint64_t i, const error& e);
  void finished(std::uint64_t i);
};

void supervisor_state::failed(std::uint64_t i, const error& e) {
  auto& u = units[i];
  u.running = nullptr;
  if (e.code == ec::fenced && u.spec.meters)
    u.spec.meters->add_fenced();
  if (draining)
    return finished(i);
  if (halts(e.code)) {
    env.board->set(u.spec.name, unit_state::halted, to_string(e));
    log::error("partition halted: a person must look", {{"unit", u.spec.name}, {"why", to_string(e)}});
    return;
  }
  if (env.clock.steady() - u.started > healthy_ns)
    u.failures = 0;
  const auto delay = e.code == ec::fenced ? fenced_backoff + std::chrono::milliseconds{(i * 337) % 2000}
                                          : std::min(first_backoff * (1 << std::min(u.failures, 8U)), backoff_cap);
  ++u.failures;
  log::warn("partition failed, starting it again",
            {{"unit", u.spec.name}, {"why", to_string(e)}, {"in_ms", std::to_string(delay.count())}});
  self->delayed_send(self, delay, again_atom_v, i);
}

/// A unit that died without a word: an exception got out of it, its reader or its writer.
void supervisor_state::down(const caf::down_msg& x) {
  if (x.reason == caf::exit_reason::user_shutdown)
    return;
  for (std::uint64_t i = 0; i < units.size(); ++i)
    if (units[i].running && units[i].running.address() == x.source)
      failed(i, error{ec::internal, "died: " + self->home_system().render(x.reason), ""});
}

void supervisor_state::finished(std::uint64_t i) {
  units[i].done = true;
  units[i].running = nullptr;
  if (draining && std::all_of(units.begin(), units.end(), [](const auto& u) { return u.done; })) {
    stopped.deliver(stopped_atom_v);
    self->quit(caf::exit_reason::user_shutdown);
  }
}

supervisor_actor::behavior_type supervisor_behavior(supervisor_actor::stateful_pointer<supervisor_state> self,
                                                    environment env, std::vector<unit_spec> units) {
  auto& st = self->state;
  st.self = self;
  st.env = std::move(env);
  for (auto& u : units)
    st.units.push_back({std::move(u), partition_actor{}, 0, 0, false});
  for (std::uint64_t i = 0; i < st.units.size(); ++i)
    self->send(self, again_atom_v, i);
  self->set_down_handler([self](const caf::down_msg& x) { self->state.down(x); });
  // Told to end without order: the units go too.
  self->set_exit_handler([self](const caf::exit_msg& x) {
    for (auto& u : self->state.units)
      if (u.running)
        self->send_exit(u.running, x.reason);
    self->quit(x.reason);
  });
  return {
    [self](again_atom, std::uint64_t i) { self->state.start(i); },
    [self](std::uint64_t i, local<error>& e) { self->state.failed(i, *e); },
    [self](stopped_atom, std::uint64_t i) { self->state.finished(i); },
    [self](drain_atom) -> caf::result<stopped_atom> {
      auto& s = self->state;
      s.draining = true;
      s.stopped = self->make_response_promise<stopped_atom>();
      auto promise = s.stopped;
      if (s.units.empty()) {
        promise.deliver(stopped_atom_v);
        self->quit(caf::exit_reason::user_shutdown);
        return promise;
      }
      // Units that are down now (waiting for a restart, halted) have nothing to finish.
      for (std::uint64_t i = 0; i < s.units.size(); ++i) {
        if (s.units[i].running)
          self->send(s.units[i].running, drain_atom_v);
        else
          self->send(self, stopped_atom_v, i);
      }
      return promise;
    },
  };
}

} // namespace

supervisor_actor spawn_supervisor(caf::actor_system& sys, const environment& env, std::vector<unit_spec> units) {
  return sys.spawn(supervisor_behavior, env, std::move(units));
}

} // namespace millrace::runtime
