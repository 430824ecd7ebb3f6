// SPDX-License-Identifier: Apache-2.0
/// @file
/// One window per key over everything, from 1970 on, emitted at ticks (the multiples of `every`).
///
/// Events are folded by event time into slices of width `every`. When the watermark passes tick T, the slices that end
/// at or before T go into the totals of their keys, and the keys that changed are emitted with end = T: the result at T
/// covers the events before T, plus older ones that had come later than their own tick by then (they go straight to the
/// total and show at the next tick). Nothing is late before the end of input.
///
/// The end of input passes all ticks; then every key is emitted for the last time, with the first tick after its newest
/// event as end, `final`, and closing.
#pragma once

#include "actors/windows/window_state.hpp"

#include <absl/container/btree_map.h>

#include <limits>
#include <utility>
#include <vector>

namespace millrace::windows {

/// Not thread-safe.
class global_state final : public window_state {
public:
  global_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget);

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
  static constexpr cell_id no_cell = std::numeric_limits<cell_id>::max();

  struct key_state {
    /// None before the first tick: the first slice becomes the total.
    cell_id total = no_cell;
    /// The total has changed since the last emission.
    bool changed = false;
    std::int64_t emitted = 0;
    /// The first tick after the newest event.
    nanoseconds_t end = no_watermark;
    /// The slice of the last event that went to a slice, by its end: nearly always that of the next one.
    nanoseconds_t recent = no_watermark;
    cell_id recent_cell = 0;
  };

  nanoseconds_t tick_after(nanoseconds_t t) const noexcept;
  bool in_range(nanoseconds_t time) const noexcept {
    return time > no_watermark + 2 * every_ && time < end_watermark - 2 * every_;
  }
  /// The end of the slice around `time`.
  nanoseconds_t slice_end(nanoseconds_t time);
  void take(batch_pass& pass, std::uint32_t row, key_id key, nanoseconds_t end);
  cell_id slice_cell(key_id key, key_state& k, nanoseconds_t end);
  void flush(const batch_pass& pass);
  key_state& add_key(key_id key);

  void mark(key_id key, key_state& k);
  void tick(nanoseconds_t at, result_rows& out);
  void finish(result_rows& out);
  void set_next_tick() noexcept;

  void load_key(key_id key, binary_reader& in);
  bool load_slice(binary_reader& in, const std::vector<key_id>& ids);

  const nanoseconds_t every_;

  key_table keys_;
  cell_store cells_;
  /// By key id.
  std::vector<key_state> states_;
  /// By slice end and key.
  absl::btree_map<std::pair<nanoseconds_t, key_id>, cell_id> slices_;
  std::vector<key_id> changed_;
  std::uint64_t held_ = 0;

  /// The partition watermark.
  nanoseconds_t closed_ = no_watermark;
  /// The next tick at which something is to be emitted.
  nanoseconds_t next_tick_ = end_watermark;
  /// The slice of the last event, by its end.
  nanoseconds_t at_ = 0;

  /// Rows taken but not yet added to their cells.
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
  std::vector<std::uint32_t> selected_;
};

} // namespace millrace::windows
