// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/value.hpp"

#include <cmath>
#include <unordered_set>

namespace millrace::expressions {

namespace {

constexpr double two_63 = 9223372036854775808.0;
constexpr double two_64 = 18446744073709551616.0;

template <class F>
auto visit_number(const value& v, F&& f) {
  if (v.what == value_kind::int64)
    return f(v.i);
  if (v.what == value_kind::uint64)
    return f(v.u);
  return f(v.d);
}

std::partial_ordering compare_any_numbers(const value& a, const value& b) noexcept {
  return visit_number(a, [&](auto x) { return visit_number(b, [&](auto y) { return compare_numbers(x, y); }); });
}

bool equal_maps(const value& a, const value& b) noexcept {
  if (a.items->size() != b.items->size())
    return false;
  for (std::size_t i = 0; i + 1 < a.items->size(); i += 2) {
    const auto* other = find_key(b, (*a.items)[i]);
    if (other == nullptr || !equal((*a.items)[i + 1], *other))
      return false;
  }
  return true;
}

/// Equal for equal keys: numbers of all kinds that a key can have are integers.
std::string key_text(const value& key) {
  switch (key.what) {
  case value_kind::boolean: return key.b ? "b1" : "b0";
  case value_kind::int64: return "n" + std::to_string(key.i);
  case value_kind::uint64: return "n" + std::to_string(key.u);
  default: return "s" + key.s;
  }
}

} // namespace

std::partial_ordering compare_numbers(std::int64_t a, double b) noexcept {
  if (std::isnan(b))
    return std::partial_ordering::unordered;
  if (b >= two_63)
    return std::partial_ordering::less;
  if (b < -two_63)
    return std::partial_ordering::greater;
  // Within the range the integer part of b is exact, and what is cut off decides a tie.
  const double whole = std::trunc(b);
  const auto w = static_cast<std::int64_t>(whole);
  if (a != w)
    return a <=> w;
  return whole <=> b;
}

std::partial_ordering compare_numbers(std::uint64_t a, double b) noexcept {
  if (std::isnan(b))
    return std::partial_ordering::unordered;
  if (b >= two_64)
    return std::partial_ordering::less;
  if (b < 0)
    return std::partial_ordering::greater;
  const double whole = std::trunc(b);
  const auto w = static_cast<std::uint64_t>(whole);
  if (a != w)
    return a <=> w;
  return whole <=> b;
}

std::partial_ordering compare_numbers(std::int64_t a, std::uint64_t b) noexcept {
  if (a < 0)
    return std::partial_ordering::less;
  return static_cast<std::uint64_t>(a) <=> b;
}

std::string_view type_name(const value& v) noexcept {
  switch (v.what) {
  case value_kind::null: return "null_type";
  case value_kind::timestamp: return "google.protobuf.Timestamp";
  case value_kind::duration: return "google.protobuf.Duration";
  case value_kind::optional: return "optional_type";
  default: return kind_name(v);
  }
}

std::string_view kind_name(const value& v) noexcept {
  static constexpr std::string_view names[] = {"null",      "bool",     "int",  "uint", "double", "string",   "bytes",
                                               "timestamp", "duration", "list", "map",  "type",   "optional", "error"};
  return names[static_cast<std::size_t>(v.what)];
}

bool equal(const value& a, const value& b) noexcept {
  if (a.is_number() && b.is_number())
    return compare_any_numbers(a, b) == 0;
  if (a.what != b.what)
    return false;
  switch (a.what) {
  case value_kind::boolean: return a.b == b.b;
  case value_kind::duration: return a.i == b.i;
  case value_kind::timestamp: return a.i == b.i && a.nanos == b.nanos;
  case value_kind::string:
  case value_kind::bytes:
  case value_kind::type: return a.s == b.s;
  case value_kind::optional:
  case value_kind::list:
    if (a.items->size() != b.items->size())
      return false;
    for (std::size_t i = 0; i < a.items->size(); ++i)
      if (!equal((*a.items)[i], (*b.items)[i]))
        return false;
    return true;
  case value_kind::map: return equal_maps(a, b);
  default: return a.what == value_kind::null;
  }
}

std::optional<std::partial_ordering> compare(const value& a, const value& b) noexcept {
  if (a.is_number() && b.is_number())
    return compare_any_numbers(a, b);
  if (a.what != b.what)
    return std::nullopt;
  switch (a.what) {
  case value_kind::boolean: return a.b <=> b.b;
  case value_kind::duration: return a.i <=> b.i;
  case value_kind::timestamp: return a.i != b.i ? a.i <=> b.i : a.nanos <=> b.nanos;
  // char_traits<char> compares as unsigned bytes, which is the order of code points in UTF-8.
  case value_kind::string:
  case value_kind::bytes: return a.s.compare(b.s) <=> 0;
  default: return std::nullopt;
  }
}

const value* find_key(const value& map, const value& key) noexcept {
  for (std::size_t i = 0; i + 1 < map.items->size(); i += 2)
    if (equal((*map.items)[i], key))
      return &(*map.items)[i + 1];
  return nullptr;
}

const value* find_key(const value& map, std::string_view key) noexcept {
  for (std::size_t i = 0; i + 1 < map.items->size(); i += 2)
    if ((*map.items)[i].is(value_kind::string) && (*map.items)[i].s == key)
      return &(*map.items)[i + 1];
  return nullptr;
}

value make_map(value::items_type keys_and_values) {
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i + 1 < keys_and_values.size(); i += 2) {
    const auto& key = keys_and_values[i];
    if (!key.is(value_kind::boolean) && !key.is(value_kind::int64) && !key.is(value_kind::uint64) &&
        !key.is(value_kind::string))
      return value::failure("unsupported key type: " + std::string{kind_name(key)});
    if (!seen.insert(key_text(key)).second)
      return value::failure("duplicate key in map: " + key_text(key).substr(1));
  }
  return value::of_map(std::move(keys_and_values));
}

} // namespace millrace::expressions
