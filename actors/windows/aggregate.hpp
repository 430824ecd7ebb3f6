// SPDX-License-Identifier: Apache-2.0
/// @file
/// What an aggregate is: an accumulator that holds the states of many cells (one per key and slice), and
/// the registry that names every kind. A new aggregate is one entry in registry.cpp.
#pragma once

#include "actors/expressions/expression.hpp"
#include "actors/windows/binary.hpp"
#include "messaging/event_batch.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millrace::windows {

using cell_id = std::uint32_t;

/// The window whose result is written: [start, end), ns.
struct window_span {
  nanoseconds_t start = 0;
  nanoseconds_t end = 0;
};

/// The evaluated argument of an aggregate for one batch.
struct argument_view {
  /// Null for an aggregate without argument.
  const column* values = nullptr;
  /// Bit set: the row is null or has an error. Null: no row is.
  const std::uint64_t* skip = nullptr;
  /// The evaluation when some row has an error, else null.
  const expressions::evaluation* failed = nullptr;

  bool skips(std::uint32_t row) const noexcept { return ((skip[row >> 6] >> (row & 63)) & 1U) != 0; }
};

/// Rows of a batch, each with the cell that takes it.
struct cell_rows {
  const event_batch& batch;
  std::span<const std::uint32_t> rows;
  std::span<const cell_id> cells;
};

/// States of one aggregate for all cells. Not thread-safe.
class accumulator {
public:
  virtual ~accumulator() = default;
  /// Makes room for `cells` cells; new ones are empty.
  virtual void resize(std::size_t cells) = 0;
  virtual void reset(cell_id cell) = 0;
  /// Takes the values of the rows that are not skipped.
  virtual void add(const argument_view& argument, const cell_rows& in) = 0;
  /// Adds what `from` has seen to `into`; the order of merges does not matter but for rounding.
  virtual void merge(cell_id into, cell_id from) = 0;
  /// Sets column `index` of the row under way, leaves it null when there was no value, or says in `reason` why
  /// there is no result.
  virtual void write(cell_id cell, const window_span& span, batch_builder& out, std::size_t index,
                     std::string& reason) const = 0;
  virtual void save(cell_id cell, binary_writer& out) const = 0;
  /// Failure: the reader is failed.
  virtual void load(cell_id cell, binary_reader& in) = 0;
  /// Size of a cell without what `text_bytes` counts, bytes.
  virtual std::size_t cell_bytes() const noexcept = 0;
  /// What all cells hold beside `cell_bytes`: texts, sketches, lists. A function of what the cells have seen, not of
  /// how memory happened to grow, so that a limit is reached at the same event after a restart.
  virtual std::size_t text_bytes() const noexcept = 0;
};

/// A constant argument after the value: `0.99` in `quantile(x, 0.99)`.
struct aggregate_parameter {
  enum class kind : std::uint8_t { number, integer, duration };
  /// For messages.
  std::string_view name;
  kind type = kind::number;
  /// Bounds, both allowed; a duration's are nanoseconds.
  double min = 0.0;
  double max = 0.0;
  /// Used when the call does not give it; none: the call must.
  std::optional<double> otherwise;
};

/// The value of a parameter: `number` for that kind, `integer` for integers and for durations (ns).
struct parameter_value {
  double number = 0.0;
  std::int64_t integer = 0;
};

/// One kind of aggregate.
struct aggregate_kind {
  std::string_view name;
  /// One sentence for documentation and messages.
  std::string_view sentence;
  /// Whether the value argument must be given, and whether it may be (0 or 1 each); parameters come after it.
  std::size_t min_arguments = 0;
  std::size_t max_arguments = 0;
  /// What the argument may be, for messages.
  std::string_view accepts;
  /// Type of the result for the argument's type (none: called without), or none when the type is not accepted.
  std::optional<data_type> (*result)(std::optional<data_type> argument);
  /// @pre `result` accepted the type; one value for each entry of `parameters`, within its bounds.
  std::unique_ptr<accumulator> (*make)(std::optional<data_type> argument, std::span<const parameter_value> parameters);
  std::span<const aggregate_parameter> parameters{};
  /// The result over no value: false means 0, true means null.
  bool nullable = true;
};

/// Every aggregate of this version, in the order of the documentation.
std::span<const aggregate_kind> aggregate_kinds() noexcept;
/// Null when there is none.
const aggregate_kind* find_aggregate(std::string_view name) noexcept;

} // namespace millrace::windows
