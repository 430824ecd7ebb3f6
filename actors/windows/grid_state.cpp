// SPDX-License-Identifier: Apache-2.0
// Closing windows, emitting them again for late events, and dropping what nobody can reach any more.
#include "actors/windows/grid_state.hpp"

#include <algorithm>
#include <limits>

namespace millrace::windows {

namespace {

constexpr cell_id no_cell = std::numeric_limits<cell_id>::max();

} // namespace

grid_state::grid_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
  : window_state{w, index, budget}, grid_{w.grid}, keys_{w, input}, cells_{w} {}

emission grid_state::closing(nanoseconds_t end) const {
  emission e{end - grid_.size, end};
  e.due = end;
  e.closing = true;
  return e;
}

std::size_t grid_state::bytes() const noexcept {
  // An entry stands in the list and, with its hash table's slack, in the index.
  constexpr std::size_t entry_bytes = sizeof(entry) + 2 * sizeof(entry);
  constexpr std::size_t slice_bytes = sizeof(slice) + sizeof(slice_key) + 48;
  return keys_.bytes() + keys_.live() * sizeof(recent_cell) + cells_.bytes() + entries_ * entry_bytes +
         slices_.size() * slice_bytes;
}

void grid_state::advance(nanoseconds_t p, result_rows& out) {
  while (next_end_ <= p && next_end_ != end_watermark) {
    const auto end = next_end_;
    close_window(end, out);
    closed_ = std::max(closed_, end);
    next_end_ = next_open_end();
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
  std::size_t slices = 0;
  const slice* only = nullptr;
  each_slice(end, [&](const slice& s) {
    ++slices;
    only = &s;
  });
  if (slices == 0)
    return;
  if (slices == 1) {
    for (const auto& e : only->entries)
      out.add(cells_, e.cell, keys_, e.key, closing(end));
    return;
  }
  merged_.resize(keys_.capacity(), no_cell);
  touched_.clear();
  each_slice(end, [&](const slice& s) {
    for (const auto& e : s.entries) {
      auto& cell = merged_[e.key];
      if (cell == no_cell) {
        cell = cells_.make();
        touched_.push_back(entry{e.key, cell});
      }
      cells_.merge(cell, e.cell);
    }
  });
  for (const auto& e : touched_) {
    out.add(cells_, e.cell, keys_, e.key, closing(end));
    cells_.release(e.cell);
    merged_[e.key] = no_cell;
  }
}

void grid_state::update_windows(batch_pass& pass, const row_context& r, slice& s, key_id key, result_rows& out) {
  // Rows before this one belong to what is emitted now.
  flush(pass);
  const auto last = std::min(s.bounds.last_end, closed_);
  std::vector<bool> emitted;
  for (auto end = s.bounds.first_end; end <= last; end += grid_.every)
    emitted.push_back(window_has(end, key));
  put(pass, r.row, s, key);
  flush(pass);
  std::size_t i = 0;
  for (auto end = s.bounds.first_end; end <= last; end += grid_.every, ++i) {
    const auto version = emitted[i] ? ++updates_[end][key] : 0;
    emit_one(end, key, r.watermark, static_cast<std::int64_t>(version), out);
  }
}

bool grid_state::window_has(nanoseconds_t end, key_id key) const {
  bool found = false;
  each_slice(end, [&](const slice& s) { found = found || s.index.contains(key); });
  return found;
}

void grid_state::emit_one(nanoseconds_t end, key_id key, nanoseconds_t due, std::int64_t version, result_rows& out) {
  emission e{end - grid_.size, end};
  e.due = due;
  e.version = version;
  std::vector<cell_id> parts;
  each_slice(end, [&](const slice& s) {
    if (const auto it = s.index.find(key); it != s.index.end())
      parts.push_back(it->second);
  });
  if (parts.size() == 1) {
    out.add(cells_, parts.front(), keys_, key, e);
    return;
  }
  const auto sum = cells_.make();
  for (const auto part : parts)
    cells_.merge(sum, part);
  out.add(cells_, sum, keys_, key, e);
  cells_.release(sum);
}

void grid_state::drop_expired() {
  while (!slices_.empty()) {
    const auto& s = slices_.begin()->second;
    if (saturating_add(s.bounds.last_end, grid_.lateness) > closed_)
      break;
    drop(s);
    slices_.erase(slices_.begin());
  }
  while (!updates_.empty() && saturating_add(updates_.begin()->first, grid_.lateness) <= closed_)
    updates_.erase(updates_.begin());
}

void grid_state::drop(const slice& s) {
  for (const auto& e : s.entries) {
    cells_.release(e.cell);
    keys_.remove_cell(e.key);
    if (e.key < recent_.size() && recent_[e.key].in == &s)
      recent_[e.key] = recent_cell{};
  }
  entries_ -= s.entries.size();
}

} // namespace millrace::windows
