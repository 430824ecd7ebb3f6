// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/types.hpp"

#include <cassert>
#include <utility>

namespace millrace::expressions {

namespace {

constexpr std::pair<std::string_view, type_kind> names[] = {
  {"dyn", type_kind::dyn},           {"null", type_kind::null},         {"bool", type_kind::boolean},
  {"int", type_kind::int64},         {"uint", type_kind::uint64},       {"double", type_kind::float64},
  {"string", type_kind::string},     {"bytes", type_kind::bytes},       {"timestamp", type_kind::timestamp},
  {"duration", type_kind::duration}, {"list", type_kind::list},         {"map", type_kind::map},
  {"type", type_kind::type},         {"optional", type_kind::optional},
};

class signature_parser {
public:
  explicit signature_parser(std::string_view text) : text_{text} {}

  signature run() {
    signature s;
    expect("(");
    while (!accept(")")) {
      s.arguments.push_back(one());
      s.variadic = accept("...");
      accept(", ");
    }
    expect(" -> ");
    s.result = one();
    assert(text_.empty());
    return s;
  }

private:
  bool accept(std::string_view s) {
    if (!text_.starts_with(s))
      return false;
    text_.remove_prefix(s.size());
    return true;
  }
  void expect(std::string_view s) {
    [[maybe_unused]] const bool found = accept(s);
    assert(found);
  }

  type one() {
    if (accept("A") || accept("B")) {
      type t{type_kind::parameter};
      t.index = *(text_.data() - 1) == 'B' ? 1 : 0;
      return t;
    }
    const auto length = text_.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
    const auto word = text_.substr(0, length);
    text_.remove_prefix(word.size());
    type t;
    for (const auto& [name, kind] : names)
      if (name == word)
        t.what = kind;
    if (accept("(")) {
      do
        t.of.push_back(one());
      while (accept(", "));
      expect(")");
    }
    return t;
  }

  std::string_view text_;
};

using bindings = std::array<std::optional<type>, 2>;

bool unify(const type& parameter, const type& argument, bindings& bound) {
  if (parameter.what == type_kind::parameter) {
    auto& b = bound[parameter.index];
    if (!b)
      b = argument;
    else if (is_dyn(*b) || is_dyn(argument))
      b = type{type_kind::dyn};
    else if (!(*b == argument))
      return false;
    b->nullable = b->nullable || argument.nullable;
    return true;
  }
  if (is_dyn(parameter) || is_dyn(argument))
    return true;
  if (parameter.what != argument.what || parameter.of.size() != argument.of.size())
    return false;
  for (std::size_t i = 0; i < parameter.of.size(); ++i)
    if (!unify(parameter.of[i], argument.of[i], bound))
      return false;
  return true;
}

type substitute(const type& t, const bindings& bound) {
  if (t.what == type_kind::parameter)
    return bound[t.index].value_or(type{type_kind::dyn});
  type out{t.what};
  for (const auto& p : t.of)
    out.of.push_back(substitute(p, bound));
  return out;
}

} // namespace

std::string to_string(const type& t) {
  if (t.what == type_kind::parameter)
    return t.index == 0 ? "A" : "B";
  std::string out;
  for (const auto& [name, kind] : names)
    if (kind == t.what)
      out = name;
  if (!t.of.empty()) {
    out += '(';
    for (std::size_t i = 0; i < t.of.size(); ++i)
      out += (i > 0 ? ", " : "") + to_string(t.of[i]);
    out += ')';
  }
  return out;
}

std::string to_string(std::span<const type> types) {
  std::string out = "(";
  for (std::size_t i = 0; i < types.size(); ++i)
    out += (i > 0 ? ", " : "") + to_string(types[i]);
  return out + ")";
}

type type_of(const field& f) {
  static constexpr type_kind kinds[] = {type_kind::boolean,   type_kind::int64,    type_kind::uint64,
                                        type_kind::float64,   type_kind::string,   type_kind::bytes,
                                        type_kind::timestamp, type_kind::duration, type_kind::dyn};
  type t{kinds[static_cast<std::size_t>(f.type)]};
  t.nullable = f.nullable || f.type == data_type::json;
  return t;
}

data_type column_type(const type& t) noexcept {
  switch (t.what) {
  case type_kind::boolean: return data_type::boolean;
  case type_kind::int64: return data_type::int64;
  case type_kind::uint64: return data_type::uint64;
  case type_kind::float64: return data_type::float64;
  case type_kind::string:
  case type_kind::type: return data_type::string;
  case type_kind::bytes: return data_type::bytes;
  case type_kind::timestamp: return data_type::timestamp;
  case type_kind::duration: return data_type::duration;
  default: return data_type::json;
  }
}

bool has_column(const type& t) noexcept { return column_type(t) != data_type::json; }

bool comparable(const type& a, const type& b) noexcept {
  if (is_dyn(a) || is_dyn(b) || (is_numeric(a) && is_numeric(b)))
    return true;
  if (a.what == type_kind::null || b.what == type_kind::null)
    return a.what == b.what || a.nullable || b.nullable;
  if (a.what != b.what || a.of.size() != b.of.size())
    return false;
  for (std::size_t i = 0; i < a.of.size(); ++i)
    if (!comparable(a.of[i], b.of[i]))
      return false;
  return true;
}

type join(const type& a, const type& b) {
  const auto with_null = [](type t, bool nullable) {
    t.nullable = t.nullable || nullable;
    return t;
  };
  if (a == b)
    return with_null(a, b.nullable);
  if (a.what == type_kind::null)
    return with_null(b, true);
  if (b.what == type_kind::null)
    return with_null(a, true);
  if (a.what == b.what && a.of.size() == b.of.size() && !a.of.empty()) {
    type t{a.what};
    for (std::size_t i = 0; i < a.of.size(); ++i)
      t.of.push_back(join(a.of[i], b.of[i]));
    return with_null(t, a.nullable || b.nullable);
  }
  return with_null(type{type_kind::dyn}, a.nullable || b.nullable);
}

signature parse_signature(std::string_view text) { return signature_parser{text}.run(); }

std::optional<type> match(const signature& s, std::span<const type> arguments) {
  if (s.variadic ? arguments.size() < s.arguments.size() : arguments.size() != s.arguments.size())
    return std::nullopt;
  bindings bound;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!unify(s.arguments[std::min(i, s.arguments.size() - 1)], arguments[i], bound))
      return std::nullopt;
  return substitute(s.result, bound);
}

} // namespace millrace::expressions
