// SPDX-License-Identifier: Apache-2.0
/// @file
/// Abstract syntax of CEL (github.com/google/cel-spec, doc/langdef.md). Operators are calls named as
/// CEL names them: `_+_ _-_ _*_ _/_ _%_ -_ !_ _==_ _!=_ _<_ _<=_ _>_ _>=_ _&&_ _||_ _?_:_ @in _[_] _[?_] _?._` (of the
/// last one the second argument is the name as a text). `?_` marks the optional items of a list and the values of the
/// optional entries of a map.
#pragma once

#include "messaging/errors.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace millrace::expressions {

struct node;
using node_ptr = std::shared_ptr<const node>;

/// A literal; bytes are told from strings by `node::is_bytes`.
using literal_value = std::variant<std::monostate /* null */, bool, std::int64_t, std::uint64_t, double, std::string>;

struct node {
  enum class kind : std::uint8_t {
    literal,
    identifier,
    /// `target.name`; with `test_only` it is `has(target.name)`.
    select,
    /// `name(args...)`, or `target.name(args...)`.
    call,
    list,
    /// args are key, value, key, value, ...
    map,
  };
  kind what = kind::literal;
  /// Byte range in the source text.
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  literal_value value;
  bool is_bytes = false;
  bool test_only = false;
  std::string name;
  node_ptr target;
  std::vector<node_ptr> args;
};

/// A finding about an expression's text.
struct expression_error {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::string message;
  std::string hint;
};

/// Parses `text` (bounded: 64 KiB, depth 250). On failure returns null and appends at least one error.
node_ptr parse(std::string_view text, std::vector<expression_error>& errors);

/// Canonical text of a tree: parse(unparse(x)) equals x but for offsets.
std::string unparse(const node& n);

/// A copy of `n` in which `replace` (called pre-order, parents first) may substitute a subtree: a non-null
/// answer is taken as it is and not descended into.
template <class F>
node_ptr rewrite(const node_ptr& n, F&& replace) {
  if (!n)
    return n;
  if (auto x = replace(n))
    return x;
  auto copy = std::make_shared<node>(*n);
  copy->target = rewrite(n->target, replace);
  for (auto& a : copy->args)
    a = rewrite(a, replace);
  return copy;
}

} // namespace millrace::expressions
