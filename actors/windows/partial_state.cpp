// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/partial_state.hpp"

#include <algorithm>
#include <tuple>

namespace millrace::windows {

schema_ptr partial_layout(const window_plan& w, const schema& input) {
  std::vector<field> fields;
  for (const auto c : w.key_columns)
    fields.push_back(input[c]);
  fields.push_back(field{std::string{column_partial}, data_type::bytes, false});
  return std::make_shared<const schema>(std::move(fields));
}

partial_state::partial_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget,
                             std::uint32_t lanes)
  : window_state{w, index, budget}, lanes_{lanes}, layout_{partial_layout(w, input)}, keys_{w, input}, cells_{w} {}

void partial_state::advance(nanoseconds_t p, result_rows& /*out*/) { closed_ = std::max(closed_, p); }

void partial_state::load(binary_reader& /*in*/, nanoseconds_t p) { closed_ = p; }

/// The slice of a row and the first window that may still take it; false when none does.
bool partial_state::locate(batch_pass& pass, std::uint32_t row, nanoseconds_t watermark, slice_bounds& bounds) {
  const auto found = plan_.grid.slice_at(pass.batch.time[row]);
  if (!found) {
    refuse(pass, row, fate::limit, true);
    return false;
  }
  bounds = *found;
  // A global window closes with the input alone.
  const bool global = plan_.options.kind == window_kind::global;
  if (watermark >= (global ? end_watermark : saturating_add(bounds.last_end, plan_.grid.lateness))) {
    refuse(pass, refusal{row, index_, fate::late, false, bounds.last_end});
    return false;
  }
  return true;
}

partial_state::delta& partial_state::delta_of(const batch_pass& pass, std::uint32_t row, const slice_bounds& bounds,
                                              nanoseconds_t watermark) {
  const auto key = keys_.id_of(row);
  const bool late = watermark >= bounds.first_end;
  if (!late)
    if (const auto it = known_.find({bounds.start, key}); it != known_.end())
      return deltas_[it->second];
  if (!late)
    known_.emplace(std::pair{bounds.start, key}, deltas_.size());
  delta d;
  d.start = bounds.start;
  d.key = key;
  d.cell = cells_.make();
  d.position = pass.batch.position[row];
  d.shard = pass.batch.shard[row];
  d.late = late;
  keys_.add_cell(key);
  deltas_.push_back(d);
  return deltas_.back();
}

void partial_state::absorb(batch_pass& pass, result_rows& /*out*/) {
  select(pass, selected_);
  keys_.begin(pass.batch);
  const bool expires = plan_.options.kind != window_kind::global;
  for (const auto row : selected_) {
    const auto watermark = std::max(pass.batch.watermark[row], closed_);
    slice_bounds bounds;
    if (!locate(pass, row, watermark, bounds))
      continue;
    auto& d = delta_of(pass, row, bounds, watermark);
    d.watermark = std::max(d.watermark, watermark);
    pending_rows_.push_back(row);
    pending_cells_.push_back(d.cell);
    pass.fates[row] = fate::absorbed;
    // What a global window has taken it holds to the end.
    const auto gone = expires ? saturating_add(bounds.last_end, plan_.grid.lateness) : end_watermark;
    pass.expires[row] = std::max(pass.expires[row], gone);
  }
  if (!pending_rows_.empty())
    cells_.add(pass.arguments, cell_rows{pass.batch, pending_rows_, pending_cells_});
  pending_rows_.clear();
  pending_cells_.clear();
  known_.clear();
}

void partial_state::order() {
  const auto rank = [](const delta& d) { return std::tie(d.start, d.late, d.shard, d.position); };
  std::sort(deltas_.begin(), deltas_.end(), [&](const delta& a, const delta& b) { return rank(a) < rank(b); });
}

void partial_state::emit(result_rows& /*rows*/, output& out) {
  if (deltas_.empty())
    return;
  order();
  std::vector<std::size_t> key_columns(plan_.key_columns.size());
  for (std::size_t i = 0; i < key_columns.size(); ++i)
    key_columns[i] = i;
  batch_builder builder{layout_};
  for (const auto& d : deltas_) {
    binary_writer state;
    cells_.save(d.cell, state);
    keys_.write(d.key, builder, 0);
    builder.set_text(key_columns.size(), state.finish());
    builder.finish_row(d.start, d.watermark, d.position, d.shard);
    cells_.release(d.cell);
    keys_.remove_cell(d.key);
  }
  deltas_.clear();
  const auto all = builder.finish();
  std::vector<std::vector<std::uint32_t>> rows(lanes_);
  std::vector<std::uint32_t> partitions;
  partition_rows(all, key_columns, lanes_, partitions);
  for (std::uint32_t row = 0; row < all.rows; ++row)
    rows[key_columns.empty() ? 0 : partitions[row]].push_back(row);
  for (std::uint32_t q = 0; q < lanes_; ++q) {
    if (rows[q].empty())
      continue;
    section s{plan_.options.name, take(all, rows[q])};
    s.lane = 1 + q;
    out.sections.push_back(std::move(s));
  }
}

} // namespace millrace::windows
