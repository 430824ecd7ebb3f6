// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/environment.hpp"

#include "actors/runtime/log.hpp"

#include <algorithm>
#include <thread>

namespace millrace::runtime {

void status_board::set(const std::string& unit, unit_state state, std::string reason) {
  std::lock_guard lock{mutex_};
  units_[unit] = {state, std::move(reason)};
}

result<void> status_board::ready() const {
  std::lock_guard lock{mutex_};
  for (const auto& [unit, e] : units_) {
    if (e.state == unit_state::running || e.state == unit_state::stopped)
      continue;
    const auto* word = e.state == unit_state::halted    ? "halted"
                       : e.state == unit_state::waiting ? "waiting"
                                                        : "starting";
    return error{ec::unavailable, unit + " is " + word + (e.reason.empty() ? "" : ": " + e.reason), ""};
  }
  return {};
}

std::size_t status_board::owned() const {
  std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(
    std::count_if(units_.begin(), units_.end(), [](const auto& u) { return u.second.state == unit_state::running; }));
}

append_policy environment::policy(std::string unit) const {
  append_policy p;
  p.stop = stop.get();
  p.sleep = [](std::chrono::milliseconds d) { std::this_thread::sleep_for(d); };
  // Once per pause would flood the log while the broker is away: once in ten seconds is enough to know.
  p.on_wait = [unit = std::move(unit), clock = clock, next = std::int64_t{0}](const error& e, const lane& l) mutable {
    const auto now = clock.steady();
    if (now < next)
      return;
    next = now + std::int64_t{10} * 1'000'000'000;
    log::warn("waiting to write", {{"unit", unit}, {"subject", l.subject}, {"why", to_string(e)}});
  };
  return p;
}

} // namespace millrace::runtime
