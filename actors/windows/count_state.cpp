// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/count_state.hpp"

#include "actors/windows/snapshot_ranks.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace millrace::windows {

namespace {

/// Full panes that may wait for the rest of the batch: each has an accumulator of its own.
constexpr std::size_t most_full = 4096;
/// Result numbers in snapshots beyond this are damage.
constexpr std::int64_t most_results = std::int64_t{1} << 62;

} // namespace

count_state::count_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
  : window_state{w, index, budget}, width_{static_cast<std::uint32_t>(
                                      std::gcd(w.options.count, w.options.count_every))},
    size_{static_cast<std::uint32_t>(w.options.count / width_)},
    every_{static_cast<std::uint32_t>(w.options.count_every / width_)}, keys_{w, input}, cells_{w} {}

std::size_t count_state::bytes() const noexcept {
  return keys_.bytes() + cells_.bytes() + keys_.live() * sizeof(key_state) + slots_ * sizeof(pane);
}

void count_state::absorb(batch_pass& pass, result_rows& out) {
  select(pass, selected_);
  keys_.begin(pass.batch);
  const auto* watermarks = pass.batch.watermark.data();
  for (const auto row : selected_) {
    const auto watermark = std::max(watermarks[row], closed_);
    if (watermark == end_watermark) {
      refuse(pass, refusal{row, index_, fate::late, false, end_watermark});
      continue;
    }
    const auto key = keys_.id_of(row);
    if (keys_[key].cells == 0) {
      // Full panes would count against the limit only because of how rows are batched.
      if (!full_.empty())
        flush(pass, out);
      if (!budget_.admits_key()) {
        refuse(pass, row, fate::limit);
        continue;
      }
      keys_.add_cell(key);
    }
    take(pass, row, key, watermark);
    if (full_.size() >= most_full)
      flush(pass, out);
  }
  flush(pass, out);
}

void count_state::take(batch_pass& pass, std::uint32_t row, key_id key, nanoseconds_t watermark) {
  auto& k = state_of(key);
  const auto time = pass.batch.time[row];
  if (k.filled == 0)
    k.current = pane{time, time, cells_.make()};
  k.current.low = std::min(k.current.low, time);
  k.current.high = std::max(k.current.high, time);
  pending_rows_.push_back(row);
  pending_cells_.push_back(k.current.cell);
  pass.fates[row] = fate::absorbed;
  ++held_;
  if (++k.filled == width_) {
    full_.push_back(full_pane{k.current, key, watermark});
    k.filled = 0;
  }
}

void count_state::flush(const batch_pass& pass, result_rows& out) {
  if (pending_rows_.empty())
    return;
  cells_.add(pass.arguments, cell_rows{pass.batch, pending_rows_, pending_cells_});
  pending_rows_.clear();
  pending_cells_.clear();
  for (const auto& f : full_)
    complete(f, out);
  full_.clear();
}

void count_state::complete(const full_pane& f, result_rows& out) {
  if (size_ == 1) {
    emit_pane(f.key, f.what, f.due, out);
    cells_.release(f.what.cell);
    held_ -= width_;
    return;
  }
  auto& k = states_[f.key];
  push(k, f.what);
  if (k.count < size_)
    return;
  emit_window(f.key, f.due, out);
  evict(k, every_);
  held_ -= std::uint64_t{every_} * width_;
}

void count_state::push(key_state& k, const pane& p) {
  if (k.count == k.ring.size())
    grow(k);
  ++k.count;
  at(k, k.count - 1) = p;
  add_to_sum(k, p);
}

void count_state::add_to_sum(key_state& k, const pane& p) {
  if (k.count == k.front + 1)
    k.sum = pane{p.low, p.high, cells_.make()};
  merge(k.sum, p);
}

void count_state::merge(pane& into, const pane& from) {
  into.low = std::min(into.low, from.low);
  into.high = std::max(into.high, from.high);
  cells_.merge(into.cell, from.cell);
}

/// Doubles, up to what a window needs: so the room follows from the number of events alone.
void count_state::grow(key_state& k) {
  const auto room = std::min<std::size_t>(size_, std::bit_ceil(k.ring.size() + std::size_t{1}));
  std::vector<pane> ring;
  ring.reserve(room);
  for (std::size_t i = 0; i < k.count; ++i)
    ring.push_back(at(k, i));
  ring.resize(room);
  slots_ += room - k.ring.size();
  k.ring = std::move(ring);
  k.head = 0;
}

void count_state::evict(key_state& k, std::size_t panes) {
  for (; panes > 0; --panes) {
    if (k.front == 0)
      flip(k);
    cells_.release(at(k, 0).cell);
    k.head = static_cast<std::uint32_t>((k.head + 1) % k.ring.size());
    --k.front;
    --k.count;
  }
}

/// The oldest pane is left as it is: it goes at once.
void count_state::flip(key_state& k) {
  for (std::size_t i = k.count - 1; i-- > 1;)
    merge(at(k, i), at(k, i + 1));
  k.front = k.count;
  cells_.release(k.sum.cell);
}

void count_state::emit_pane(key_id key, const pane& p, nanoseconds_t due, result_rows& out) {
  emission e{p.low, p.high};
  e.due = due;
  e.seq = states_[key].seq++;
  e.closing = true;
  out.add(cells_, p.cell, keys_, key, e);
}

void count_state::emit_window(key_id key, nanoseconds_t due, result_rows& out) {
  const auto& k = states_[key];
  if (k.front == 0) {
    emit_pane(key, k.sum, due, out);
    return;
  }
  if (k.front == k.count) {
    emit_pane(key, at(k, 0), due, out);
    return;
  }
  auto both = at(k, 0);
  both.cell = cells_.make();
  cells_.merge(both.cell, at(k, 0).cell);
  merge(both, k.sum);
  emit_pane(key, both, due, out);
  cells_.release(both.cell);
}

void count_state::advance(nanoseconds_t p, result_rows& out) {
  if (p == end_watermark && closed_ != end_watermark)
    finish(out);
  closed_ = std::max(closed_, p);
}

void count_state::finish(result_rows& out) {
  for (const auto key : keys_.sorted())
    finish_key(key, out);
  states_.clear();
  slots_ = 0;
  held_ = 0;
}

/// Panes that no result has are behind the front, for panes only move there when a window is emitted.
void count_state::finish_key(key_id key, result_rows& out) {
  auto& k = state_of(key);
  const auto emitted = k.seq == 0 ? 0 : size_ - every_;
  if (k.count > emitted || k.filled > 0) {
    auto rest = k.count > emitted ? at(k, emitted) : k.current;
    rest.cell = cells_.make();
    for (std::size_t i = emitted; i < k.count; ++i)
      merge(rest, at(k, i));
    if (k.filled > 0)
      merge(rest, k.current);
    emit_pane(key, rest, end_watermark, out);
    cells_.release(rest.cell);
  }
  if (k.count > k.front)
    cells_.release(k.sum.cell);
  for (std::size_t i = 0; i < k.count; ++i)
    cells_.release(at(k, i).cell);
  if (k.filled > 0)
    cells_.release(k.current.cell);
  keys_.remove_cell(key);
}

count_state::key_state& count_state::state_of(key_id key) {
  if (key >= states_.size()) {
    const auto n = std::max<std::size_t>(keys_.capacity(), key + std::size_t{1});
    grow_to(states_, n);
    states_.resize(n);
  }
  return states_[key];
}

void count_state::save_pane(const pane& p, binary_writer& out) const {
  out.i64(p.low);
  out.i64(p.high);
  cells_.save(p.cell, out);
}

count_state::pane count_state::load_pane(binary_reader& in) {
  pane p{in.i64(), in.i64(), cells_.make()};
  if (p.low > p.high)
    in.fail();
  cells_.load(p.cell, in);
  return p;
}

void count_state::save(binary_writer& out) const {
  const auto keys = save_keys(keys_, out);
  out.u64(held_);
  for (const auto key : keys) {
    const auto& k = states_[key];
    out.i64(k.seq);
    out.u64(k.filled);
    out.u64(k.front);
    out.u64(k.count);
    for (std::size_t i = 0; i < k.count; ++i)
      save_pane(at(k, i), out);
    // The sum is saved too: adding its panes again could round differently.
    if (k.count > k.front)
      save_pane(k.sum, out);
    if (k.filled > 0)
      save_pane(k.current, out);
  }
}

void count_state::load(binary_reader& in, nanoseconds_t p) {
  closed_ = p;
  const auto ids = load_keys(keys_, in);
  held_ = in.u64();
  for (const auto key : ids) {
    if (!in.ok())
      return;
    keys_.add_cell(key);
    load_key(key, in);
  }
}

void count_state::load_key(key_id key, binary_reader& in) {
  auto& k = state_of(key);
  const auto seq = in.i64();
  const auto filled = in.u64();
  const auto front = in.u64();
  const auto count = in.count(16);
  const auto emitted = seq == 0 || size_ == 1 ? 0 : size_ - every_;
  const bool sound =
    seq >= 0 && seq < most_results && filled < width_ && count < size_ && count >= emitted && front <= emitted;
  if (!in.ok() || !sound) {
    in.fail();
    return;
  }
  k.seq = seq;
  if (seq > 0 && size_ > 1) {
    // A key with a result has had room for a whole window.
    k.ring.resize(size_);
    slots_ += size_;
  }
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    if (k.count == k.ring.size())
      grow(k);
    ++k.count;
    at(k, i) = load_pane(in);
  }
  k.front = static_cast<std::uint32_t>(front);
  if (k.count > k.front)
    k.sum = load_pane(in);
  k.filled = static_cast<std::uint32_t>(filled);
  if (filled > 0)
    k.current = load_pane(in);
}

} // namespace millrace::windows
