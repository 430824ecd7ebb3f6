// SPDX-License-Identifier: Apache-2.0
/// @file
/// The first step of a window over several partitions (rule 3.4): events become partial accumulators, one per key and
/// slice of a batch, which travel to the partition of the window's key. Nothing stays here between two inputs.
///
/// Whether an event is late is decided here, by its own watermark. An event that comes after the first of its windows
/// may have closed travels alone, so that the second step can take it at its exact place in time.
#pragma once

#include "actors/windows/window_state.hpp"

#include <absl/container/flat_hash_map.h>

#include <vector>

namespace millrace::windows {

/// Names of the columns of a partial row after the key's: start of the slice is the row's time.
inline constexpr std::string_view column_partial = "$partial";

/// Layout of the partial rows of a window: key fields, then the accumulators as bytes.
schema_ptr partial_layout(const window_plan& w, const schema& input);

/// Not thread-safe.
class partial_state final : public window_state {
public:
  /// @param lanes Partitions of the second step; the rows for partition q go to output lane 1 + q.
  partial_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget,
                std::uint32_t lanes);

  void absorb(batch_pass& pass, result_rows& out) override;
  void advance(nanoseconds_t p, result_rows& out) override;
  void end_step() override { keys_.sweep(); }
  event_batch results(result_rows& out) const override { return out.finish(keys_); }
  void emit(result_rows& rows, output& out) override;

  std::size_t keys() const noexcept override { return 0; }
  std::size_t bytes() const noexcept override { return 0; }
  void save(binary_writer& /*out*/) const override {}
  void load(binary_reader& in, nanoseconds_t p) override;

private:
  struct delta {
    nanoseconds_t start = 0;
    /// The largest watermark before one of its events.
    nanoseconds_t watermark = no_watermark;
    key_id key = no_key;
    cell_id cell = 0;
    std::int64_t position = 0;
    std::uint32_t shard = 0;
    bool late = false;
  };

  bool locate(batch_pass& pass, std::uint32_t row, nanoseconds_t watermark, slice_bounds& bounds);
  delta& delta_of(const batch_pass& pass, std::uint32_t row, const slice_bounds& bounds, nanoseconds_t watermark);
  void order();

  const std::uint32_t lanes_;
  schema_ptr layout_;
  key_table keys_;
  cell_store cells_;
  nanoseconds_t closed_ = no_watermark;
  std::vector<delta> deltas_;
  absl::flat_hash_map<std::pair<nanoseconds_t, key_id>, std::size_t> known_;
  std::vector<std::uint32_t> selected_;
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
};

} // namespace millrace::windows
