// SPDX-License-Identifier: Apache-2.0
/// @file
/// A checked CEL expression over the columns of a schema: evaluated by vectorised programs, column at a
/// time, or by the reference interpreter, which is the specification.
#pragma once

#include "actors/expressions/ast.hpp"
#include "messaging/event_batch.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::expressions {

/// What one evaluation yields: a column and, where a row has an error (overflow, division by zero, no such
/// overload for null, bad conversion), a set error bit; the value at such a row is unspecified.
struct evaluation {
  column values;
  /// Bit set = error; empty: no row has one.
  std::vector<std::uint64_t> errors;
  /// Row and text of the errors, ascending by row; at most `max_reasons`.
  std::vector<std::pair<std::uint32_t, std::string>> reasons;

  static constexpr std::size_t max_reasons = 1024;
  bool is_error(std::size_t row) const noexcept {
    return !errors.empty() && ((errors[row >> 6] >> (row & 63)) & 1U) != 0;
  }
  /// The error's text at `row`, or a generic one beyond `max_reasons`.
  std::string_view reason(std::size_t row) const noexcept;
};

/// Immutable and thread-safe; the scratch space of an evaluation is inside the call's `evaluation` or thread-local.
class expression {
public:
  /// Parses and checks `text` against the fields of `variables` (nullable fields may be null at run time).
  /// Variable names may be any string in trees built by `compile(node_ptr)`. On failure returns null and
  /// appends the errors, unknown names with the nearest known one as hint.
  static std::shared_ptr<const expression> compile(std::string_view text, const schema& variables,
                                                   std::vector<expression_error>& errors);
  static std::shared_ptr<const expression> compile(node_ptr tree, const schema& variables,
                                                   std::vector<expression_error>& errors);
  ~expression();

  /// The column type of the result; lists, maps and dynamic values become `json`, null a null json.
  data_type type() const noexcept;
  /// Whether the value can be null (apart from errors).
  bool nullable() const noexcept;
  /// True when the checker knows the result to be CEL bool: what `filter`, `where`, `when` require.
  bool is_predicate() const noexcept;
  /// Indices of the variables read, ascending.
  std::span<const std::size_t> uses() const noexcept;
  const node& tree() const noexcept;

  /// Evaluates for every row of `in`, whose columns are those of `variables`, in order.
  void evaluate(const event_batch& in, evaluation& out) const;
  /// The same by the reference interpreter, row by row: for tests and as fallback for trees that have no
  /// vectorised form.
  void interpret(const event_batch& in, evaluation& out) const;

private:
  expression();
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Appends to `selected` the rows where the predicate is true; errors (and nulls) go to `failed`.
void select_rows(const evaluation& e, std::size_t rows, std::vector<std::uint32_t>& selected,
                 std::vector<std::uint32_t>& failed);

/// What `millrace eval` does: evaluates `text` on the members of a JSON object (empty: none).
struct eval_outcome {
  /// 0 value, 2 parse or check error, 3 evaluation error.
  int exit_code = 0;
  /// JSON of the value, or `error: ...` text with line and column.
  std::string text;
};
eval_outcome eval(std::string_view text, std::string_view json_object);

/// Nearest known name within a sensible edit distance, or empty: for hints.
std::string nearest(std::string_view name, std::span<const std::string> known);

} // namespace millrace::expressions
