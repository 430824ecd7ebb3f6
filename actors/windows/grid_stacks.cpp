// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/grid_stacks.hpp"

#include <algorithm>

namespace millrace::windows {

grid_stacks::stack& grid_stacks::activate(key_id key) {
  if (key >= stacks_.size()) {
    grow_to(stacks_, key + std::size_t{1});
    stacks_.resize(key + std::size_t{1});
  }
  auto& k = stacks_[key];
  if (!k.active) {
    k.active = true;
    active_.push_back(key);
  }
  return k;
}

void grid_stacks::push_front(key_id key, nanoseconds_t start, cell_id cell) {
  auto& k = activate(key);
  node n{start, cell, k.top};
  if (k.top != none) {
    n.cell = cells_.make();
    cells_.merge(n.cell, cell);
    cells_.merge(n.cell, nodes_[k.top].cell);
  }
  if (free_.empty()) {
    k.top = static_cast<std::uint32_t>(nodes_.size());
    grow_to(nodes_, nodes_.size() + 1);
    nodes_.push_back(n);
  } else {
    k.top = free_.back();
    free_.pop_back();
    nodes_[k.top] = n;
  }
}

void grid_stacks::push_back(key_id key, cell_id cell) {
  auto& k = activate(key);
  if (k.back == no_cell) {
    k.back = cell;
    return;
  }
  if (!k.owns_back) {
    const auto first = k.back;
    k.back = cells_.make();
    k.owns_back = true;
    cells_.merge(k.back, first);
  }
  cells_.merge(k.back, cell);
}

void grid_stacks::pop(stack& k) {
  const auto& n = nodes_[k.top];
  if (n.next != none)
    cells_.release(n.cell);
  free_.push_back(k.top);
  k.top = n.next;
}

void grid_stacks::clear(stack& k) {
  while (k.top != none)
    pop(k);
  if (k.owns_back)
    cells_.release(k.back);
  k.back = no_cell;
  k.owns_back = false;
}

void grid_stacks::wait_for_later(nanoseconds_t from) {
  each_slice(slices_, from, last_, [&](const slice& s) {
    if (s.bounds.first_end <= last_)
      return;
    auto& keys = waiting_[s.bounds.first_end];
    for (const auto& e : s.entries())
      keys.push_back(e.key);
  });
}

void grid_stacks::move_to(nanoseconds_t end) {
  const auto start = end - grid_.size;
  const auto from = std::max(last_, start);
  last_ = end;
  wait_for_later(from);
  fill_back(from);
  while (!waiting_.empty() && waiting_.begin()->first <= end) {
    for (const auto key : waiting_.begin()->second)
      rebuild(key, start);
    waiting_.erase(waiting_.begin());
  }
}

void grid_stacks::settle() {
  const auto from = oldest();
  if (boundary_ <= from) {
    flip();
  } else {
    for (const auto key : active_)
      while (stacks_[key].top != none && nodes_[stacks_[key].top].start < from)
        pop(stacks_[key]);
  }
  std::erase_if(active_, [&](key_id key) {
    auto& k = stacks_[key];
    k.active = k.top != none || k.back != no_cell;
    return !k.active;
  });
}

void grid_stacks::flip() {
  for (const auto key : active_)
    clear(stacks_[key]);
  boundary_ = last_;
  fill_front();
}

void grid_stacks::fill_front() {
  if (boundary_ <= oldest())
    return;
  const auto first = slices_.lower_bound(slice_key{oldest(), no_watermark});
  for (auto it = slices_.lower_bound(slice_key{boundary_, no_watermark}); it != first;) {
    --it;
    if (it->second.bounds.first_end <= last_)
      for (const auto& e : it->second.entries())
        push_front(e.key, it->first.first, e.cell);
  }
}

void grid_stacks::fill_back(nanoseconds_t from) {
  each_slice(slices_, from, last_, [&](const slice& s) {
    if (s.bounds.first_end <= last_)
      for (const auto& e : s.entries())
        push_back(e.key, e.cell);
  });
}

void grid_stacks::rebuild(key_id key, nanoseconds_t from) {
  clear(activate(key));
  auto& found = scratch_;
  found.clear();
  each_slice(slices_, from, last_, [&](const slice& s) {
    if (s.bounds.first_end > last_)
      return;
    if (const auto* cell = s.find(key))
      found.emplace_back(s.bounds.start, *cell);
  });
  const auto back = std::find_if(found.begin(), found.end(), [&](const auto& x) { return x.first >= boundary_; });
  for (auto it = back; it != found.begin();) {
    --it;
    push_front(key, it->first, it->second);
  }
  for (auto it = back; it != found.end(); ++it)
    push_back(key, it->second);
}

/// When windows after the last one closed without events, there is nothing in the stacks: they may move on.
void grid_stacks::catch_up(nanoseconds_t closed) {
  // So close to the beginning of time they have never moved, and `load` could not tell a window's end.
  if (closed < saturating_add(last_, grid_.every) || closed < no_watermark + 2 * grid_.size + grid_.every)
    return;
  const auto from = last_;
  last_ = grid_.end_after(closed) - grid_.every;
  boundary_ = last_;
  wait_for_later(from);
}

void grid_stacks::touch(const slice& s, key_id key, bool fresh, nanoseconds_t closed) {
  catch_up(closed);
  if (s.bounds.start >= last_ || s.bounds.start < oldest())
    return;
  if (s.bounds.first_end <= last_)
    rebuild(key, oldest());
  else if (fresh)
    waiting_[s.bounds.first_end].push_back(key);
}

void grid_stacks::save(binary_writer& out) const {
  out.i64(boundary_);
  out.i64(last_);
}

void grid_stacks::load(binary_reader& in) {
  boundary_ = in.i64();
  last_ = in.i64();
  const auto at_end = [&](nanoseconds_t t) {
    return t == no_watermark || (t > no_watermark + 2 * grid_.size && t < end_watermark - grid_.size - grid_.every &&
                                 grid_.end_after(t) == t + grid_.every);
  };
  if (!in.ok() || boundary_ > last_ || !at_end(boundary_) || !at_end(last_)) {
    in.fail();
    return;
  }
  // As `settle` leaves them.
  fill_front();
  fill_back(std::max(boundary_, oldest()));
  wait_for_later(oldest());
}

} // namespace millrace::windows
