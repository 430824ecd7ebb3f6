// SPDX-License-Identifier: Apache-2.0
/// @file
/// Turns values of the interpreter into a column, row by row.
#pragma once

#include "actors/expressions/expression.hpp"
#include "actors/expressions/value.hpp"
#include "messaging/event_batch.hpp"

#include <string>

namespace millrace::expressions {

/// Sets bit `row` of a bitmap over `rows` rows, which is made if it is empty.
inline void set_bit(std::vector<std::uint64_t>& bits, std::size_t row, std::size_t rows) {
  if (bits.empty())
    bits.assign((rows + 63) / 64, 0);
  bits[row >> 6] |= std::uint64_t{1} << (row & 63);
}

/// Empties `e` for a result of `type`, keeping what it allocated.
void reset(evaluation& e, data_type type);

/// Not thread-safe. Rows must be written in order, all of them.
class column_writer {
public:
  /// Appends to `out`, which must be empty but for its type; errors go to `errors`.
  column_writer(column& out, std::vector<std::uint64_t>& errors, std::size_t rows);
  /// Returns why the value is an error, or an empty text.
  std::string write(const value& v);
  void finish();

private:
  void write_text(const value& v);

  column& out_;
  std::vector<std::uint64_t>& errors_;
  std::size_t rows_;
  std::size_t row_ = 0;
  dictionary_builder texts_;
  std::string json_;
};

} // namespace millrace::expressions
