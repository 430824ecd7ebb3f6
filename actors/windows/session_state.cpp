// SPDX-License-Identifier: Apache-2.0
// Sessions in time: what is due, early results, snapshots. The rows are in session_absorb.cpp.
#include "actors/windows/session_state.hpp"

#include "actors/windows/snapshot_ranks.hpp"

#include <algorithm>
#include <iterator>

namespace millrace::windows {

namespace {

/// Versions in snapshots beyond this are damage.
constexpr std::int64_t most_versions = std::int64_t{1} << 62;

} // namespace

session_state::session_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
  : window_state{w, index, budget}, gap_{w.options.gap}, max_{w.options.max}, lateness_{w.options.lateness},
    early_{w.options.early}, margin_{w.options.gap + w.options.max + w.options.lateness + w.options.early},
    keys_{w, input}, cells_{w} {}

std::size_t session_state::bytes() const noexcept {
  // Nodes of the ordered containers are about three quarters full.
  constexpr std::size_t session_bytes =
    sizeof(session) + (sizeof(decltype(by_start_)::value_type) + sizeof(decltype(queue_)::value_type)) * 4 / 3;
  return keys_.bytes() + keys_.live() * sizeof(session_id) + cells_.bytes() + by_start_.size() * session_bytes;
}

void session_state::advance(nanoseconds_t p, result_rows& out) {
  pass_time(p, out);
  leave(out);
}

/// Leaves what is gone for good to `leave`. @pre no row is pending if there is a tick, or lateness
void session_state::pass_time(nanoseconds_t p, result_rows& out) {
  for (auto tick = next_tick(); tick <= p && tick != end_watermark; tick = next_tick()) {
    close_until(tick, out);
    emit_early(tick, out);
  }
  close_until(p, out);
  closed_ = std::max(closed_, p);
  next_due_ = std::min(next_tick(), queue_.empty() ? end_watermark : queue_.begin()->first);
}

void session_state::close_until(nanoseconds_t p, result_rows& out) {
  while (!queue_.empty() && queue_.begin()->first <= p) {
    const auto id = queue_.begin()->second;
    auto& s = sessions_[id];
    const auto end = end_of(s);
    emission last{s.first, end};
    last.due = end;
    last.version = s.emitted;
    last.closing = !s.announced;
    const bool closes = !s.closed && end <= p;
    if (closes && lateness_ == 0) {
      leaving_.push_back(leaving_session{s.key, s.cell, last});
      drop(id);
      continue;
    }
    if (closes) {
      s.closed = true;
      s.announced = true;
      publish(id, last, out);
    }
    const auto next = s.closed ? end + lateness_ : end;
    if (next > p) {
      queue(id, next);
      continue;
    }
    cells_.release(s.cell);
    drop(id);
  }
}

void session_state::leave(result_rows& out) {
  for (const auto& x : leaving_) {
    out.add(cells_, x.cell, keys_, x.key, x.what);
    cells_.release(x.cell);
  }
  leaving_.clear();
}

void session_state::emit_early(nanoseconds_t tick, result_rows& out) {
  emission how;
  how.due = tick;
  how.final = false;
  while (next_tick() == tick)
    publish(changed_.begin()->second, how, out);
}

void session_state::publish(session_id id, const emission& how, result_rows& out) {
  unmark(id);
  auto& s = sessions_[id];
  auto e = how;
  e.start = s.first;
  e.end = end_of(s);
  e.version = s.emitted++;
  out.add(cells_, s.cell, keys_, s.key, e);
}

void session_state::retract(const session& s, nanoseconds_t due, result_rows& out) const {
  if (s.emitted == 0)
    return;
  emission e{s.first, end_of(s)};
  e.due = due;
  e.version = s.emitted;
  e.final = s.closed;
  e.retracted = true;
  out.add(cells_, s.cell, keys_, s.key, e);
}

void session_state::mark(session_id id) {
  auto& s = sessions_[id];
  if (early_ == 0 || s.tick != unchanged)
    return;
  s.tick = (floor_div(std::max(closed_, s.first), early_) + 1) * early_;
  changed_.insert({s.tick, id});
  next_due_ = std::min(next_due_, s.tick);
}

void session_state::unmark(session_id id) {
  auto& s = sessions_[id];
  if (s.tick != unchanged)
    changed_.erase({s.tick, id});
  s.tick = unchanged;
}

void session_state::queue(session_id id, nanoseconds_t at) {
  auto& s = sessions_[id];
  queue_.erase({s.queued, id});
  s.queued = at;
  queue_.insert({at, id});
  next_due_ = std::min(next_due_, at);
}

session_state::session_id session_state::open(key_id key, nanoseconds_t first) {
  session_id id = 0;
  if (free_.empty()) {
    id = static_cast<session_id>(sessions_.size());
    grow_to(sessions_, sessions_.size() + 1);
    sessions_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  auto& s = sessions_[id];
  s = session{};
  s.first = s.last = first;
  s.queued = end_of(s);
  s.serial = next_serial_++;
  s.key = key;
  s.cell = cells_.make();
  by_start_.emplace(place_of(s), id);
  queue_.insert({s.queued, id});
  next_due_ = std::min(next_due_, s.queued);
  if (key >= newest_.size()) {
    const auto n = std::max<std::size_t>(keys_.capacity(), key + std::size_t{1});
    grow_to(newest_, n);
    newest_.resize(n, no_session);
  }
  auto& newest = newest_[key];
  if (newest == no_session || sessions_[newest].first <= first)
    newest = id;
  keys_.add_cell(key);
  return id;
}

void session_state::set_newest(key_id key) {
  const auto end = by_start_.lower_bound(place_key{key + 1, no_watermark, 0});
  const bool any = end != by_start_.begin() && std::get<key_id>(std::prev(end)->first) == key;
  newest_[key] = any ? std::prev(end)->second : no_session;
}

void session_state::drop(session_id id) {
  unmark(id);
  const auto& s = sessions_[id];
  queue_.erase({s.queued, id});
  by_start_.erase(place_of(s));
  if (newest_[s.key] == id)
    set_newest(s.key);
  held_ -= s.events;
  keys_.remove_cell(s.key);
  free_.push_back(id);
}

void session_state::save(binary_writer& out) const {
  const auto ranks = ranks_of(save_keys(keys_, out), keys_.capacity());
  std::vector<std::pair<place_key, session_id>> ordered;
  ordered.reserve(by_start_.size());
  for (const auto& [where, id] : by_start_) {
    auto by_rank = where;
    std::get<key_id>(by_rank) = ranks[std::get<key_id>(where)];
    ordered.emplace_back(by_rank, id);
  }
  std::sort(ordered.begin(), ordered.end());
  out.u64(ordered.size());
  for (const auto& [where, id] : ordered) {
    const auto& s = sessions_[id];
    out.u64(std::get<key_id>(where));
    out.i64(s.first);
    out.i64(s.last);
    out.u64(s.events);
    out.i64(s.emitted);
    out.u8(s.tick != unchanged ? 1 : 0);
    out.u8(s.announced ? 1 : 0);
    cells_.save(s.cell, out);
  }
}

void session_state::load(binary_reader& in, nanoseconds_t p) {
  const auto ids = load_keys(keys_, in);
  closed_ = p;
  std::uint64_t rank = 0;
  for (auto n = in.count(43); n > 0 && load_session(in, ids, rank, p); --n)
    ;
  if (keys_.live() != ids.size())
    in.fail();
}

bool session_state::load_session(binary_reader& in, const std::vector<key_id>& ids, std::uint64_t& rank,
                                 nanoseconds_t p) {
  const auto next = in.u64();
  const auto first = in.i64();
  const auto last = in.i64();
  const auto events = in.u64();
  const auto emitted = in.i64();
  const bool changed = in.flag();
  const bool announced = in.flag();
  const bool sound = next >= rank && next < ids.size() && in_range(first) && in_range(last) && first <= last &&
                     (max_ == 0 || last <= first + max_) && events > 0 && emitted >= 0 && emitted < most_versions &&
                     last + gap_ + lateness_ > p && !(changed && (early_ == 0 || last + gap_ <= p));
  if (!in.ok() || !sound) {
    in.fail();
    return false;
  }
  rank = next;
  const auto key = ids[rank];
  // In ascending order, so the key's newest is the one before.
  if (key < newest_.size() && newest_[key] != no_session && sessions_[newest_[key]].first > first) {
    in.fail();
    return false;
  }
  const auto id = open(key, first);
  auto& s = sessions_[id];
  s.last = last;
  s.events = events;
  s.emitted = emitted;
  s.announced = announced;
  s.closed = end_of(s) <= p;
  held_ += events;
  queue(id, s.closed ? end_of(s) + lateness_ : end_of(s));
  if (changed)
    mark(id);
  cells_.load(s.cell, in);
  return in.ok();
}

} // namespace millrace::windows
