// SPDX-License-Identifier: Apache-2.0
/// @file
/// The reference interpreter: the specification that vectorised programs are measured by.
#pragma once

#include "actors/expressions/checker.hpp"
#include "messaging/event_batch.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace millrace::expressions {

/// Steps of all macros in one evaluation: nested ones over long lists would never end.
inline constexpr std::size_t max_iterations = 1'000'000;
/// Bytes of all texts that one evaluation puts into lists and maps: a long text for every element of a long list, both
/// from an event, would take all memory.
inline constexpr std::size_t max_collected_bytes = std::size_t{64} << 20;

/// Where the values of variables come from.
class variable_source {
public:
  virtual ~variable_source() = default;
  virtual value load(std::size_t index) = 0;
};

/// The columns of a batch, one row at a time.
class row_source : public variable_source {
public:
  explicit row_source(const event_batch& in) : in_{in} {}
  void move_to(std::size_t row) {
    row_ = row;
    parsed_.clear();
  }
  value load(std::size_t index) override;

private:
  const event_batch& in_;
  std::size_t row_ = 0;
  /// JSON is parsed once a row, however often it is read.
  std::vector<std::pair<std::size_t, value>> parsed_;
};

/// The value of one row of a column.
value value_at(const column& c, std::size_t row);
/// A text of a string, bytes or json column.
value text_value(data_type type, std::string_view text);

/// Computes one value; failures are values of kind error.
value interpret(const checked& c, variable_source& variables);

} // namespace millrace::expressions
