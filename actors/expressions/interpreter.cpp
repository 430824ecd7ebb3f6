// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/interpreter.hpp"

#include "actors/expressions/time.hpp"

#include <array>
#include <string>

namespace millrace::expressions {

namespace {

class interpreter {
public:
  explicit interpreter(variable_source& variables) : variables_{variables} {}

  value run(const checked& c) {
    using op = checked::op;
    switch (c.what) {
    case op::constant: return c.constant;
    case op::variable: return variables_.load(c.index);
    case op::local: return locals_[c.index];
    case op::call: return call(c);
    case op::logical_and: return logical(c, false);
    case op::logical_or: return logical(c, true);
    case op::conditional: return conditional(c);
    case op::select:
    case op::present: return select(c);
    case op::not_null: {
      const auto v = run(c.args[0]);
      return v.is_error() ? v : value::of_bool(!v.is_null());
    }
    case op::list:
    case op::map: return collection(c);
    case op::all:
    case op::exists: return quantified(c);
    case op::exists_one: return exactly_one(c);
    case op::transform:
    case op::filter: return selected(c);
    }
    return value::failure("internal error");
  }

private:
  static value mismatch(std::string_view name, std::span<const value> args, const checked& c) {
    std::string text = "no such overload: '" + std::string{name} + "' applied to '(";
    for (std::size_t i = 0; i < args.size(); ++i)
      text += (i > 0 ? ", " : "") + std::string{kind_name(args[i])};
    text += ")'";
    for (std::size_t i = 0; i < args.size(); ++i)
      if (args[i].is_null() && c.args[i].what == checked::op::variable) {
        text += " (" + c.args[i].name + " is null)";
        break;
      }
    return value::failure(std::move(text));
  }

  value call(const checked& c) {
    constexpr std::size_t few = 4;
    std::array<value, few> small;
    std::vector<value> large;
    const auto count = c.args.size();
    if (count > few)
      large.resize(count);
    const std::span<value> args = count > few ? std::span{large} : std::span{small}.first(count);
    for (std::size_t i = 0; i < count; ++i) {
      args[i] = run(c.args[i]);
      if (args[i].is_error())
        return std::move(args[i]);
    }
    auto result = c.function->run(args);
    // An unworded failure means that no overload takes these kinds; the arguments are then untouched.
    if (result.is_error() && result.s.empty())
      return mismatch(c.function->name, args, c);
    return result;
  }

  /// && and || (`decisive` false and true): a decisive side wins over an error on the other side, whichever it is.
  value logical(const checked& c, bool decisive) {
    std::array<value, 2> sides;
    for (std::size_t i = 0; i < 2; ++i) {
      sides[i] = run(c.args[i]);
      if (sides[i].is(value_kind::boolean) && sides[i].b == decisive)
        return value::of_bool(decisive);
    }
    for (auto& s : sides)
      if (s.is_error())
        return std::move(s);
    if (!sides[0].is(value_kind::boolean) || !sides[1].is(value_kind::boolean))
      return mismatch(decisive ? "_||_" : "_&&_", sides, c);
    return value::of_bool(!decisive);
  }

  value conditional(const checked& c) {
    auto condition = run(c.args[0]);
    if (condition.is_error())
      return condition;
    if (!condition.is(value_kind::boolean))
      return mismatch("_?_:_", std::span{&condition, 1}, c);
    return run(c.args[condition.b ? 1 : 2]);
  }

  value select(const checked& c) {
    auto target = run(c.args[0]);
    if (target.is_error())
      return target;
    const bool test = c.what == checked::op::present;
    if (!target.is(value_kind::map))
      return value::failure("no such overload: field '" + c.name + "' of " + std::string{kind_name(target)});
    const auto* found = find_key(target, std::string_view{c.name});
    if (test)
      return value::of_bool(found != nullptr);
    return found != nullptr ? *found : value::failure("no such key: " + c.name);
  }

  value collection(const checked& c) {
    value::items_type items;
    items.reserve(c.args.size());
    for (const auto& a : c.args) {
      items.push_back(run(a));
      if (items.back().is_error())
        return std::move(items.back());
    }
    return c.what == checked::op::list ? value::of_list(std::move(items)) : make_map(std::move(items));
  }

  /// The elements a macro runs over: those of a list, the keys of a map; an error otherwise.
  value range(const checked& c) {
    auto over = run(c.args[0]);
    if (over.is_error() || over.is(value_kind::list))
      return over;
    if (!over.is(value_kind::map))
      return value::failure("no such overload: a macro over " + std::string{kind_name(over)});
    value::items_type keys;
    for (std::size_t i = 0; i < over.items->size(); i += 2)
      keys.push_back((*over.items)[i]);
    return value::of_list(std::move(keys));
  }

  value with_local(const checked& c, const value& element, const checked& body) {
    if (++iterations_ > max_iterations)
      return value::failure("more than " + std::to_string(max_iterations) + " iterations");
    if (locals_.size() <= c.index)
      locals_.resize(c.index + 1);
    locals_[c.index] = element;
    return run(body);
  }

  static value not_bool(const value& v) {
    return value::failure("no such overload: condition of a macro is " + std::string{kind_name(v)});
  }

  value quantified(const checked& c) {
    const bool decisive = c.what == checked::op::exists;
    auto over = range(c);
    if (over.is_error())
      return over;
    value failed = value::of_bool(!decisive);
    for (const auto& element : *over.items) {
      auto v = with_local(c, element, c.args[1]);
      if (v.is(value_kind::boolean) && v.b == decisive)
        return v;
      if (iterations_ > max_iterations)
        return v;
      if (!v.is(value_kind::boolean) && !failed.is_error())
        failed = v.is_error() ? std::move(v) : not_bool(v);
    }
    return failed;
  }

  value exactly_one(const checked& c) {
    auto over = range(c);
    if (over.is_error())
      return over;
    std::size_t count = 0;
    for (const auto& element : *over.items) {
      auto v = with_local(c, element, c.args[1]);
      if (!v.is(value_kind::boolean))
        return v.is_error() ? v : not_bool(v);
      count += v.b ? 1 : 0;
    }
    return value::of_bool(count == 1);
  }

  value selected(const checked& c) {
    auto over = range(c);
    if (over.is_error())
      return over;
    const bool transform = c.what == checked::op::transform;
    const bool conditional = !transform || c.args.size() == 3;
    value::items_type out;
    for (const auto& element : *over.items) {
      if (conditional) {
        auto v = with_local(c, element, c.args[1]);
        if (!v.is(value_kind::boolean))
          return v.is_error() ? v : not_bool(v);
        if (!v.b)
          continue;
      }
      out.push_back(transform ? with_local(c, element, c.args.back()) : element);
      if (out.back().is_error())
        return std::move(out.back());
    }
    return value::of_list(std::move(out));
  }

  variable_source& variables_;
  std::vector<value> locals_;
  std::size_t iterations_ = 0;
};

} // namespace

value text_value(data_type type, std::string_view text) {
  if (type == data_type::json)
    return parse_json(text);
  return {type == data_type::bytes ? value_kind::bytes : value_kind::string, std::string{text}};
}

value value_at(const column& c, std::size_t row) {
  if (c.is_null(row))
    return {};
  switch (c.type) {
  case data_type::boolean: return value::of_bool(c.b8[row] != 0);
  case data_type::int64: return value::of_int(c.i64[row]);
  case data_type::uint64: return value::of_uint(c.u64(row));
  case data_type::float64: return value::of_double(c.f64[row]);
  case data_type::duration: return value::of_duration(c.i64[row]);
  case data_type::timestamp: {
    const auto seconds = floor_div(c.i64[row], ns_per_second);
    return value::of_timestamp(seconds, static_cast<std::uint32_t>(c.i64[row] - seconds * ns_per_second));
  }
  default: return text_value(c.type, c.text(row));
  }
}

value row_source::load(std::size_t index) {
  const auto& c = in_.columns[index];
  if (c.type != data_type::json)
    return value_at(c, row_);
  for (const auto& [i, v] : parsed_)
    if (i == index)
      return v;
  return parsed_.emplace_back(index, value_at(c, row_)).second;
}

value interpret(const checked& c, variable_source& variables) { return interpreter{variables}.run(c); }

} // namespace millrace::expressions
