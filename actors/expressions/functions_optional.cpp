// SPDX-License-Identifier: Apache-2.0
// Optional values (cel-spec proposal 246).
#include "actors/expressions/registry.hpp"

namespace millrace::expressions::native {

namespace {

using enum value_kind;

/// What an unset field of that type would be.
bool is_zero(const value& v) noexcept {
  switch (v.what) {
  case null: return true;
  case boolean: return !v.b;
  case int64:
  case uint64:
  case duration: return v.i == 0;
  case float64: return v.d == 0;
  case timestamp: return v.i == 0 && v.nanos == 0;
  case string:
  case bytes: return v.s.empty();
  case list:
  case map:
  case optional: return v.items->empty();
  default: return false;
  }
}

std::string describe(const value& key) {
  std::string out;
  append_json(out, key);
  return out;
}

/// The element, none, or an error, of a list or map.
value look_up(const value& from, const value& key) {
  if (from.is(map)) {
    const auto* found = find_key(from, key);
    return found != nullptr ? value::of_optional(*found) : value::none();
  }
  if (!from.is(list) || !key.is_number())
    return no_overload();
  const auto size = value::of_int(static_cast<std::int64_t>(from.items->size()));
  // Also false for NaN.
  if (!(*compare(key, value::of_int(0)) >= 0) || !(*compare(key, size) < 0))
    return value::none();
  const auto index = key.is(float64) ? static_cast<std::size_t>(key.d) : static_cast<std::size_t>(key.u);
  if (!equal(value::of_uint(index), key))
    return value::failure("invalid index: " + describe(key));
  return value::of_optional((*from.items)[index]);
}

} // namespace

value optional_of(std::span<value> a) { return value::of_optional(std::move(a[0])); }

value optional_of_non_zero(std::span<value> a) {
  return is_zero(a[0]) ? value::none() : value::of_optional(std::move(a[0]));
}

value optional_none(std::span<value>) { return value::none(); }

value has_value(std::span<value> a) { return a[0].is(optional) ? value::of_bool(!a[0].is_none()) : no_overload(); }

value value_of(std::span<value> a) {
  if (!a[0].is(optional))
    return no_overload();
  return a[0].is_none() ? value::failure("optional.none() dereference") : a[0].items->front();
}

// The interpreter computes the second argument only if the first is none.
value or_optional(std::span<value> a) {
  if (!a[0].is(optional) || (a.size() == 2 && !a[1].is(optional)))
    return no_overload();
  return std::move(a[a[0].is_none() ? 1 : 0]);
}

value or_value(std::span<value> a) {
  if (!a[0].is(optional))
    return no_overload();
  return a[0].is_none() ? std::move(a[1]) : a[0].items->front();
}

// Of null both are none: a field that an event does not have is null, not absent.
value select_optional(std::span<value> a) {
  if (a[0].is_none() || a[0].is_null())
    return value::none();
  const bool chained = a[0].is(optional);
  const auto& from = chained ? a[0].items->front() : a[0];
  if (from.is(map))
    return look_up(from, a[1]);
  if (chained && from.is_null())
    return value::none();
  return value::failure("no such key: " + a[1].s + " (of " + std::string{kind_name(from)} + ")");
}

value at_optional_index(std::span<value> a) {
  if (a[0].is_none() || a[0].is_null())
    return value::none();
  const auto& from = a[0].is(optional) ? a[0].items->front() : a[0];
  return from.is_null() ? value::none() : look_up(from, a[1]);
}

} // namespace millrace::expressions::native
