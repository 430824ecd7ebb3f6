// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows on a time grid (tumbling, sliding): slices of cells, what has closed, and the results due.
///
/// A *slice* is identified by its start and the end of the first window that takes its events. Usually that is the
/// first window over the slice; an event that comes too late for that one, but not for later windows over the same
/// slice, goes to a slice of its own, which only the later windows read. So what a window holds does not depend on
/// what other events came, or when.
#pragma once

#include "actors/windows/window_state.hpp"

#include <absl/container/flat_hash_map.h>

#include <map>
#include <span>
#include <vector>

namespace millrace::windows {

/// Not thread-safe.
class grid_state final : public window_state {
public:
  grid_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget);

  void absorb(batch_pass& pass, result_rows& out) override;
  void advance(nanoseconds_t p, result_rows& out) override;
  void end_step() override { keys_.sweep(); }
  event_batch results(result_rows& out) const override { return out.finish(keys_); }

  std::size_t keys() const noexcept override { return keys_.live(); }
  std::size_t bytes() const noexcept override;

  void save(binary_writer& out) const override;
  void load(binary_reader& in, nanoseconds_t p) override;

private:
  struct entry {
    key_id key;
    cell_id cell;
  };
  struct slice {
    /// `first_end` is that of the first window that takes the events of this slice.
    slice_bounds bounds;
    std::vector<entry> entries;
    absl::flat_hash_map<key_id, cell_id> index;
  };
  /// (start, first_end)
  using slice_key = std::pair<nanoseconds_t, nanoseconds_t>;
  /// The cell a key used last: nearly always the one it uses next.
  struct recent_cell {
    const slice* in = nullptr;
    cell_id cell = 0;
  };
  /// The main loop's place: the slice of the last event and what decides about its neighbours.
  struct cursor {
    slice_bounds bounds{0, 0, 0, 0};
    /// Row watermarks from which an event is late for the first, for all windows over the slice.
    nanoseconds_t first_late = 0;
    nanoseconds_t all_late = 0;
    /// Null until an event needs it.
    slice* in = nullptr;
  };
  /// A row under way, with the watermarks that count for it.
  struct row_context {
    std::uint32_t row;
    nanoseconds_t watermark;
    nanoseconds_t partition;
  };

  bool move_cursor(batch_pass& pass, std::uint32_t row, cursor& at) const;
  void take_slowly(batch_pass& pass, const row_context& r, cursor& at, result_rows& out);
  bool admits(key_id key) const { return keys_[key].cells != 0 || budget_.admits_key(); }
  void put(batch_pass& pass, std::uint32_t row, slice& s, key_id key);
  void flush(const batch_pass& pass);

  slice& slice_of(const slice_bounds& bounds);
  cell_id cell_of(slice& s, key_id key);
  cell_id add_cell(slice& s, key_id key);

  emission closing(nanoseconds_t end) const;
  nanoseconds_t next_open_end() const;
  void close_window(nanoseconds_t end, result_rows& out);
  void update_windows(batch_pass& pass, const row_context& r, slice& s, key_id key, result_rows& out);
  bool window_has(nanoseconds_t end, key_id key) const;
  void emit_one(nanoseconds_t end, key_id key, nanoseconds_t due, std::int64_t version, result_rows& out);
  void drop_expired();
  void drop(const slice& s);

  void load_slice(binary_reader& in, const std::vector<key_id>& ids);
  void load_updates(binary_reader& in, const std::vector<key_id>& ids);

  /// Calls `visit` for the slices with events that the window ending at `end` reads, in order.
  template <class F>
  void each_slice(nanoseconds_t end, F&& visit) const {
    const auto first = slices_.lower_bound(slice_key{end - grid_.size, no_watermark});
    for (auto it = first; it != slices_.end() && it->first.first < end; ++it)
      if (it->second.bounds.first_end <= end)
        visit(it->second);
  }

  const window_grid grid_;

  key_table keys_;
  cell_store cells_;
  std::map<slice_key, slice> slices_;
  std::size_t entries_ = 0;
  /// By window end: how often a closed window of a key was emitted after its first time.
  std::map<nanoseconds_t, std::map<key_id, std::uint64_t>> updates_;
  /// Windows with an end up to here have closed.
  nanoseconds_t closed_ = no_watermark;
  /// The smallest end of a window with events that has not closed; `end_watermark` if there is none.
  nanoseconds_t next_end_ = end_watermark;

  /// By key id.
  std::vector<recent_cell> recent_;
  /// Rows taken but not yet added to their cells.
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
  std::vector<std::uint32_t> selected_;
  /// Merged cells by key, while a window closes.
  std::vector<cell_id> merged_;
  std::vector<entry> touched_;
};

} // namespace millrace::windows
