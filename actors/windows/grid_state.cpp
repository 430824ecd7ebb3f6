// SPDX-License-Identifier: Apache-2.0
// Closing windows, emitting them again for late events, and dropping what nobody can reach any more.
#include "actors/windows/grid_state.hpp"

#include <algorithm>

namespace millrace::windows {

grid_state::grid_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
  : window_state{w, index, budget}, grid_{w.grid}, early_{w.options.early}, keys_{w, input}, cells_{w} {
  if (grid_.every < grid_.size)
    stacks_.emplace(grid_, cells_, slices_);
}

emission grid_state::closing(nanoseconds_t end) const {
  emission e{end - grid_.size, end};
  e.due = end;
  e.closing = true;
  return e;
}

std::size_t grid_state::bytes() const noexcept {
  // An entry stands in the list and, as a number, in the index, which is half empty on average.
  constexpr std::size_t entry_bytes = sizeof(slice::entry) + 1 + 9;
  constexpr std::size_t slice_bytes = sizeof(slice) + sizeof(slice_key) + 48;
  constexpr std::size_t version_bytes = 2 * sizeof(std::pair<key_id, std::uint64_t>);
  // Half of the cells wait for the next early results, or so: which ones exactly is no part of the state.
  constexpr std::size_t early_bytes = sizeof(std::uint32_t) + sizeof(change) / 2;
  const auto stacked = stacked_entries();
  const auto cells = entries_ + (stacked > keys_.live() ? stacked - keys_.live() : 0);
  return keys_.bytes() + keys_.live() * sizeof(recent_cell) + cells_.bytes(cells) + entries_ * entry_bytes +
         slices_.size() * slice_bytes + version_count_ * version_bytes + (early_ != 0 ? entries_ * early_bytes : 0) +
         (stacks_ ? grid_stacks::bytes(keys_.live(), stacked) : 0);
}

/// What the stacks take goes up and down; memory stays what they took when all slices of a window were in the front.
std::size_t grid_state::stacked_entries() const noexcept {
  if (!stacks_)
    return 0;
  const auto open = static_cast<double>(grid_.size) / static_cast<double>(grid_.size + grid_.lateness);
  return static_cast<std::size_t>(static_cast<double>(entries_) * open);
}

void grid_state::advance(nanoseconds_t p, result_rows& out) {
  start_ticks(p);
  while (true) {
    const auto due = std::min(next_end_, next_tick_);
    if (due > p || due == end_watermark)
      break;
    closed_ = std::max(closed_, due);
    if (next_end_ == due) {
      close_window(due, out);
      next_end_ = next_open_end();
    }
    if (next_tick_ == due)
      emit_early(due, out);
  }
  closed_ = std::max(closed_, p);
  drop_expired();
}

nanoseconds_t grid_state::next_open_end() const {
  // The last window over a slice ends at most `size` after the slice's start.
  const auto from = saturating_subtract(closed_, grid_.size);
  auto best = end_watermark;
  for (auto it = slices_.lower_bound(slice_key{from, no_watermark}); it != slices_.end(); ++it) {
    const auto& b = it->second.bounds;
    if (b.start >= best)
      break;
    if (b.last_end <= closed_)
      continue;
    if (b.first_end <= closed_)
      return grid_.end_after(closed_);
    best = std::min(best, b.first_end);
  }
  return best;
}

void grid_state::close_window(nanoseconds_t end, result_rows& out) {
  if (!stacks_) {
    if (const auto it = slices_.find(slice_key{end - grid_.size, end}); it != slices_.end())
      for (const auto& e : it->second.entries())
        close_key(end, e.key, e.cell, out);
    return;
  }
  stacks_->move_to(end);
  for (const auto key : stacks_->keys()) {
    const auto [front, back] = stacks_->parts(key);
    if (front == no_cell || back == no_cell) {
      if (front != back)
        close_key(end, key, front == no_cell ? back : front, out);
      continue;
    }
    const auto both = cells_.make();
    cells_.merge(both, front);
    cells_.merge(both, back);
    close_key(end, key, both, out);
    cells_.release(both);
  }
  stacks_->settle();
}

void grid_state::close_key(nanoseconds_t end, key_id key, cell_id cell, result_rows& out) {
  auto e = closing(end);
  if (const auto known = versions_.find(end); known != versions_.end())
    if (const auto it = known->second.find(key); it != known->second.end())
      e.version = static_cast<std::int64_t>(it->second++);
  out.add(cells_, cell, keys_, key, e);
}

void grid_state::update_windows(batch_pass& pass, const row_context& r, slice& s, key_id key, result_rows& out) {
  // Rows before this one belong to what is emitted now.
  flush(pass);
  const auto last = std::min(s.bounds.last_end, closed_);
  due_.clear();
  for (auto end = s.bounds.first_end; end <= last; end += grid_.every) {
    emission e{end - grid_.size, end};
    e.due = r.watermark;
    due_.push_back(e);
  }
  find_parts(key, s.bounds.first_end - grid_.size, last, parts_);
  for (auto& e : due_) {
    if (std::none_of(parts_.begin(), parts_.end(), [&](const part& p) { return reads(e.end, p); }))
      continue;
    auto& known = versions_[e.end];
    const auto [it, fresh] = known.try_emplace(key, 1);
    version_count_ += fresh ? 1 : 0;
    e.version = static_cast<std::int64_t>(it->second++);
  }
  const auto before = s.entries().size();
  put(pass, r, s, key);
  flush(pass);
  emit_windows(key, due_, out);
  if (stacks_)
    stacks_->touch(s, key, s.entries().size() != before, closed_);
}

void grid_state::find_parts(key_id key, nanoseconds_t from, nanoseconds_t to, std::vector<part>& parts) const {
  parts.clear();
  each_slice(slices_, from, to, [&](const slice& s) {
    if (const auto* cell = s.find(key))
      parts.push_back(part{slice_key{s.bounds.start, s.bounds.first_end}, *cell});
  });
}

/// From the last window to the first, each takes more of the older slices than the one before, as long as none of the
/// slices is too new for it.
void grid_state::emit_windows(key_id key, std::span<const emission> due, result_rows& out) {
  if (due.empty())
    return;
  find_parts(key, due.front().start, due.back().end, parts_);
  auto newest = no_watermark;
  for (const auto& p : parts_)
    newest = std::max(newest, p.in.second);
  const auto running = cells_.make();
  auto next = parts_.size();
  for (auto e = due.rbegin(); e != due.rend(); ++e) {
    if (e->end >= newest) {
      for (; next > 0 && parts_[next - 1].in.first >= e->start; --next)
        cells_.merge(running, parts_[next - 1].cell);
      out.add(cells_, running, keys_, key, *e);
      continue;
    }
    const auto own = cells_.make();
    for (const auto& p : parts_)
      if (reads(e->end, p))
        cells_.merge(own, p.cell);
    out.add(cells_, own, keys_, key, *e);
    cells_.release(own);
  }
  cells_.release(running);
}

void grid_state::drop_expired() {
  while (!slices_.empty()) {
    const auto& s = slices_.begin()->second;
    if (saturating_add(s.bounds.last_end, grid_.lateness) > closed_)
      break;
    drop(s);
    slices_.erase(slices_.begin());
  }
  while (!versions_.empty() && saturating_add(versions_.begin()->first, grid_.lateness) <= closed_) {
    version_count_ -= versions_.begin()->second.size();
    versions_.erase(versions_.begin());
  }
}

void grid_state::drop(const slice& s) {
  for (const auto& e : s.entries()) {
    cells_.release(e.cell);
    keys_.remove_cell(e.key);
    if (e.key < recent_.size() && recent_[e.key].in == s.number)
      recent_[e.key] = recent_cell{};
  }
  entries_ -= s.entries().size();
}

} // namespace millrace::windows
