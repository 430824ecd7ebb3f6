// SPDX-License-Identifier: Apache-2.0
/// @file
/// Collects the results of one window definition during a step and turns them into its result section:
/// evaluates the expressions over the accumulators, once for all rows, and puts the rows in order.
#pragma once

#include "actors/windows/cell_store.hpp"
#include "actors/windows/key_table.hpp"
#include "actors/windows/window_plan.hpp"

#include <string>
#include <utility>
#include <vector>

namespace millrace::windows {

/// What is said of a result beside its values.
struct emission {
  nanoseconds_t start = 0;
  nanoseconds_t end = 0;
  /// The smallest watermark at which the result is due.
  nanoseconds_t due = no_watermark;
  std::int64_t version = 0;
  /// Count windows: which result of the key it is, from 0.
  std::int64_t seq = 0;
  bool final = true;
  bool retracted = false;
  /// This is the emission by which the window closes: the one that alerts look at.
  bool closing = false;
};

/// Not thread-safe.
class result_rows {
public:
  explicit result_rows(const window_plan& w);

  /// Adds the result of a window of a key, whose accumulators are in `cell` (any, if retracted).
  void add(const cell_store& cells, cell_id cell, const key_table& keys, key_id key, const emission& e);
  bool empty() const noexcept { return rows_.empty(); }
  /// The rows ordered by due watermark, key text, start, seq, end, version; starts anew.
  event_batch finish(const key_table& keys);

private:
  struct row {
    emission what;
    key_id key = 0;
    std::uint32_t place = 0;
    /// Index of each accumulator that has no result, and why.
    std::vector<std::pair<std::uint32_t, std::string>> reasons;
  };
  /// Per row why a column has no value (empty text: it has); empty: every row has.
  using column_reasons = std::vector<std::string>;

  std::vector<std::uint32_t> key_ranks(const key_table& keys) const;
  void order(const key_table& keys);
  std::vector<column_reasons> accumulator_reasons() const;
  column evaluate(const value_entry& v, const event_batch& scope, const std::vector<column_reasons>& known,
                  column_reasons& reasons) const;
  void add_fixed_columns(event_batch& out) const;
  column errors_column(const std::vector<column_reasons>& known) const;

  const window_plan& plan_;
  batch_builder builder_;
  std::vector<row> rows_;
};

} // namespace millrace::windows
