// SPDX-License-Identifier: Apache-2.0
/// @file
/// Resolves the names of a tree and gives every part its type.
#pragma once

#include "actors/expressions/ast.hpp"
#include "actors/expressions/registry.hpp"
#include "actors/expressions/types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::expressions {

struct variable {
  std::string name;
  expressions::type type;
};

/// A tree that is ready to run: what interpreter and compiler work on.
struct checked {
  enum class op : std::uint8_t {
    constant,
    variable,
    /// A variable of a macro, by slot.
    local,
    /// A function whose arguments must have values.
    call,
    logical_and,
    logical_or,
    conditional,
    /// `args[0].name`
    select,
    /// has(args[0].name)
    present,
    /// has(variable): an extension to CEL, where a bare field is not a selection.
    not_null,
    list,
    map,
    /// An item of a list or a value of a map that is left out if args[0] is none.
    optional_item,
    // From here on macros. args: list or map, then the expressions with the local in scope.
    all,
    exists,
    exists_one,
    /// With three arguments the middle one is the condition.
    transform,
    filter,
    sort_by,
    transform_map,
    transform_map_entry,
    /// args: an optional, then the expression with its value in scope.
    opt_map,
    opt_flat_map,
  };
  op what = op::constant;
  expressions::type type;
  value constant;
  /// Of a variable or local; of a macro that of its first local.
  std::size_t index = 0;
  /// The macro has a local for index or key, then one for the value.
  bool two_variables = false;
  /// In the text, for messages.
  std::uint32_t offset = 0;
  const function_info* function = nullptr;
  /// Of the selected field, or the variable, for messages.
  std::string name;
  std::vector<checked> args;
};

/// nullopt after appending at least one error.
std::optional<checked> check(const node& tree, std::span<const variable> variables,
                             std::vector<expression_error>& errors);

} // namespace millrace::expressions
