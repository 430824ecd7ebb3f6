// SPDX-License-Identifier: Apache-2.0
/// @file
/// The cells of one window definition: per key and slice one state of every accumulator, dense ids, recycled.
/// Also remembers which aggregates of a cell have seen an error in their argument.
#pragma once

#include "actors/windows/aggregate.hpp"
#include "actors/windows/window_plan.hpp"

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::windows {

/// Not thread-safe.
class cell_store {
public:
  explicit cell_store(const window_plan& w);

  /// An empty cell.
  cell_id make();
  void release(cell_id cell);
  /// Takes rows; `arguments` are indexed like the plan's event expressions.
  void add(std::span<const argument_view> arguments, const cell_rows& in);
  void merge(cell_id into, cell_id from);

  /// Sets columns 0.. of the row under way; `reasons` gets the index and reason of each accumulator without result.
  void write(cell_id cell, const window_span& span, batch_builder& out,
             std::vector<std::pair<std::uint32_t, std::string>>& reasons) const;

  void save(cell_id cell, binary_writer& out) const;
  void load(cell_id cell, binary_reader& in);

  /// Size of all cells in use, bytes.
  std::size_t bytes() const noexcept { return bytes(used_ - free_.size()); }
  /// The same, for an owner that knows better how many cells there are.
  std::size_t bytes(std::size_t cells) const noexcept;

private:
  void reset(cell_id cell);
  void add_partials(const cell_rows& in);

  using reasons_of_cell = absl::flat_hash_map<cell_id, std::string>;

  /// The smallest text wins, so that the order of events does not matter.
  void note(std::size_t accumulator, cell_id cell, std::string_view reason);
  void note_failures(std::size_t accumulator, const argument_view& argument, const cell_rows& in);

  const window_plan& plan_;
  std::vector<std::unique_ptr<accumulator>> accumulators_;
  std::vector<reasons_of_cell> reasons_;
  std::vector<cell_id> free_;
  std::size_t size_ = 0;
  /// Cells ever handed out; those from here on have never been used.
  std::size_t used_ = 0;
  std::size_t cell_bytes_ = 0;
  std::size_t reason_bytes_ = 0;
  /// Texts of all accumulators; none: to be asked again.
  mutable std::optional<std::size_t> text_bytes_;
};

} // namespace millrace::windows
