// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/checker.hpp"

#include "actors/expressions/expression.hpp"
#include "actors/expressions/lexer.hpp"
#include "actors/expressions/overloads.hpp"

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
  {"optional_type", "optional_type"},
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

/// How a macro is written: `target.name(variables..., expressions...)`.
struct macro_form {
  std::string_view name;
  checked::op what;
  std::size_t variables;
  /// Expressions after the variables; with the larger number the first of two is a condition.
  std::size_t least;
  std::size_t most;
};

constexpr macro_form macro_forms[] = {
  {"all", checked::op::all, 1, 1, 1},
  {"all", checked::op::all, 2, 1, 1},
  {"exists", checked::op::exists, 1, 1, 1},
  {"exists", checked::op::exists, 2, 1, 1},
  {"exists_one", checked::op::exists_one, 1, 1, 1},
  {"exists_one", checked::op::exists_one, 2, 1, 1},
  {"existsOne", checked::op::exists_one, 1, 1, 1},
  {"existsOne", checked::op::exists_one, 2, 1, 1},
  {"map", checked::op::transform, 1, 1, 2},
  {"filter", checked::op::filter, 1, 1, 1},
  {"sortBy", checked::op::sort_by, 1, 1, 1},
  {"optMap", checked::op::opt_map, 1, 1, 1},
  {"optFlatMap", checked::op::opt_flat_map, 1, 1, 1},
  {"transformList", checked::op::transform, 2, 1, 2},
  {"transformMap", checked::op::transform_map, 2, 1, 2},
  {"transformMapEntry", checked::op::transform_map_entry, 2, 1, 2},
};

const macro_form* find_macro(const node& n) {
  if (n.target)
    for (const auto& m : macro_forms)
      if (n.name == m.name && n.args.size() >= m.variables + m.least && n.args.size() <= m.variables + m.most)
        return &m;
  return nullptr;
}

/// Which type a macro runs over.
bool is_range(const type& t, checked::op macro) {
  if (is_dyn(t))
    return true;
  if (macro == checked::op::opt_map || macro == checked::op::opt_flat_map)
    return t.what == type_kind::optional;
  return t.what == type_kind::list || (t.what == type_kind::map && macro != checked::op::sort_by);
}

std::string_view range_name(checked::op macro) {
  if (macro == checked::op::opt_map || macro == checked::op::opt_flat_map)
    return "optional";
  return macro == checked::op::sort_by ? "list" : "list, map";
}

bool is_marked(const node& n) {
  return n.what == node::kind::call && !n.target && n.name == "?_" && n.args.size() == 1;
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
    c.offset = n.offset;
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
    // A selection from an optional is optional (as in cel-go): a.?b.c
    const bool optional = c.args[0].type.what == type_kind::optional;
    const auto& of = optional ? c.args[0].type.of[0] : c.args[0].type;
    if (of.what != type_kind::map && !is_dyn(of))
      return fail(n, "type '" + to_string(of) + "' does not support field selection");
    if (n.test_only)
      c.type = type_kind::boolean;
    else if (of.what == type_kind::map)
      c.type = of.of[1];
    c.type.nullable = !n.test_only && (c.type.nullable || is_dyn(c.type));
    if (optional && !n.test_only)
      c.type = type{type_kind::optional, {c.type}};
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
      if (const auto* m = find_macro(n))
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

  /// `math` and such are parts of the names of functions unless a variable is called so.
  bool is_namespace(const node& n) const {
    return n.target && n.target->what == node::kind::identifier && !known(n.target->name) &&
           is_function_namespace(n.target->name);
  }

  checked unknown_function(const node& n) {
    const auto name = is_namespace(n) ? n.target->name + "." + n.name : n.name;
    std::string hint;
    if (!n.target && std::find(std::begin(aggregates), std::end(aggregates), n.name) != std::end(aggregates))
      hint = "aggregate calls belong in the aggregates of a window";
    else if (find_function(n.name, n.target == nullptr) != nullptr)
      hint = n.target ? "write " + n.name + "(value)" : "write value." + n.name + "(...)";
    else if (const auto* m = find_macro_info(n.name))
      hint = "write " + std::string{m->form};
    else if (const auto near = nearest(name, function_names()); !near.empty())
      hint = "did you mean '" + near + "'?";
    return fail(n, "undeclared reference to '" + name + "'", hint);
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
      return no_overload(n, c.args, overload_hint(n, c.args));
    c.type = *result;
    c.type.nullable = c.type.nullable || is_dyn(c.type);
    return c;
  }

  /// An item of a list or a value of a map; one marked with `?` is an optional and has the type of its value.
  checked item(const node& n) {
    if (!is_marked(n))
      return run(n);
    checked c;
    c.what = checked::op::optional_item;
    c.offset = n.offset;
    c.args.push_back(run(*n.args[0]));
    const auto& inner = c.args[0].type;
    if (inner.what != type_kind::optional && !is_dyn(inner))
      fail(*n.args[0], "expected an optional after '?' but found '" + to_string(inner) + "'",
           "write optional.of(value), or no '?'");
    if (inner.what == type_kind::optional)
      c.type = inner.of[0];
    return c;
  }

  checked list(const node& n) {
    checked c;
    c.what = checked::op::list;
    type element;
    bool first = true;
    for (const auto& a : n.args) {
      c.args.push_back(item(*a));
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
      c.args.push_back(item(*n.args[i + 1]));
      key = i == 0 ? k : join(key, k);
      element = i == 0 ? c.args.back().type : join(element, c.args.back().type);
    }
    c.type = type{type_kind::map, {key, element}};
    return c;
  }

  void declare(const node& name, type t) {
    t.nullable = t.nullable || is_dyn(t);
    locals_.push_back({name.name, std::move(t)});
  }

  checked comprehension(const node& n, const macro_form& m) {
    checked c;
    c.what = m.what;
    c.two_variables = m.variables == 2;
    c.args.push_back(run(*n.target));
    const auto over = c.args[0].type;
    if (!is_range(over, m.what))
      return fail(*n.target, "expression of type '" + to_string(over) +
                               "' cannot be the range of a comprehension (must be " + std::string{range_name(m.what)} +
                               ", or dynamic)");
    for (std::size_t i = 0; i < m.variables; ++i)
      if (n.args[i]->what != node::kind::identifier)
        return fail(*n.args[i], "argument must be a simple name");
    if (m.variables == 2 && n.args[0]->name == n.args[1]->name)
      return fail(*n.args[1], "the two variables need different names");
    c.index = locals_.size();
    const type first = over.of.empty() ? type{} : over.of[0];
    const type index = over.what == type_kind::list ? type{type_kind::int64} : first;
    declare(*n.args[0], c.two_variables ? index : first);
    if (c.two_variables)
      declare(*n.args[1], over.of.empty() ? type{} : over.of.back());
    for (std::size_t i = m.variables; i < n.args.size(); ++i)
      c.args.push_back(run(*n.args[i]));
    locals_.resize(c.index);
    return typed(n, std::move(c), first);
  }

  /// Checks the expressions of a macro over elements of type `element`, and finds its type.
  checked typed(const node& n, checked c, const type& element) {
    using op = checked::op;
    const bool predicate = c.what == op::all || c.what == op::exists || c.what == op::exists_one ||
                           c.what == op::filter || c.args.size() == 3;
    const auto& body = c.args.back().type;
    if (predicate && !is_bool(c.args[1]))
      return fail(*n.args[c.two_variables ? 2 : 1],
                  "expected type 'bool' but found '" + to_string(c.args[1].type) + "'");
    switch (c.what) {
    case op::transform: c.type = type{type_kind::list, {body}}; break;
    case op::filter:
    case op::sort_by: c.type = type{type_kind::list, {element}}; break;
    case op::opt_map: c.type = type{type_kind::optional, {body}}; break;
    case op::opt_flat_map:
      if (body.what != type_kind::optional && !is_dyn(body))
        return fail(*n.args[1], "expected an optional but found '" + to_string(body) + "'",
                    "optMap takes plain values");
      c.type = body;
      break;
    case op::transform_map: {
      const auto& over = c.args[0].type;
      const type key = over.what == type_kind::list ? type{type_kind::int64} : element;
      c.type = type{type_kind::map, {key, body}};
      break;
    }
    case op::transform_map_entry:
      if (body.what != type_kind::map && !is_dyn(body))
        return fail(*n.args.back(), "expected a map but found '" + to_string(body) + "'", "write {key: value}");
      c.type = body;
      break;
    default: c.type = type_kind::boolean;
    }
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
