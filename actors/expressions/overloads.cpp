// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/overloads.hpp"

#include <algorithm>
#include <utility>

namespace millrace::expressions {

namespace {

/// Text of an operand for a hint, unless it is long.
std::string brief(const node& n) {
  constexpr std::size_t longest = 40;
  auto text = unparse(n);
  return text.size() <= longest ? text : "...";
}

} // namespace

std::vector<type> types_of(std::span<const checked> args) {
  std::vector<type> types;
  for (const auto& a : args)
    types.push_back(a.type);
  return types;
}

std::optional<type> result_type(const function_info& f, std::span<const checked> args) {
  const auto types = types_of(args);
  if ((f.name == "_==_" || f.name == "_!=_") && types.size() == 2)
    return comparable(types[0], types[1]) ? std::optional{type{type_kind::boolean}} : std::nullopt;
  if (f.name == "@in" && types.size() == 2 && !types[1].of.empty())
    return comparable(types[0], types[1].of[0]) ? std::optional{type{type_kind::boolean}} : std::nullopt;
  const bool dynamic = std::any_of(types.begin(), types.end(), is_dyn);
  std::optional<type> found;
  for (const auto& s : signatures_of(f)) {
    auto result = match(s, types);
    if (!result)
      continue;
    if (found && !(*found == *result))
      return type{type_kind::dyn};
    found = std::move(result);
    if (!dynamic)
      break;
  }
  return found;
}

std::string overload_hint(const node& n, std::span<const checked> args) {
  if (n.target || args.size() != 2)
    return {};
  const auto& a = args[0].type;
  const auto& b = args[1].type;
  if (a.what == type_kind::null || b.what == type_kind::null) {
    const auto i = a.what == type_kind::null ? 1U : 0U;
    return n.args[i]->what == node::kind::identifier ? "'" + n.args[i]->name + "' is not optional, so it is never null"
                                                     : "";
  }
  if (is_numeric(a) && is_numeric(b) && !(a == b)) {
    // Towards double if one is, for it holds both; else towards int.
    const auto target =
      a.what == type_kind::float64 || b.what == type_kind::float64 ? type_kind::float64 : type_kind::int64;
    const auto i = a.what == target ? 1U : 0U;
    const auto& odd = *n.args[i];
    if (target == type_kind::float64 && odd.what == node::kind::literal && args[i].type.what == type_kind::int64)
      return "write " + unparse(odd) + ".0";
    return "convert it: " + to_string(type{target}) + "(" + brief(odd) + ")";
  }
  if (n.name == "_+_" && (a.what == type_kind::string || b.what == type_kind::string))
    return "convert it: string(" + brief(*n.args[a.what == type_kind::string ? 1U : 0U]) + ")";
  return {};
}

} // namespace millrace::expressions
