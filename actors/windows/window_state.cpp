// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/window_state.hpp"

#include "actors/windows/count_state.hpp"
#include "actors/windows/global_state.hpp"
#include "actors/windows/grid_state.hpp"
#include "actors/windows/partial_state.hpp"
#include "actors/windows/session_state.hpp"

#include <algorithm>
#include <numeric>

namespace millrace::windows {

std::size_t state_budget::keys() const noexcept {
  std::size_t n = 0;
  for (const auto* w : windows)
    n += w->keys();
  return n;
}

std::size_t state_budget::bytes() const noexcept {
  std::size_t n = 0;
  for (const auto* w : windows)
    n += w->bytes();
  return n;
}

void window_state::select(batch_pass& pass, std::vector<std::uint32_t>& selected) {
  selected.clear();
  if (!plan_.where) {
    selected.resize(pass.batch.rows);
    std::iota(selected.begin(), selected.end(), 0U);
    return;
  }
  failed_.clear();
  expressions::select_rows(pass.evaluations[*plan_.where], pass.batch.rows, selected, failed_);
  for (const auto row : failed_)
    refuse(pass, row, fate::expression);
}

void window_state::refuse(batch_pass& pass, const refusal& r) const {
  pass.fates[r.row] = std::max(pass.fates[r.row], r.why);
  pass.refusals.push_back(r);
}

void window_state::emit(result_rows& rows, output& out) {
  if (!rows.empty())
    out.sections.push_back(section{plan_.options.name, results(rows)});
}

std::unique_ptr<window_state> make_state(const window_plan& w, const schema& input, std::uint32_t index,
                                         const state_budget& budget, std::uint32_t merge_lanes) {
  if (w.options.merged && merge_lanes > 0)
    return std::make_unique<partial_state>(w, input, index, budget, merge_lanes);
  switch (w.options.kind) {
  case window_kind::session: return std::make_unique<session_state>(w, input, index, budget);
  case window_kind::count: return std::make_unique<count_state>(w, input, index, budget);
  case window_kind::global: return std::make_unique<global_state>(w, input, index, budget);
  case window_kind::tumbling:
  case window_kind::sliding: break;
  }
  return std::make_unique<grid_state>(w, input, index, budget);
}

} // namespace millrace::windows
