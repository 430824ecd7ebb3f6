// SPDX-License-Identifier: Apache-2.0
/// @file
/// The running state of one window definition: slices of cells, what has closed, and the results due.
///
/// A *slice* is identified by its start and the end of the first window that takes its events. Usually that is the
/// first window over the slice; an event that comes too late for that one, but not for later windows over the same
/// slice, goes to a slice of its own, which only the later windows read. So what a window holds does not depend on
/// what other events came, or when.
#pragma once

#include "actors/windows/cell_store.hpp"
#include "actors/windows/key_table.hpp"
#include "actors/windows/result_rows.hpp"
#include "actors/windows/window_plan.hpp"

#include <absl/container/flat_hash_map.h>

#include <map>
#include <span>
#include <vector>

namespace millrace::windows {

class window_state;

/// What becomes of an event. Over several windows the largest one counts.
enum class fate : std::uint8_t { filtered, expression, late, limit, absorbed };

/// One window's reason for not taking an event.
struct refusal {
  std::uint32_t row = 0;
  std::uint32_t window = 0;
  fate why = fate::filtered;
  /// Limit only: the event's time cannot be represented in windows (else: too many keys or bytes).
  bool out_of_range = false;
};

/// A batch on its way through the windows.
struct batch_pass {
  const event_batch& batch;
  std::span<const argument_view> arguments;
  std::span<const expressions::evaluation> evaluations;
  /// What may close during the rows: before row r, the partition's watermark is min(watermark[r], bound).
  nanoseconds_t bound = no_watermark;
  /// Per row.
  std::vector<fate> fates;
  /// Per row: the watermark at which the last window of an absorbed event is gone.
  std::vector<nanoseconds_t> expires;
  std::vector<refusal> refusals;
};

/// The bounds of a partition's state over all windows.
struct state_budget {
  limits most;
  std::vector<const window_state*> windows;

  std::size_t keys() const noexcept;
  std::size_t bytes() const noexcept;
  /// Whether one more key may come.
  bool admits_key() const noexcept { return keys() < most.keys && bytes() < most.bytes; }
};

/// Not thread-safe.
class window_state {
public:
  window_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget);

  /// Takes the rows that `where` accepts, closing windows as the watermark goes.
  void absorb(batch_pass& pass, result_rows& out);
  /// Closes what is due at the partition watermark `p` and drops what nobody can reach any more.
  void advance(nanoseconds_t p, result_rows& out);
  /// To be called at the end of every step.
  void end_step() { keys_.sweep(); }
  event_batch results(result_rows& out) const { return out.finish(keys_); }

  std::size_t keys() const noexcept { return keys_.live(); }
  std::size_t bytes() const noexcept;

  void save(binary_writer& out) const;
  /// @param p the partition watermark. Failure: the reader is failed.
  void load(binary_reader& in, nanoseconds_t p);

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

  void select(batch_pass& pass);
  bool move_cursor(batch_pass& pass, std::uint32_t row, cursor& at) const;
  void take_slowly(batch_pass& pass, const row_context& r, cursor& at, result_rows& out);
  void refuse(batch_pass& pass, std::uint32_t row, fate why, bool out_of_range = false) const;
  bool admits(key_id key) const { return keys_[key].cells != 0 || budget_.admits_key(); }
  void put(batch_pass& pass, std::uint32_t row, slice& s, key_id key);
  void flush(const batch_pass& pass);

  slice& slice_of(const slice_bounds& bounds);
  cell_id cell_of(slice& s, key_id key);
  cell_id add_cell(slice& s, key_id key);

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

  const window_plan& plan_;
  const window_grid grid_;
  const std::uint32_t index_;
  const state_budget& budget_;

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
  std::vector<std::uint32_t> failed_;
  /// Merged cells by key, while a window closes.
  std::vector<cell_id> merged_;
  std::vector<entry> touched_;
};

} // namespace millrace::windows
