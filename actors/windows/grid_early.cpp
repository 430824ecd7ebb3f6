// SPDX-License-Identifier: Apache-2.0
// Early results: at every multiple of `early` that the watermark passes, what has changed in open windows.
#include "actors/windows/grid_state.hpp"

#include <algorithm>

namespace millrace::windows {

namespace {

/// Ticks start with the first watermark that is known: not a real one, but before any.
constexpr nanoseconds_t first_known = no_watermark + 1;

} // namespace

void grid_state::mark(const slice& s, key_id key, cell_id cell, nanoseconds_t partition) {
  if (rounds_[cell] == round_ || s.bounds.last_end <= partition)
    return;
  rounds_[cell] = round_;
  if (changes_.empty())
    next_tick_ = partition == no_watermark             ? first_known
                 : partition >= end_watermark - early_ ? end_watermark
                                                       : (floor_div(partition, early_) + 1) * early_;
  changes_.push_back(change{key, slice_key{s.bounds.start, s.bounds.first_end}});
}

/// A watermark that becomes known has not passed all multiples since the beginning of time, only the last one.
void grid_state::start_ticks(nanoseconds_t p) {
  if (next_tick_ == first_known && p > no_watermark + early_)
    next_tick_ = floor_div(p, early_) * early_;
}

void grid_state::emit_early(nanoseconds_t tick, result_rows& out) {
  std::sort(changes_.begin(), changes_.end());
  for (std::size_t i = 0; i < changes_.size();) {
    auto last = i + 1;
    while (last < changes_.size() && changes_[last].key == changes_[i].key)
      ++last;
    emit_early(tick, std::span{changes_}.subspan(i, last - i), out);
    i = last;
  }
  changes_.clear();
  next_tick_ = end_watermark;
  if (++round_ == 0) {
    std::fill(rounds_.begin(), rounds_.end(), 0U);
    round_ = 1;
  }
}

void grid_state::emit_early(nanoseconds_t tick, std::span<const change> of_key, result_rows& out) {
  std::vector<nanoseconds_t> ends;
  for (const auto& c : of_key) {
    const auto s = slices_.find(c.in);
    if (s == slices_.end())
      continue;
    const auto& b = s->second.bounds;
    for (auto end = std::max(b.first_end, grid_.end_after(tick)); end <= b.last_end; end += grid_.every)
      ends.push_back(end);
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  const auto key = of_key.front().key;
  emission e;
  e.due = tick;
  e.final = false;
  due_.clear();
  for (const auto end : ends) {
    e.start = end - grid_.size;
    e.end = end;
    e.version = next_version(end, key);
    due_.push_back(e);
  }
  emit_windows(key, due_, out);
}

} // namespace millrace::windows
