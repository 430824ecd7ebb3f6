// SPDX-License-Identifier: Apache-2.0
/// @file
/// A batch on its way through the steps. The input's columns are not copied before somebody needs them: rows
/// that go away are only left out of a selection, and only what leaves the stage is gathered, once.
#pragma once

#include "actors/enrich/compiled_steps.hpp"
#include "messaging/event_batch.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::enrich {

/// Single-threaded; lives for one batch, which must outlive it.
class working_set {
public:
  working_set(const compiled_plan& p, const event_batch& in);

  std::size_t rows() const noexcept { return rows_; }
  const event_batch& input() const noexcept { return in_; }
  /// The row of the input that row `row` came from.
  std::uint32_t input_row(std::size_t row) const noexcept {
    return selected_ ? selection_[row] : static_cast<std::uint32_t>(row);
  }

  /// Says that operation `index` runs now.
  void begin_operation(std::size_t index) noexcept { at_ = index; }
  /// A batch with one column for each slot so far, of which those of `uses` are filled. Valid until the next call.
  const event_batch& view(std::span<const std::size_t> uses);
  /// The values of one slot; valid until the next `append` or `keep`.
  const column& values(std::size_t slot);
  /// The next slot's values.
  void append(column c);
  /// Goes on with these rows only.
  void keep(std::span<const std::uint32_t> rows);
  /// Hands out the output's columns with their envelope.
  event_batch finish();

private:
  bool is_input(std::size_t slot) const noexcept { return slot < in_.columns.size(); }
  void fill(std::size_t slot);

  const compiled_plan& plan_;
  const event_batch& in_;
  std::size_t rows_;
  std::size_t at_ = 0;
  bool selected_ = false;
  /// Rows of the input that are left.
  std::vector<std::uint32_t> selection_;
  /// Slots; those of the input are empty until they are needed.
  event_batch work_;
  std::vector<bool> filled_;
};

} // namespace millrace::enrich
