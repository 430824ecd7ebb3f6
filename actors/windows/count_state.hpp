// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows of so many events of a key, in position order: result i of a key covers its events [i*every, i*every+size),
/// the first comes with event `size`, then one with every `every` events. At the end of input the events of a key that
/// are in no result yet, if any, make a last, shorter one.
///
/// Events are folded into panes of gcd(size, every) events; the panes of a sliding window are kept in two stacks, so
/// that an event costs a few merges on average, whatever the size. At most size/gcd + 2 accumulators a key; a tumbling
/// window needs one. After "General Incremental Sliding-Window Aggregation" (Tangwongsan, Hirzel, Schneider, Wu,
/// PVLDB 8(7), 2015), Two-Stacks.
///
/// Nothing is late before the end of input. A key is kept until then, for its `seq`. Event times are only compared.
#pragma once

#include "actors/windows/window_state.hpp"

#include <vector>

namespace millrace::windows {

/// Not thread-safe.
class count_state final : public window_state {
public:
  count_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget);

  void absorb(batch_pass& pass, result_rows& out) override;
  void advance(nanoseconds_t p, result_rows& out) override;
  void end_step() override { keys_.sweep(); }
  event_batch results(result_rows& out) const override { return out.finish(keys_); }

  std::size_t keys() const noexcept override { return keys_.live(); }
  std::size_t bytes() const noexcept override;
  std::uint64_t held() const noexcept override { return held_; }

  void save(binary_writer& out) const override;
  void load(binary_reader& in, nanoseconds_t p) override;

private:
  /// Events with their smallest and largest time.
  struct pane {
    nanoseconds_t low = 0;
    nanoseconds_t high = 0;
    cell_id cell = 0;
  };
  /// The full panes of a key's next window, oldest first, in a ring:
  ///
  ///   | p0+p1+p2 | p1+p2 | p2 | p3 | p4 | p5 |    front = 3, count = 6, sum = p3+p4+p5
  ///
  /// The front panes hold everything up to the end of the front, so that the oldest is dropped without subtracting.
  struct key_state {
    std::vector<pane> ring;
    std::uint32_t head = 0;
    std::uint32_t count = 0;
    std::uint32_t front = 0;
    /// Events in `current`.
    std::uint32_t filled = 0;
    /// Over the panes behind the front, if any.
    pane sum;
    pane current;
    /// The number of the next result.
    std::int64_t seq = 0;
  };
  /// A full pane whose last rows may not be in its cell yet.
  struct full_pane {
    pane what;
    key_id key;
    nanoseconds_t due;
  };

  static pane& at(key_state& k, std::size_t i) { return k.ring[(k.head + i) % k.ring.size()]; }
  static const pane& at(const key_state& k, std::size_t i) { return k.ring[(k.head + i) % k.ring.size()]; }

  void take(batch_pass& pass, std::uint32_t row, key_id key, nanoseconds_t watermark);
  void flush(const batch_pass& pass, result_rows& out);
  void complete(const full_pane& f, result_rows& out);
  void push(key_state& k, const pane& p);
  void add_to_sum(key_state& k, const pane& p);
  void evict(key_state& k, std::size_t panes);
  void flip(key_state& k);
  void grow(key_state& k);
  void merge(pane& into, const pane& from);
  void emit_pane(key_id key, const pane& p, nanoseconds_t due, result_rows& out);
  void emit_window(key_id key, nanoseconds_t due, result_rows& out);
  void finish(result_rows& out);
  void finish_key(key_id key, result_rows& out);
  key_state& state_of(key_id key);

  void save_pane(const pane& p, binary_writer& out) const;
  pane load_pane(binary_reader& in);
  void load_key(key_id key, binary_reader& in);

  /// Events in a pane, panes in a window, panes from one window to the next.
  const std::uint32_t width_;
  const std::uint32_t size_;
  const std::uint32_t every_;

  key_table keys_;
  cell_store cells_;
  /// By key id.
  std::vector<key_state> states_;
  /// Panes that all rings have room for.
  std::size_t slots_ = 0;
  std::uint64_t held_ = 0;
  /// The partition watermark.
  nanoseconds_t closed_ = no_watermark;

  /// Rows taken but not yet added to their cells, and the panes that are full with them.
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
  std::vector<full_pane> full_;
  std::vector<std::uint32_t> selected_;
};

} // namespace millrace::windows
