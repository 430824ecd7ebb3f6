// SPDX-License-Identifier: Apache-2.0
// The hot path: rows of a batch into cells.
#include "actors/windows/grid_state.hpp"

#include <algorithm>

namespace millrace::windows {

void grid_state::absorb(batch_pass& pass, result_rows& out) {
  select(pass, selected_);
  keys_.begin(pass.batch);
  cursor at;
  // No event lies in the empty slice [0, 0): the first one moves the cursor.
  const auto* times = pass.batch.time.data();
  const auto* watermarks = pass.batch.watermark.data();
  pending_rows_.resize(selected_.size());
  pending_cells_.resize(selected_.size());
  for (std::size_t i = 0; i < selected_.size(); ++i) {
    if (at.in != nullptr && early_ == 0)
      i = take_run(pass, i, at);
    if (i == selected_.size())
      break;
    const auto row = selected_[i];
    const auto watermark = std::max(watermarks[row], closed_);
    const auto partition = std::min(watermark, pass.bound);
    if (partition >= next_end_ || partition >= next_tick_) {
      flush(pass);
      advance(partition, out);
      at = cursor{};
    }
    const auto time = times[row];
    if ((time < at.bounds.start || time >= at.bounds.end) && !move_cursor(pass, row, at))
      continue;
    const row_context r{row, watermark, partition};
    if (at.in == nullptr || watermark >= at.first_late || partition >= at.bounds.first_end) {
      take_slowly(pass, r, at, out);
      continue;
    }
    const auto key = keys_.id_of(row);
    if (admits(pass, r, key, out))
      put(pass, r, *at.in, key);
    else
      refuse(pass, row, fate::limit);
  }
  flush(pass);
}

/// Rows from `i` on that all go to the slice under the cursor, by keys that were there before, while nothing is due:
/// nearly all rows. Returns the first one that is not such.
std::size_t grid_state::take_run(batch_pass& pass, std::size_t i, const cursor& at) {
  const auto safe = std::min({at.first_late, at.bounds.first_end, next_end_, next_tick_});
  if (closed_ >= safe)
    return i;
  const auto* times = pass.batch.time.data();
  const auto* watermarks = pass.batch.watermark.data();
  const std::span recent{recent_};
  const auto in = at.in->number;
  auto* rows = pending_rows_.data() + pending_;
  auto* cells = pending_cells_.data() + pending_;
  const auto first = i;
  for (; i < selected_.size(); ++i) {
    const auto row = selected_[i];
    if (watermarks[row] >= safe || times[row] < at.bounds.start || times[row] >= at.bounds.end)
      break;
    const auto key = keys_.id_of(row);
    if (key >= recent.size() || recent[key].in != in)
      break;
    *rows++ = row;
    *cells++ = recent[key].cell;
    pass.fates[row] = fate::absorbed;
    pass.expires[row] = std::max(pass.expires[row], at.all_late);
  }
  pending_ += i - first;
  return i;
}

bool grid_state::admits(const batch_pass& pass, const row_context& r, key_id key, result_rows& out) {
  if (keys_[key].cells != 0 || budget_.admits_key())
    return true;
  if (closed_ >= r.partition)
    return false;
  // What only waits for the end of the batch to be dropped must not decide.
  flush(pass);
  advance(r.partition, out);
  return budget_.admits_key();
}

bool grid_state::move_cursor(batch_pass& pass, std::uint32_t row, cursor& at) {
  at = cursor{};
  const auto bounds = grid_.slice_at(pass.batch.time[row]);
  if (!bounds) {
    refuse(pass, row, fate::limit, true);
    return false;
  }
  at.bounds = *bounds;
  at.first_late = saturating_add(bounds->first_end, grid_.lateness);
  at.all_late = saturating_add(bounds->last_end, grid_.lateness);
  const auto it = slices_.find(slice_key{bounds->start, bounds->first_end});
  at.in = it == slices_.end() ? nullptr : &it->second;
  return true;
}

void grid_state::take_slowly(batch_pass& pass, const row_context& r, cursor& at, result_rows& out) {
  if (r.watermark >= at.all_late) {
    refuse(pass, refusal{r.row, index_, fate::late, false, at.bounds.last_end});
    return;
  }
  const auto key = keys_.id_of(r.row);
  if (!admits(pass, r, key, out)) {
    refuse(pass, r.row, fate::limit);
    return;
  }
  // Nothing is due between `closed_` and here, or it would have been closed.
  closed_ = std::max(closed_, r.partition);
  auto bounds = at.bounds;
  if (r.watermark >= at.first_late)
    bounds.first_end = grid_.end_after(r.watermark - grid_.lateness);
  auto& s = slice_of(bounds);
  if (bounds.first_end == at.bounds.first_end)
    at.in = &s;
  if (closed_ >= bounds.first_end) {
    update_windows(pass, r, s, key, out);
    return;
  }
  const auto before = s.entries().size();
  put(pass, r, s, key);
  if (stacks_)
    stacks_->touch(s, key, s.entries().size() != before, closed_);
}

void grid_state::put(batch_pass& pass, const row_context& r, slice& s, key_id key) {
  const auto cell = cell_of(s, key);
  pending_rows_[pending_] = r.row;
  pending_cells_[pending_++] = cell;
  pass.fates[r.row] = fate::absorbed;
  pass.expires[r.row] = std::max(pass.expires[r.row], saturating_add(s.bounds.last_end, grid_.lateness));
  if (early_ != 0)
    mark(s, key, cell, r.partition);
}

void grid_state::flush(const batch_pass& pass) {
  if (pending_ == 0)
    return;
  const std::span rows{pending_rows_};
  const std::span cells{pending_cells_};
  cells_.add(pass.arguments, cell_rows{pass.batch, rows.first(pending_), cells.first(pending_)});
  pending_ = 0;
}

slice& grid_state::slice_of(const slice_bounds& bounds) {
  auto [it, fresh] = slices_.try_emplace(slice_key{bounds.start, bounds.first_end});
  if (fresh) {
    it->second.bounds = bounds;
    // Dropped slices are forgotten by all keys, so numbers may come again.
    last_number_ = std::max(last_number_ + 1, 1U);
    it->second.number = last_number_;
    if (bounds.first_end > closed_)
      next_end_ = std::min(next_end_, bounds.first_end);
    else if (bounds.last_end > closed_)
      next_end_ = std::min(next_end_, grid_.end_after(closed_));
  }
  return it->second;
}

cell_id grid_state::cell_of(slice& s, key_id key) {
  if (key >= recent_.size()) {
    grow_to(recent_, key + std::size_t{1});
    recent_.resize(key + std::size_t{1});
  }
  auto& recent = recent_[key];
  if (recent.in == s.number)
    return recent.cell;
  const auto* known = s.find(key);
  const auto cell = known != nullptr ? *known : add_cell(s, key);
  recent = recent_cell{s.number, cell};
  return cell;
}

cell_id grid_state::add_cell(slice& s, key_id key) {
  const auto cell = cells_.make();
  s.add(key, cell);
  ++entries_;
  keys_.add_cell(key);
  if (early_ != 0) {
    if (cell >= rounds_.size()) {
      grow_to(rounds_, cell + std::size_t{1});
      rounds_.resize(cell + std::size_t{1});
    }
    rounds_[cell] = 0;
  }
  return cell;
}

} // namespace millrace::windows
