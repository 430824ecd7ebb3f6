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
    auto v = compute(c);
    // An error keeps the place of the innermost part that has no value.
    if (v.is_error() && v.i == 0)
      v.i = static_cast<std::int64_t>(c.offset) + 1;
    return v;
  }

private:
  value compute(const checked& c) {
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
    case op::optional_item: break;
    case op::all:
    case op::exists: return quantified(c);
    case op::exists_one: return exactly_one(c);
    case op::transform:
    case op::filter: return selected(c);
    case op::sort_by: return sorted(c);
    case op::transform_map:
    case op::transform_map_entry: return transformed_map(c);
    case op::opt_map:
    case op::opt_flat_map: return mapped_optional(c);
    }
    return value::failure("internal error");
  }

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
    std::size_t computed = 0;
    while (computed < count) {
      auto& a = args[computed];
      a = run(c.args[computed++]);
      if (a.is_error())
        return std::move(a);
      if (computed == 1 && c.function->first_decides && a.is(value_kind::optional) && !a.is_none())
        break;
    }
    auto result = c.function->run(args.first(computed));
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
    if (target.is(value_kind::optional)) {
      if (target.is_none())
        return test ? value::of_bool(false) : std::move(target);
      const auto& inner = target.items->front();
      const auto* found = inner.is(value_kind::map) ? find_key(inner, std::string_view{c.name}) : nullptr;
      if (test)
        return value::of_bool(found != nullptr);
      if (!inner.is(value_kind::map))
        return value::failure("no such key: " + c.name + " (of " + std::string{kind_name(inner)} + ")");
      return found != nullptr ? value::of_optional(*found) : value::none();
    }
    if (!target.is(value_kind::map))
      return value::failure("no such overload: field '" + c.name + "' of " + std::string{kind_name(target)});
    const auto* found = find_key(target, std::string_view{c.name});
    if (test)
      return value::of_bool(found != nullptr);
    return found != nullptr ? *found : value::failure("no such key: " + c.name);
  }

  /// Counts a value that a list or map keeps; false beyond the bound. Lists and maps themselves are shared.
  bool collected(const value& v) {
    collected_bytes_ += v.s.size();
    return collected_bytes_ <= max_collected_bytes;
  }

  static value too_much() {
    return value::failure("more than " + std::to_string(max_collected_bytes) + " bytes of text in lists and maps");
  }

  value collection(const checked& c) {
    value::items_type items;
    items.reserve(c.args.size());
    for (const auto& a : c.args) {
      const bool optional = a.what == checked::op::optional_item;
      auto v = run(optional ? a.args[0] : a);
      if (v.is_error())
        return v;
      if (optional && !v.is(value_kind::optional))
        return value::failure("no such overload: '?' before " + std::string{kind_name(v)});
      if (!collected(v))
        return too_much();
      if (!optional)
        items.push_back(std::move(v));
      else if (!v.is_none())
        items.push_back(v.items->front());
      else if (c.what == checked::op::map)
        items.pop_back(); // the key
    }
    return c.what == checked::op::list ? value::of_list(std::move(items)) : make_map(std::move(items));
  }

  /// What a macro runs over: the element (or the key of a map), or index and value, or key and value.
  struct elements {
    value over;
    bool two_variables = false;

    bool is_map() const { return over.is(value_kind::map); }
    std::size_t size() const { return is_map() ? over.items->size() / 2 : over.items->size(); }
    const value& value_at(std::size_t i) const { return (*over.items)[is_map() ? 2 * i + 1 : i]; }
    value key_at(std::size_t i) const {
      return is_map() ? (*over.items)[2 * i] : value::of_int(static_cast<std::int64_t>(i));
    }
    /// The first local.
    value first_at(std::size_t i) const { return two_variables || is_map() ? key_at(i) : value_at(i); }
  };

  /// Of an error `over` is that error.
  elements range(const checked& c) {
    elements e{run(c.args[0]), c.two_variables};
    const bool map = e.is_map() && c.what != checked::op::sort_by;
    if (!e.over.is_error() && !e.over.is(value_kind::list) && !map)
      e.over = value::failure("no such overload: a macro over " + std::string{kind_name(e.over)});
    return e;
  }

  /// The value of `body` for element `i`.
  value with_local(const checked& c, const elements& e, std::size_t i, const checked& body) {
    return with_locals(c, e.first_at(i), e.two_variables ? &e.value_at(i) : nullptr, body);
  }

  value with_locals(const checked& c, value first, const value* second, const checked& body) {
    if (++iterations_ > max_iterations)
      return value::failure("more than " + std::to_string(max_iterations) + " iterations");
    if (locals_.size() <= c.index + 1)
      locals_.resize(c.index + 2);
    locals_[c.index] = std::move(first);
    if (second != nullptr)
      locals_[c.index + 1] = *second;
    return run(body);
  }

  static value not_bool(const value& v) {
    return value::failure("no such overload: condition of a macro is " + std::string{kind_name(v)});
  }

  value quantified(const checked& c) {
    const bool decisive = c.what == checked::op::exists;
    auto e = range(c);
    if (e.over.is_error())
      return std::move(e.over);
    value failed = value::of_bool(!decisive);
    for (std::size_t i = 0; i < e.size(); ++i) {
      auto v = with_local(c, e, i, c.args[1]);
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
    auto e = range(c);
    if (e.over.is_error())
      return std::move(e.over);
    std::size_t count = 0;
    for (std::size_t i = 0; i < e.size(); ++i) {
      auto v = with_local(c, e, i, c.args[1]);
      if (!v.is(value_kind::boolean))
        return v.is_error() ? v : not_bool(v);
      count += v.b ? 1 : 0;
    }
    return value::of_bool(count == 1);
  }

  /// Calls `take(i)` for every element that the condition, if there is one, selects, until it answers an error.
  template <class F>
  value for_selected(const checked& c, const elements& e, F&& take) {
    const bool conditional = c.what == checked::op::filter || c.args.size() == 3;
    for (std::size_t i = 0; i < e.size(); ++i) {
      if (conditional) {
        auto v = with_local(c, e, i, c.args[1]);
        if (!v.is(value_kind::boolean))
          return v.is_error() ? v : not_bool(v);
        if (!v.b)
          continue;
      }
      auto answer = take(i);
      if (answer.is_error())
        return answer;
    }
    return {};
  }

  value selected(const checked& c) {
    auto e = range(c);
    if (e.over.is_error())
      return std::move(e.over);
    value::items_type out;
    auto failed = for_selected(c, e, [&](std::size_t i) {
      auto v = c.what == checked::op::filter ? e.first_at(i) : with_local(c, e, i, c.args.back());
      if (v.is_error())
        return v;
      if (!collected(v))
        return too_much();
      out.push_back(std::move(v));
      return value{};
    });
    return failed.is_error() ? failed : value::of_list(std::move(out));
  }

  value transformed_map(const checked& c) {
    auto e = range(c);
    if (e.over.is_error())
      return std::move(e.over);
    value::items_type out;
    auto failed = for_selected(c, e, [&](std::size_t i) {
      auto v = with_local(c, e, i, c.args.back());
      if (v.is_error())
        return v;
      if (!collected(v))
        return too_much();
      if (c.what == checked::op::transform_map) {
        out.push_back(e.key_at(i));
        out.push_back(std::move(v));
        return value{};
      }
      if (!v.is(value_kind::map))
        return value::failure("no such overload: an entry of transformMapEntry is " + std::string{kind_name(v)});
      out.insert(out.end(), v.items->begin(), v.items->end());
      return out.size() / 2 > max_result_items ? value::failure("map larger than " + std::to_string(max_result_items))
                                               : value{};
    });
    return failed.is_error() ? failed : make_map(std::move(out));
  }

  value sorted(const checked& c) {
    auto e = range(c);
    if (e.over.is_error())
      return std::move(e.over);
    value::items_type keys;
    for (std::size_t i = 0; i < e.size(); ++i) {
      keys.push_back(with_local(c, e, i, c.args[1]));
      if (keys.back().is_error())
        return std::move(keys.back());
      if (!collected(keys.back()))
        return too_much();
    }
    return sorted_by(*e.over.items, keys, "sortBy");
  }

  value mapped_optional(const checked& c) {
    auto target = run(c.args[0]);
    if (target.is_error() || target.is_none())
      return target;
    const bool flat = c.what == checked::op::opt_flat_map;
    const std::string name = flat ? "optFlatMap" : "optMap";
    if (!target.is(value_kind::optional))
      return value::failure("no such overload: " + name + " of " + std::string{kind_name(target)});
    auto v = with_locals(c, target.items->front(), nullptr, c.args[1]);
    if (v.is_error() || (flat && v.is(value_kind::optional)))
      return v;
    return flat ? value::failure("no such overload: result of " + name + " is " + std::string{kind_name(v)})
                : value::of_optional(std::move(v));
  }

  variable_source& variables_;
  std::vector<value> locals_;
  std::size_t iterations_ = 0;
  std::size_t collected_bytes_ = 0;
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
