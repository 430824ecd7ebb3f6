// SPDX-License-Identifier: Apache-2.0
#include "actors/alerts/machine.hpp"

#include "actors/alerts/state_bytes.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace millrace::alerts {

namespace {

constexpr std::size_t alert_overhead = 192;

std::size_t cost(std::string_view key) noexcept { return 2 * key.size() + alert_overhead; }

void save_payload(byte_writer& out, const payload_ptr& p) {
  out.text(p ? p->values : std::string{});
  out.text(p ? p->summary : std::string{});
}

payload_ptr load_payload(byte_reader& in) {
  auto p = std::make_shared<payload>();
  p->values = in.text();
  p->summary = in.text();
  return p;
}

truth load_truth(byte_reader& in) {
  const auto x = in.u8();
  if (x > static_cast<std::uint8_t>(truth::unknown))
    in.fail();
  return static_cast<truth>(x);
}

} // namespace

std::string_view to_string(alert_state s) noexcept {
  switch (s) {
  case alert_state::pending: return "pending";
  case alert_state::firing: return "firing";
  case alert_state::resolved: return "resolved";
  }
  return "";
}

nanoseconds_t machine::deadline(const alert& a) const noexcept {
  constexpr auto most = std::numeric_limits<nanoseconds_t>::max();
  return a.since > most - hold_ ? most : a.since + hold_;
}

void machine::evaluate(std::string_view key, evaluation_result e, nanoseconds_t reached, std::vector<transition>& out) {
  fire_if_due(key, reached, out);
  apply(key, std::move(e), reached, out);
  fire_if_due(key, reached, out);
}

void machine::fire_if_due(std::string_view key, nanoseconds_t reached, std::vector<transition>& out) {
  const auto it = alerts_.find(key);
  if (it != alerts_.end() && !it->second.firing && deadline(it->second) <= reached)
    fire(it, reached, out);
}

void machine::apply(std::string_view key, evaluation_result e, nanoseconds_t reached, std::vector<transition>& out) {
  const auto it = alerts_.find(key);
  if (it != alerts_.end()) {
    if (it->second.firing)
      apply_firing(it, e, reached, out);
    else
      apply_pending(it, std::move(e), reached, out);
    return;
  }
  if (e.when == truth::unknown)
    count_undecided();
  if (e.when != truth::yes)
    return;
  begin(key, std::move(e), out);
}

void machine::apply_pending(alert_map::iterator it, evaluation_result e, nanoseconds_t reached,
                            std::vector<transition>& out) {
  auto& a = it->second;
  if (e.time < a.at)
    return;
  if (e.time >= deadline(a) && !finished_) {
    keep_later(a, std::move(e));
    return;
  }
  switch (e.when) {
  case truth::unknown: count_undecided(); break;
  case truth::yes:
    if (e.time >= a.shown_at) {
      a.shown_at = e.time;
      a.shown = std::move(e.shown);
    }
    break;
  case truth::no: resolve(it, e, reached, out); break;
  }
}

void machine::apply_firing(alert_map::iterator it, const evaluation_result& e, nanoseconds_t reached,
                           std::vector<transition>& out) {
  if (e.time < it->second.at)
    return;
  const auto looked_at = has_clear_ ? e.clear : e.when;
  if (looked_at == truth::unknown)
    count_undecided();
  else if ((looked_at == truth::yes) == has_clear_)
    resolve(it, e, reached, out);
}

void machine::keep_later(alert& a, evaluation_result e) {
  // A second evaluation that says the same "no" cannot change anything; what is kept is bounded by the changes.
  if (!a.later.empty() && e.when == truth::no && e.clear != truth::unknown) {
    const auto& last = a.later.back();
    if (last.when == e.when && last.clear == e.clear && last.time <= e.time)
      return;
  }
  a.later.push_back(std::move(e));
}

void machine::begin(std::string_view key, evaluation_result e, std::vector<transition>& out) {
  const auto it = alerts_.emplace(key, alert{}).first;
  bytes_ += cost(key);
  auto& a = it->second;
  a.since = a.at = a.shown_at = e.time;
  a.due = e.due;
  if (hold_ <= 0) {
    a.firing = true;
    emit(alert_state::firing, e.time, e.time, e.due, key, std::move(e.shown), out);
    return;
  }
  a.shown = e.shown;
  deadlines_.emplace(deadline(a), it->first);
  emit(alert_state::pending, e.time, e.time, e.due, key, std::move(e.shown), out);
}

void machine::fire(alert_map::iterator it, nanoseconds_t reached, std::vector<transition>& out) {
  auto& a = it->second;
  const auto at = deadline(a);
  // Later than the deadline when the alert began with an event that the watermark had passed already.
  const auto due = std::max(at, a.due);
  deadlines_.erase({at, it->first});
  a.firing = true;
  a.at = at;
  emit(alert_state::firing, at, a.since, due, it->first, std::move(a.shown), out);
  a.shown = nullptr;
  if (!a.later.empty())
    replay(std::string{it->first}, std::exchange(a.later, {}), due, reached, out);
}

void machine::resolve(alert_map::iterator it, const evaluation_result& e, nanoseconds_t reached,
                      std::vector<transition>& out) {
  auto a = std::move(it->second);
  const auto key = it->first;
  if (!a.firing)
    deadlines_.erase({deadline(a), key});
  alerts_.erase(it);
  bytes_ -= cost(key);
  emit(alert_state::resolved, e.time, a.since, e.due, key, e.shown, out);
  replay(key, std::move(a.later), e.due, reached, out);
}

void machine::replay(const std::string& key, std::vector<evaluation_result> later, nanoseconds_t due,
                     nanoseconds_t reached, std::vector<transition>& out) {
  for (auto& e : later) {
    e.due = std::max(e.due, due);
    apply(key, std::move(e), reached, out);
  }
  // Only now: what a new deadline must look at may itself have been among `later`.
  fire_if_due(key, reached, out);
}

void machine::emit(alert_state s, nanoseconds_t at, nanoseconds_t since, nanoseconds_t due, std::string_view key,
                   payload_ptr shown, std::vector<transition>& out) {
  switch (s) {
  case alert_state::pending: ++counters_.pending; break;
  case alert_state::firing: ++counters_.firing; break;
  case alert_state::resolved: ++counters_.resolved; break;
  }
  out.push_back({s, at, since, due, std::string{key}, std::move(shown)});
}

void machine::advance(nanoseconds_t watermark, std::vector<transition>& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= watermark)
    fire(alerts_.find(deadlines_.begin()->second), watermark, out);
}

void machine::finish(nanoseconds_t reached, std::vector<transition>& out) {
  if (std::exchange(finished_, true))
    return;
  std::vector<std::string> waiting;
  for (const auto& [key, a] : alerts_)
    if (!a.later.empty())
      waiting.push_back(key);
  for (const auto& key : waiting)
    replay(key, std::exchange(alerts_.find(key)->second.later, {}), no_watermark, reached, out);
}

void machine::save(byte_writer& out) const {
  for (const auto n : {counters_.pending, counters_.firing, counters_.resolved, counters_.undecided})
    out.u64(n);
  out.u8(finished_ ? 1 : 0);
  out.u64(alerts_.size());
  for (const auto& [key, a] : alerts_) {
    out.text(key);
    out.u8(a.firing ? 1 : 0);
    out.i64(a.since);
    out.i64(a.at);
    if (a.firing)
      continue;
    out.i64(a.due);
    out.i64(a.shown_at);
    save_payload(out, a.shown);
    out.u64(a.later.size());
    for (const auto& e : a.later) {
      out.i64(e.time);
      out.i64(e.due);
      out.u8(static_cast<std::uint8_t>(e.when));
      out.u8(static_cast<std::uint8_t>(e.clear));
      save_payload(out, e.shown);
    }
  }
}

bool machine::load(byte_reader& in) {
  *this = machine{hold_, has_clear_};
  for (auto* n : {&counters_.pending, &counters_.firing, &counters_.resolved, &counters_.undecided})
    *n = in.u64();
  finished_ = in.u8() != 0;
  for (auto n = in.u64(); n > 0 && in.ok(); --n) {
    const auto [it, added] = alerts_.emplace(in.text(), alert{});
    if (!added)
      return false;
    bytes_ += cost(it->first);
    auto& a = it->second;
    a.firing = in.u8() != 0;
    a.since = in.i64();
    a.at = in.i64();
    if (a.firing)
      continue;
    a.due = in.i64();
    a.shown_at = in.i64();
    a.shown = load_payload(in);
    for (auto k = in.u64(); k > 0 && in.ok(); --k) {
      evaluation_result e;
      e.time = in.i64();
      e.due = in.i64();
      e.when = load_truth(in);
      e.clear = load_truth(in);
      e.shown = load_payload(in);
      a.later.push_back(std::move(e));
    }
    deadlines_.emplace(deadline(a), it->first);
  }
  return in.ok();
}

} // namespace millrace::alerts
