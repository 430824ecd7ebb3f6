// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows on a time grid (tumbling, sliding): slices of cells (`grid_slices.hpp`), what has closed, and the results
/// due: when a window closes, when a late event changes it, and, with `early`, while it is open.
#pragma once

#include "actors/windows/grid_slices.hpp"
#include "actors/windows/grid_stacks.hpp"
#include "actors/windows/window_state.hpp"

#include <absl/container/flat_hash_map.h>

#include <map>
#include <optional>
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
  /// The cell a key used last: nearly always the one it uses next.
  struct recent_cell {
    /// Number of the slice, 0: none.
    std::uint32_t in = 0;
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
  /// A cell that events came into since the last early results.
  struct change {
    key_id key;
    slice_key in;
    friend auto operator<=>(const change&, const change&) = default;
  };
  /// A slice's share in windows of one key.
  struct part {
    slice_key in;
    cell_id cell;
  };

  std::size_t stacked_entries() const noexcept;

  std::size_t take_run(batch_pass& pass, std::size_t i, const cursor& at);
  bool move_cursor(batch_pass& pass, std::uint32_t row, cursor& at);
  void take_slowly(batch_pass& pass, const row_context& r, cursor& at, result_rows& out);
  bool admits(const batch_pass& pass, const row_context& r, key_id key, result_rows& out);
  void put(batch_pass& pass, const row_context& r, slice& s, key_id key);
  void flush(const batch_pass& pass);

  slice& slice_of(const slice_bounds& bounds);
  cell_id cell_of(slice& s, key_id key);
  cell_id add_cell(slice& s, key_id key);

  emission closing(nanoseconds_t end) const;
  nanoseconds_t next_open_end() const;
  void close_window(nanoseconds_t end, result_rows& out);
  void close_key(nanoseconds_t end, key_id key, cell_id cell, result_rows& out);
  void update_windows(batch_pass& pass, const row_context& r, slice& s, key_id key, result_rows& out);
  void drop_expired();
  void drop(const slice& s);

  /// The slices of a key that start in [from, to), in order.
  void find_parts(key_id key, nanoseconds_t from, nanoseconds_t to, std::vector<part>& parts) const;
  bool reads(nanoseconds_t end, const part& p) const {
    return p.in.first >= end - grid_.size && p.in.first < end && p.in.second <= end;
  }
  /// Adds what some windows of a key hold now. @param due Ascending by end.
  void emit_windows(key_id key, std::span<const emission> due, result_rows& out);

  /// Remembers that events came into a cell, for early results.
  void mark(const slice& s, key_id key, cell_id cell, nanoseconds_t partition);
  void start_ticks(nanoseconds_t p);
  void emit_early(nanoseconds_t tick, result_rows& out);
  void emit_early(nanoseconds_t tick, std::span<const change> of_key, result_rows& out);
  /// The version of an early result, which it also counts.
  std::int64_t next_version(nanoseconds_t end, key_id key) {
    const auto [it, fresh] = versions_[end].try_emplace(key, 0);
    version_count_ += fresh ? 1 : 0;
    return static_cast<std::int64_t>(it->second++);
  }

  void save_slice(const slice& s, const std::vector<key_id>& ranks, binary_writer& out) const;
  void load_slice(binary_reader& in, const std::vector<key_id>& ids, nanoseconds_t p);
  void load_versions(binary_reader& in, const std::vector<key_id>& ids);

  const window_grid grid_;
  const nanoseconds_t early_;

  key_table keys_;
  cell_store cells_;
  slice_map slices_;
  std::uint32_t last_number_ = 0;
  std::size_t entries_ = 0;
  /// Windows that overlap.
  std::optional<grid_stacks> stacks_;
  /// By window end: the version that the next result of a window of a key will have, where it is not 0 for a window
  /// that has no result yet, 1 for one that has.
  std::map<nanoseconds_t, absl::flat_hash_map<key_id, std::uint64_t>> versions_;
  std::size_t version_count_ = 0;
  /// Windows with an end up to here have closed.
  nanoseconds_t closed_ = no_watermark;
  /// The smallest end of a window with events that has not closed; `end_watermark` if there is none.
  nanoseconds_t next_end_ = end_watermark;

  /// Changes since the last early results, and when the next ones are due.
  std::vector<change> changes_;
  nanoseconds_t next_tick_ = end_watermark;
  /// By cell: the round of early results in which it has last changed.
  std::vector<std::uint32_t> rounds_;
  std::uint32_t round_ = 1;

  /// By key id.
  std::vector<recent_cell> recent_;
  /// The first `pending_` of these: rows taken but not yet added to their cells. Room for those of a batch.
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
  std::size_t pending_ = 0;
  std::vector<std::uint32_t> selected_;
  std::vector<part> parts_;
  std::vector<emission> due_;
};

} // namespace millrace::windows
