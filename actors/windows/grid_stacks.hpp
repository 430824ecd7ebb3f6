// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a sliding window holds, per key, at a cost per slice that does not depend on the number of slices in a window,
/// for aggregates that can only be merged, not subtracted. Two stacks, after Tangwongsan, Hirzel, Schneider, "General
/// incremental sliding-window aggregation" (VLDB 2015):
///
///   slices   |----|----|----|----|----|----|
///                           boundary
///   front    for each slice the merge of it and all up to the boundary: the oldest can be dropped
///   back     the merge of all from the boundary on: a new one can be added
///
/// When a window moves beyond the boundary, what was the back becomes the front: every slice is merged three times at
/// most. A late event that changes slices already merged has its key's stacks built anew. So the stacks are a function
/// of the slices, the boundary and the last window: a snapshot keeps only these, and results do not show a restart.
#pragma once

#include "actors/windows/cell_store.hpp"
#include "actors/windows/grid_slices.hpp"

#include <limits>
#include <map>
#include <span>
#include <vector>

namespace millrace::windows {

inline constexpr cell_id no_cell = std::numeric_limits<cell_id>::max();

/// Not thread-safe.
class grid_stacks {
public:
  grid_stacks(const window_grid& grid, cell_store& cells, const slice_map& slices)
    : grid_{grid}, cells_{cells}, slices_{slices} {}

  /// Moves to the window that ends at `end`. @pre windows between the last one and this one are empty.
  void move_to(nanoseconds_t end);
  /// Keys with events in the window; some may have none.
  std::span<const key_id> keys() const noexcept { return active_; }
  /// The cells whose merge is what the window holds of a key; `no_cell` where there is none.
  std::pair<cell_id, cell_id> parts(key_id key) const {
    const auto& k = stacks_[key];
    return {k.top == none ? no_cell : nodes_[k.top].cell, k.back};
  }
  /// Drops what no window after this one holds.
  void settle();
  /// A late event came into the slice; `fresh`: the first one of its key there.
  /// @param closed All windows up to here have closed.
  void touch(const slice& s, key_id key, bool fresh, nanoseconds_t closed);

  /// Of the stacks of so many keys that have so many cells in slices.
  static constexpr std::size_t bytes(std::size_t keys, std::size_t entries) noexcept {
    return keys * (sizeof(stack) + sizeof(key_id)) + entries * (sizeof(node) + sizeof(std::uint32_t));
  }
  void save(binary_writer& out) const;
  /// @pre the slices are loaded.
  void load(binary_reader& in);

private:
  static constexpr std::uint32_t none = 0xFFFFFFFFU;
  /// A slice of a key and all after it up to the boundary. The last one of a key stands for the slice's own cell.
  struct node {
    nanoseconds_t start;
    cell_id cell;
    std::uint32_t next;
  };
  struct stack {
    std::uint32_t top = none;
    cell_id back = no_cell;
    /// The back is not the cell of its only slice.
    bool owns_back = false;
    bool active = false;
  };

  nanoseconds_t oldest() const noexcept { return saturating_subtract(last_, grid_.size - grid_.every); }
  stack& activate(key_id key);
  void push_front(key_id key, nanoseconds_t start, cell_id cell);
  void push_back(key_id key, cell_id cell);
  void pop(stack& k);
  void clear(stack& k);
  void flip();
  void fill_front();
  void fill_back(nanoseconds_t from);
  void rebuild(key_id key, nanoseconds_t from);
  /// Remembers the keys of slices from [from, last) that only later windows take.
  void wait_for_later(nanoseconds_t from);
  void catch_up(nanoseconds_t closed);

  const window_grid& grid_;
  cell_store& cells_;
  const slice_map& slices_;
  nanoseconds_t boundary_ = no_watermark;
  /// End of the last window.
  nanoseconds_t last_ = no_watermark;
  /// By key id.
  std::vector<stack> stacks_;
  std::vector<key_id> active_;
  std::vector<node> nodes_;
  std::vector<std::uint32_t> free_;
  /// Keys to be built anew for the window that ends then, for they have slices that it is the first to take.
  std::map<nanoseconds_t, std::vector<key_id>> waiting_;
  std::vector<std::pair<nanoseconds_t, cell_id>> scratch_;
};

} // namespace millrace::windows
