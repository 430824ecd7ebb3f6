// SPDX-License-Identifier: Apache-2.0
// The hot path of sessions, and what an event does that is not simply the newest of its session.
#include "actors/windows/session_state.hpp"

#include <algorithm>
#include <iterator>

namespace millrace::windows {

void session_state::absorb(batch_pass& pass, result_rows& out) {
  select(pass, selected_);
  keys_.begin(pass.batch);
  const auto* times = pass.batch.time.data();
  const auto* watermarks = pass.batch.watermark.data();
  for (const auto row : selected_) {
    const auto watermark = std::max(watermarks[row], closed_);
    const auto partition = std::min(watermark, pass.bound);
    if (partition >= next_due_) {
      if (lateness_ > 0 || next_tick() <= partition)
        flush(pass, out);
      pass_time(partition, out);
    }
    closed_ = std::max(closed_, partition);
    if (!in_range(times[row])) {
      refuse(pass, row, fate::limit, true);
      continue;
    }
    const row_context r{row, keys_.id_of(row), times[row], watermark};
    if (fits_newest(r))
      take(pass, r, sessions_[newest_[r.key]]);
    else
      take_slowly(pass, r, out);
  }
  flush(pass, out);
}

/// Whether the event falls into the key's newest session or stretches it forwards, and the session stays open: there
/// is no session after it to merge with, and nothing to emit.
bool session_state::fits_newest(const row_context& r) const noexcept {
  if (r.key >= newest_.size() || newest_[r.key] == no_session)
    return false;
  const auto& s = sessions_[newest_[r.key]];
  return !s.closed && r.time >= s.first && (s.tick != unchanged || early_ == 0) && joins(s, r);
}

bool session_state::joins(const session& s, const row_context& r) const noexcept {
  if (r.time <= s.first - gap_ || r.time >= s.last + gap_ || !reaches(s, r.watermark))
    return false;
  return max_ == 0 || std::max(s.last, r.time) <= std::min(s.first, r.time) + max_;
}

void session_state::take(batch_pass& pass, const row_context& r, session& s) {
  s.last = std::max(s.last, r.time);
  ++s.events;
  ++held_;
  pending_rows_.push_back(r.row);
  pending_cells_.push_back(s.cell);
  pass.fates[r.row] = fate::absorbed;
}

void session_state::flush(const batch_pass& pass, result_rows& out) {
  if (!pending_rows_.empty())
    cells_.add(pass.arguments, cell_rows{pass.batch, pending_rows_, pending_cells_});
  pending_rows_.clear();
  pending_cells_.clear();
  leave(out);
}

void session_state::take_slowly(batch_pass& pass, const row_context& r, result_rows& out) {
  const auto id = place(pass, r, out);
  if (id == no_session)
    return;
  auto& s = sessions_[id];
  take(pass, r, s);
  const auto end = end_of(s);
  s.closed = end <= closed_;
  if (s.closed) {
    flush(pass, out);
    emission how;
    how.due = r.watermark;
    publish(id, how, out);
  } else {
    mark(id);
  }
  // A late event may have opened the session again, long before it would have been dropped.
  if (const auto next = s.closed ? end + lateness_ : end; s.queued > next)
    queue(id, next);
}

session_state::session_id session_state::session_before(const row_context& r, place_map::const_iterator from) const {
  while (from != by_start_.begin() && std::get<key_id>((--from)->first) == r.key)
    if (const auto& s = sessions_[from->second]; reaches(s, r.watermark))
      return joins(s, r) ? from->second : no_session;
  return no_session;
}

session_state::session_id session_state::session_after(const row_context& r, place_map::const_iterator from) const {
  for (; from != by_start_.end() && std::get<key_id>(from->first) == r.key; ++from)
    if (const auto& s = sessions_[from->second]; reaches(s, r.watermark))
      return joins(s, r) ? from->second : no_session;
  return no_session;
}

session_state::session_id session_state::place(batch_pass& pass, const row_context& r, result_rows& out) {
  const auto next = by_start_.lower_bound(place_key{r.key, r.time + 1, 0});
  const auto left = session_before(r, next);
  const auto right = session_after(r, next);
  if (left != no_session) {
    if (right != no_session && can_merge(sessions_[left], sessions_[right])) {
      // Both must have the rows that came before this one.
      flush(pass, out);
      merge(left, right, r, out);
    }
    return left;
  }
  if (right != no_session) {
    move_start(right, r, out);
    return right;
  }
  const auto end = r.time + gap_;
  if (end + lateness_ <= r.watermark) {
    refuse(pass, refusal{r.row, index_, fate::late, false, end});
    return no_session;
  }
  if (keys_[r.key].cells == 0 && !budget_.admits_key()) {
    // What only waits for the end of the batch must not decide.
    flush(pass, out);
    if (!budget_.admits_key()) {
      refuse(pass, r.row, fate::limit);
      return no_session;
    }
  }
  return open(r.key, r.time);
}

void session_state::move_start(session_id id, const row_context& r, result_rows& out) {
  auto& s = sessions_[id];
  retract(s, r.watermark, out);
  unmark(id); // its first tick may be an earlier one now
  s.emitted = 0;
  s.announced = false;
  by_start_.erase(place_of(s));
  s.first = r.time;
  by_start_.emplace(place_of(s), id);
  if (newest_[s.key] == id)
    set_newest(s.key);
}

void session_state::merge(session_id into, session_id from, const row_context& r, result_rows& out) {
  auto& s = sessions_[into];
  const auto& absorbed = sessions_[from];
  retract(absorbed, r.watermark, out);
  s.last = std::max(s.last, absorbed.last);
  s.events += absorbed.events;
  held_ += absorbed.events;
  cells_.merge(s.cell, absorbed.cell);
  cells_.release(absorbed.cell);
  drop(from);
}

} // namespace millrace::windows
