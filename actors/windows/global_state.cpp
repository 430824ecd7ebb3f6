// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/global_state.hpp"

#include "actors/windows/snapshot_ranks.hpp"

#include <algorithm>
#include <tuple>

namespace millrace::windows {

namespace {

/// Versions in snapshots beyond this are damage.
constexpr std::int64_t most_versions = std::int64_t{1} << 62;

} // namespace

global_state::global_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
  : window_state{w, index, budget}, every_{w.options.every}, keys_{w, input}, cells_{w} {}

std::size_t global_state::bytes() const noexcept {
  // Nodes of the ordered container are about three quarters full.
  constexpr std::size_t slice_bytes = sizeof(decltype(slices_)::value_type) * 4 / 3;
  return keys_.bytes() + keys_.live() * sizeof(key_state) + cells_.bytes() + slices_.size() * slice_bytes;
}

nanoseconds_t global_state::tick_after(nanoseconds_t t) const noexcept {
  const auto ahead = every_ - ((t % every_) + every_) % every_;
  return t > end_watermark - ahead ? end_watermark : t + ahead;
}

nanoseconds_t global_state::slice_end(nanoseconds_t time) {
  if (time >= at_ || time < at_ - every_)
    at_ = tick_after(time);
  return at_;
}

void global_state::absorb(batch_pass& pass, result_rows& out) {
  select(pass, selected_);
  keys_.begin(pass.batch);
  const auto* times = pass.batch.time.data();
  const auto* watermarks = pass.batch.watermark.data();
  for (const auto row : selected_) {
    const auto watermark = std::max(watermarks[row], closed_);
    if (watermark == end_watermark) {
      refuse(pass, refusal{row, index_, fate::late, false, end_watermark});
      continue;
    }
    const auto partition = std::min(watermark, pass.bound);
    if (partition >= next_tick_) {
      flush(pass);
      advance(partition, out);
    }
    closed_ = std::max(closed_, partition);
    if (!in_range(times[row])) {
      refuse(pass, row, fate::limit, true);
      continue;
    }
    const auto key = keys_.id_of(row);
    if (keys_[key].cells == 0) {
      if (!budget_.admits_key()) {
        refuse(pass, row, fate::limit);
        continue;
      }
      add_key(key);
    }
    take(pass, row, key, slice_end(times[row]));
  }
  flush(pass);
}

void global_state::take(batch_pass& pass, std::uint32_t row, key_id key, nanoseconds_t end) {
  auto& k = states_[key];
  k.end = std::max(k.end, end);
  pending_rows_.push_back(row);
  if (end <= closed_) {
    mark(key, k);
    if (k.total == no_cell)
      k.total = cells_.make();
    pending_cells_.push_back(k.total);
  } else {
    pending_cells_.push_back(k.recent == end ? k.recent_cell : slice_cell(key, k, end));
  }
  pass.fates[row] = fate::absorbed;
  ++held_;
}

cell_id global_state::slice_cell(key_id key, key_state& k, nanoseconds_t end) {
  auto [it, fresh] = slices_.try_emplace(std::pair{end, key}, cell_id{0});
  if (fresh) {
    it->second = cells_.make();
    next_tick_ = std::min(next_tick_, end);
  }
  k.recent = end;
  k.recent_cell = it->second;
  return it->second;
}

void global_state::flush(const batch_pass& pass) {
  if (pending_rows_.empty())
    return;
  cells_.add(pass.arguments, cell_rows{pass.batch, pending_rows_, pending_cells_});
  pending_rows_.clear();
  pending_cells_.clear();
}

global_state::key_state& global_state::add_key(key_id key) {
  if (key >= states_.size()) {
    const auto n = std::max<std::size_t>(keys_.capacity(), key + std::size_t{1});
    grow_to(states_, n);
    states_.resize(n);
  }
  keys_.add_cell(key);
  auto& k = states_[key];
  k = key_state{};
  return k;
}

void global_state::mark(key_id key, key_state& k) {
  if (k.changed)
    return;
  k.changed = true;
  changed_.push_back(key);
  next_tick_ = std::min(next_tick_, tick_after(closed_));
}

void global_state::set_next_tick() noexcept {
  next_tick_ = slices_.empty() ? end_watermark : slices_.begin()->first.first;
  if (!changed_.empty())
    next_tick_ = std::min(next_tick_, tick_after(closed_));
}

void global_state::advance(nanoseconds_t p, result_rows& out) {
  // From one tick that has something to say to the next: years without events cost nothing.
  while (next_tick_ <= p && next_tick_ != end_watermark)
    tick(next_tick_, out);
  if (p == end_watermark && closed_ != end_watermark)
    finish(out);
  closed_ = std::max(closed_, p);
}

void global_state::tick(nanoseconds_t at, result_rows& out) {
  closed_ = std::max(closed_, at);
  auto it = slices_.begin();
  for (; it != slices_.end() && it->first.first <= at; ++it) {
    const auto key = it->first.second;
    auto& k = states_[key];
    if (k.total == no_cell) {
      k.total = it->second;
    } else {
      cells_.merge(k.total, it->second);
      cells_.release(it->second);
    }
    mark(key, k);
  }
  slices_.erase(slices_.begin(), it);
  for (const auto key : changed_) {
    auto& k = states_[key];
    k.changed = false;
    emission e{0, at};
    e.due = at;
    e.version = k.emitted++;
    e.final = false;
    out.add(cells_, k.total, keys_, key, e);
  }
  changed_.clear();
  set_next_tick();
}

/// All ticks have passed, so the totals are complete.
void global_state::finish(result_rows& out) {
  for (const auto key : keys_.sorted()) {
    auto& k = states_[key];
    emission e{0, k.end};
    e.due = end_watermark;
    e.version = k.emitted;
    e.closing = true;
    out.add(cells_, k.total, keys_, key, e);
    cells_.release(k.total);
    keys_.remove_cell(key);
  }
  states_.clear();
  held_ = 0;
}

void global_state::save(binary_writer& out) const {
  const auto keys = save_keys(keys_, out);
  out.u64(held_);
  for (const auto key : keys) {
    const auto& k = states_[key];
    out.u8(k.changed ? 1 : 0);
    out.i64(k.emitted);
    out.i64(k.end);
    out.u8(k.total != no_cell ? 1 : 0);
    if (k.total != no_cell)
      cells_.save(k.total, out);
  }
  const auto ranks = ranks_of(keys, keys_.capacity());
  std::vector<std::tuple<nanoseconds_t, key_id, cell_id>> ordered;
  ordered.reserve(slices_.size());
  for (const auto& [where, cell] : slices_)
    ordered.emplace_back(where.first, ranks[where.second], cell);
  std::sort(ordered.begin(), ordered.end());
  out.u64(ordered.size());
  for (const auto& [end, rank, cell] : ordered) {
    out.i64(end);
    out.u64(rank);
    cells_.save(cell, out);
  }
}

void global_state::load(binary_reader& in, nanoseconds_t p) {
  closed_ = p;
  const auto ids = load_keys(keys_, in);
  held_ = in.u64();
  for (const auto key : ids) {
    if (!in.ok())
      return;
    load_key(key, in);
  }
  for (auto n = in.count(17); n > 0 && load_slice(in, ids); --n)
    ;
  // A key is there because of its events, in the total or in a slice.
  if (in.ok() && !std::all_of(ids.begin(), ids.end(), [&](auto key) {
        return states_[key].total != no_cell || states_[key].recent != no_watermark;
      }))
    in.fail();
  set_next_tick();
}

void global_state::load_key(key_id key, binary_reader& in) {
  auto& k = add_key(key);
  const bool changed = in.flag();
  k.emitted = in.i64();
  k.end = in.i64();
  // Every key has had an event; only what is behind the watermark changes a total.
  if (k.emitted < 0 || k.emitted >= most_versions || k.end <= no_watermark + every_ ||
      k.end >= end_watermark - every_ || k.end % every_ != 0 ||
      (changed && (closed_ == no_watermark || closed_ == end_watermark)))
    in.fail();
  if (in.flag()) {
    k.total = cells_.make();
    cells_.load(k.total, in);
  } else if (changed || k.emitted > 0) {
    in.fail();
  }
  if (changed && in.ok())
    mark(key, k);
}

bool global_state::load_slice(binary_reader& in, const std::vector<key_id>& ids) {
  const auto end = in.i64();
  const auto rank = in.u64();
  if (!in.ok() || rank >= ids.size() || end <= closed_ || end % every_ != 0 || states_[ids[rank]].end < end) {
    in.fail();
    return false;
  }
  const auto [it, fresh] = slices_.try_emplace(std::pair{end, ids[rank]}, cell_id{0});
  if (!fresh) {
    in.fail();
    return false;
  }
  it->second = cells_.make();
  cells_.load(it->second, in);
  auto& k = states_[ids[rank]];
  k.recent = end;
  k.recent_cell = it->second;
  return in.ok();
}

} // namespace millrace::windows
