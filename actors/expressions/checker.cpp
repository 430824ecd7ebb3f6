// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/checker.hpp"

#include "actors/expressions/expression.hpp"
#include "actors/expressions/lexer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace millrace::expressions {

namespace {

constexpr std::pair<std::string_view, std::string_view> type_names[] = {
  {"bool", "bool"},
  {"int", "int"},
  {"uint", "uint"},
  {"double", "double"},
  {"string", "string"},
  {"bytes", "bytes"},
  {"list", "list"},
  {"map", "map"},
  {"null_type", "null_type"},
  {"type", "type"},
  {"google.protobuf.Timestamp", "google.protobuf.Timestamp"},
  {"google.protobuf.Duration", "google.protobuf.Duration"},
};

/// Names that only the aggregates of windows know, for a hint.
constexpr std::string_view aggregates[] = {"count", "sum",      "avg",    "min",      "max",    "first",
                                           "last",  "variance", "stddev", "quantile", "median", "distinct"};

/// `a.b.c` of nested selections, empty for anything else.
std::string dotted(const node& n) {
  if (n.what == node::kind::identifier)
    return n.name;
  if (n.what != node::kind::select || n.test_only)
    return {};
  auto head = dotted(*n.target);
  return head.empty() ? head : head + "." + n.name;
}

std::optional<checked::op> macro(const node& n) {
  static constexpr std::pair<std::string_view, checked::op> table[] = {{"all", checked::op::all},
                                                                       {"exists", checked::op::exists},
                                                                       {"exists_one", checked::op::exists_one},
                                                                       {"existsOne", checked::op::exists_one},
                                                                       {"map", checked::op::transform},
                                                                       {"filter", checked::op::filter}};
  if (!n.target)
    return std::nullopt;
  for (const auto& [name, op] : table)
    if (n.name == name && (n.args.size() == 2 || (op == checked::op::transform && n.args.size() == 3)))
      return op;
  return std::nullopt;
}

class checker {
public:
  checker(std::span<const variable> variables, std::vector<expression_error>& errors)
    : variables_{variables}, errors_{errors} {}

  checked run(const node& n) {
    if (++depth_ > max_depth) {
      --depth_;
      return fail(n, "expression is nested deeper than " + std::to_string(max_depth));
    }
    auto c = dispatch(n);
    --depth_;
    return c;
  }

private:
  checked dispatch(const node& n) {
    switch (n.what) {
    case node::kind::literal: return literal(n);
    case node::kind::identifier: return identifier(n);
    case node::kind::select: return select(n);
    case node::kind::call: return call(n);
    case node::kind::list: return list(n);
    case node::kind::map: return map(n);
    }
    return {};
  }

  /// The stand-in of a wrong part has type dyn, so that one mistake gives one error.
  checked fail(const node& n, std::string message, std::string hint = {}) {
    errors_.push_back({n.offset, n.length, std::move(message), std::move(hint)});
    return {};
  }

  static checked constant(value v, type t) {
    checked c;
    c.constant = std::move(v);
    c.type = std::move(t);
    return c;
  }

  static checked literal(const node& n) {
    struct visitor {
      bool bytes;
      checked operator()(std::monostate) const { return constant(value{}, type_kind::null); }
      checked operator()(bool v) const { return constant(value::of_bool(v), type_kind::boolean); }
      checked operator()(std::int64_t v) const { return constant(value::of_int(v), type_kind::int64); }
      checked operator()(std::uint64_t v) const { return constant(value::of_uint(v), type_kind::uint64); }
      checked operator()(double v) const { return constant(value::of_double(v), type_kind::float64); }
      checked operator()(const std::string& v) const {
        return bytes ? constant(value::of_bytes(v), type_kind::bytes)
                     : constant(value::of_string(v), type_kind::string);
      }
    };
    return std::visit(visitor{n.is_bytes}, n.value);
  }

  std::optional<checked> known(std::string_view name) const {
    for (std::size_t i = locals_.size(); i-- > 0;)
      if (locals_[i].name == name) {
        checked c;
        c.what = checked::op::local;
        c.type = locals_[i].type;
        c.index = i;
        c.name = name;
        return c;
      }
    for (std::size_t i = 0; i < variables_.size(); ++i)
      if (variables_[i].name == name) {
        checked c;
        c.what = checked::op::variable;
        c.type = variables_[i].type;
        c.index = i;
        c.name = name;
        return c;
      }
    for (const auto& [text, meant] : type_names)
      if (text == name)
        return constant(value::of_type(meant), type_kind::type);
    return std::nullopt;
  }

  checked identifier(const node& n) {
    if (auto c = known(n.name))
      return std::move(*c);
    std::vector<std::string> names;
    for (const auto& v : variables_)
      names.push_back(v.name);
    for (const auto& l : locals_)
      names.push_back(l.name);
    const auto near = nearest(n.name, names);
    return fail(n, "undeclared reference to '" + n.name + "'", near.empty() ? near : "did you mean '" + near + "'?");
  }

  checked select(const node& n) {
    if (const auto path = dotted(n); !path.empty() && !n.test_only)
      if (auto c = known(path))
        return std::move(*c);
    checked c;
    c.what = n.test_only ? checked::op::present : checked::op::select;
    c.name = n.name;
    c.args.push_back(run(*n.target));
    const auto& of = c.args[0].type;
    if (of.what != type_kind::map && !is_dyn(of))
      return fail(n, "type '" + to_string(of) + "' does not support field selection");
    if (n.test_only)
      c.type = type_kind::boolean;
    else if (of.what == type_kind::map)
      c.type = of.of[1];
    c.type.nullable = !n.test_only && (c.type.nullable || is_dyn(c.type));
    return c;
  }

  checked call(const node& n) {
    if (!n.target) {
      if (n.name == "_&&_" || n.name == "_||_")
        return logical(n);
      if (n.name == "_?_:_")
        return conditional(n);
      if (n.name == "has")
        return has(n);
    } else {
      if (const auto m = macro(n))
        return comprehension(n, *m);
      if (n.target->what == node::kind::identifier && !known(n.target->name))
        if (const auto* f = find_function(n.target->name + "." + n.name, false))
          return function(n, *f, false);
    }
    const bool member = n.target != nullptr;
    const auto* f = member ? nullptr : find_operator(n.name);
    if (f == nullptr)
      f = find_function(n.name, member);
    if (f == nullptr)
      return unknown_function(n);
    return function(n, *f, member);
  }

  checked unknown_function(const node& n) {
    std::string hint;
    if (find_function(n.name, n.target == nullptr) != nullptr)
      hint = n.target ? "write " + n.name + "(value)" : "write value." + n.name + "(...)";
    else if (std::find(std::begin(aggregates), std::end(aggregates), n.name) != std::end(aggregates))
      hint = "aggregate calls belong in the aggregates of a window";
    else if (const auto near = nearest(n.name, function_names()); !near.empty())
      hint = "did you mean '" + near + "'?";
    return fail(n, "undeclared reference to '" + n.name + "'", hint);
  }

  checked has(const node& n) {
    if (n.args.size() != 1 || n.args[0]->what != node::kind::identifier)
      return fail(n, "invalid argument to has() macro", "has takes a field: has(field) or has(value.field)");
    checked c;
    c.what = checked::op::not_null;
    c.args.push_back(run(*n.args[0]));
    c.type = type_kind::boolean;
    return c;
  }

  bool is_bool(const checked& c) const { return c.type.what == type_kind::boolean || is_dyn(c.type); }

  checked logical(const node& n) {
    checked c;
    c.what = n.name == "_&&_" ? checked::op::logical_and : checked::op::logical_or;
    c.type = type_kind::boolean;
    for (const auto& a : n.args)
      c.args.push_back(run(*a));
    if (n.args.size() != 2)
      return fail(n, "malformed expression");
    if (!is_bool(c.args[0]) || !is_bool(c.args[1]))
      return no_overload(n, c.args, "both sides must be bool");
    return c;
  }

  checked conditional(const node& n) {
    checked c;
    c.what = checked::op::conditional;
    for (const auto& a : n.args)
      c.args.push_back(run(*a));
    if (n.args.size() != 3)
      return fail(n, "malformed expression");
    const auto& yes = c.args[1].type;
    const auto& no = c.args[2].type;
    if (!is_bool(c.args[0]))
      return no_overload(n, c.args, "the condition must be bool");
    c.type = join(yes, no);
    if (is_dyn(c.type) && !is_dyn(yes) && !is_dyn(no))
      return no_overload(n, c.args,
                         is_numeric(yes) && is_numeric(no) ? "convert one side, for example with double()" : "");
    return c;
  }

  static std::vector<type> types_of(std::span<const checked> args) {
    std::vector<type> types;
    for (const auto& a : args)
      types.push_back(a.type);
    return types;
  }

  checked no_overload(const node& n, std::span<const checked> args, std::string hint) {
    return fail(n, "found no matching overload for '" + n.name + "' applied to '" + to_string(types_of(args)) + "'",
                std::move(hint));
  }

  checked function(const node& n, const function_info& f, bool member) {
    checked c;
    c.what = checked::op::call;
    c.function = &f;
    const auto before = errors_.size();
    if (member)
      c.args.push_back(run(*n.target));
    for (const auto& a : n.args)
      c.args.push_back(run(*a));
    if (errors_.size() != before)
      return c;
    const auto result = result_type(f, c.args);
    if (!result)
      return no_overload(n, c.args, hint_for(n, c.args));
    c.type = *result;
    c.type.nullable = is_dyn(c.type) || (f.name == "_[_]" && element_nullable(c.args[0].type));
    return c;
  }

  static bool element_nullable(const type& t) { return !t.of.empty() && t.of.back().nullable; }

  /// The result of the overload that accepts the arguments; dyn if several could and they differ.
  static std::optional<type> result_type(const function_info& f, std::span<const checked> args) {
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

  /// Text of an operand for a hint, unless it is long.
  static std::string brief(const node& n) {
    constexpr std::size_t longest = 40;
    auto text = unparse(n);
    return text.size() <= longest ? text : "...";
  }

  static std::string hint_for(const node& n, std::span<const checked> args) {
    if (n.target || args.size() != 2)
      return {};
    const auto& a = args[0].type;
    const auto& b = args[1].type;
    if (a.what == type_kind::null || b.what == type_kind::null) {
      const auto i = a.what == type_kind::null ? 1U : 0U;
      return n.args[i]->what == node::kind::identifier
               ? "'" + n.args[i]->name + "' is not optional, so it is never null"
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

  checked list(const node& n) {
    checked c;
    c.what = checked::op::list;
    type element;
    bool first = true;
    for (const auto& a : n.args) {
      c.args.push_back(run(*a));
      element = first ? c.args.back().type : join(element, c.args.back().type);
      first = false;
    }
    c.type = type{type_kind::list, {element}};
    return c;
  }

  checked map(const node& n) {
    checked c;
    c.what = checked::op::map;
    type key;
    type element;
    for (std::size_t i = 0; i + 1 < n.args.size(); i += 2) {
      c.args.push_back(run(*n.args[i]));
      const auto k = c.args.back().type;
      if (!is_dyn(k) && k.what != type_kind::boolean && k.what != type_kind::int64 && k.what != type_kind::uint64 &&
          k.what != type_kind::string)
        fail(*n.args[i], "unsupported key type: " + to_string(k), "keys are bool, int, uint or string");
      c.args.push_back(run(*n.args[i + 1]));
      key = i == 0 ? k : join(key, k);
      element = i == 0 ? c.args.back().type : join(element, c.args.back().type);
    }
    c.type = type{type_kind::map, {key, element}};
    return c;
  }

  checked comprehension(const node& n, checked::op what) {
    checked c;
    c.what = what;
    c.args.push_back(run(*n.target));
    const auto over = c.args[0].type;
    if (over.what != type_kind::list && over.what != type_kind::map && !is_dyn(over))
      return fail(*n.target, "expression of type '" + to_string(over) +
                               "' cannot be the range of a comprehension (must be list, map, or dynamic)");
    if (n.args[0]->what != node::kind::identifier)
      return fail(*n.args[0], "argument must be a simple name");
    locals_.push_back({n.args[0]->name, over.of.empty() ? type{} : over.of[0]});
    locals_.back().type.nullable = locals_.back().type.nullable || is_dyn(locals_.back().type);
    c.index = locals_.size() - 1;
    for (std::size_t i = 1; i < n.args.size(); ++i)
      c.args.push_back(run(*n.args[i]));
    const auto element = locals_.back().type;
    locals_.pop_back();
    const bool condition = what != checked::op::transform || n.args.size() == 3;
    if (condition && !is_bool(c.args[1]))
      return fail(*n.args[1], "expected type 'bool' but found '" + to_string(c.args[1].type) + "'");
    if (what == checked::op::transform)
      c.type = type{type_kind::list, {c.args.back().type}};
    else if (what == checked::op::filter)
      c.type = type{type_kind::list, {element}};
    else
      c.type = type_kind::boolean;
    return c;
  }

  std::span<const variable> variables_;
  std::vector<expression_error>& errors_;
  std::vector<variable> locals_;
  unsigned depth_ = 0;
};

} // namespace

std::optional<checked> check(const node& tree, std::span<const variable> variables,
                             std::vector<expression_error>& errors) {
  const auto before = errors.size();
  auto c = checker{variables, errors}.run(tree);
  if (errors.size() != before)
    return std::nullopt;
  return c;
}

} // namespace millrace::expressions
