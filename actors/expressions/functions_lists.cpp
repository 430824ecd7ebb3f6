// SPDX-License-Identifier: Apache-2.0
// The lists extension of cel-go.
#include "actors/expressions/registry.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_set>

namespace millrace::expressions {

namespace {

using enum value_kind;

value list_too_long() { return value::failure("list longer than " + std::to_string(max_result_items)); }

/// Doubles that are whole numbers equal integers, so they must read as these.
std::string number_text(const value& v) {
  constexpr double two_63 = 9223372036854775808.0;
  constexpr double two_64 = 18446744073709551616.0;
  if (v.is(int64))
    return std::to_string(v.i);
  if (v.is(uint64))
    return std::to_string(v.u);
  if (v.d == std::trunc(v.d) && v.d >= -two_63 && v.d < two_63)
    return std::to_string(static_cast<std::int64_t>(v.d));
  if (v.d == std::trunc(v.d) && v.d >= two_63 && v.d < two_64)
    return std::to_string(static_cast<std::uint64_t>(v.d));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &v.d, sizeof bits);
  return "d" + std::to_string(bits);
}

/// Appends a text that equal values share and others do not. `nan` is set for values that equal nothing.
void append_identity(std::string& out, const value& v, bool& nan) {
  out += static_cast<char>('A' + static_cast<int>(v.is_number() ? int64 : v.what));
  switch (v.what) {
  case boolean: out += v.b ? '1' : '0'; return;
  case int64:
  case uint64:
  case float64:
    nan = nan || (v.is(float64) && std::isnan(v.d));
    out += number_text(v) + ';';
    return;
  case duration: out += std::to_string(v.i) + ';'; return;
  case timestamp: out += std::to_string(v.i) + '.' + std::to_string(v.nanos) + ';'; return;
  case string:
  case bytes:
  case value_kind::type: out += std::to_string(v.s.size()) + ':' + v.s; return;
  case list:
  case optional:
    out += std::to_string(v.items->size()) + ':';
    for (const auto& item : *v.items)
      append_identity(out, item, nan);
    return;
  case map: {
    std::vector<std::string> entries;
    for (std::size_t i = 0; i + 1 < v.items->size(); i += 2) {
      auto& e = entries.emplace_back();
      append_identity(e, (*v.items)[i], nan);
      append_identity(e, (*v.items)[i + 1], nan);
    }
    std::sort(entries.begin(), entries.end());
    out += std::to_string(entries.size()) + ':';
    for (const auto& e : entries)
      out += e;
    return;
  }
  default: return;
  }
}

bool is_ordered(const value& v) noexcept {
  return v.is_number() || v.is(boolean) || v.is(string) || v.is(bytes) || v.is(timestamp) || v.is(duration);
}

/// A strict weak order also of doubles: NaN is after every number.
bool before(const value& a, const value& b) noexcept {
  const bool nan_a = a.is(float64) && std::isnan(a.d);
  const bool nan_b = b.is(float64) && std::isnan(b.d);
  if (nan_a || nan_b)
    return nan_b && !nan_a;
  return *compare(a, b) < 0;
}

/// Appends the elements of `from`, lists among them opened `depth` deep. False if there are too many.
bool append_flat(value::items_type& out, const value& from, std::int64_t depth) {
  for (const auto& item : *from.items) {
    if (item.is(list) && depth > 0) {
      if (!append_flat(out, item, depth - 1))
        return false;
    } else if (out.size() >= max_result_items) {
      return false;
    } else {
      out.push_back(item);
    }
  }
  return true;
}

} // namespace

value sorted_by(const value::items_type& elements, const value::items_type& keys, std::string_view function) {
  for (const auto& k : keys)
    if (!is_ordered(k) || k.what != keys.front().what)
      return value::failure(std::string{function} + " needs values of one type that has an order, not " +
                            std::string{kind_name(is_ordered(keys.front()) ? keys.front() : k)} + " and " +
                            std::string{kind_name(k)});
  std::vector<std::size_t> order(elements.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return before(keys[a], keys[b]); });
  value::items_type out;
  out.reserve(elements.size());
  for (const auto i : order)
    out.push_back(elements[i]);
  return value::of_list(std::move(out));
}

namespace native {

value slice(std::span<value> a) {
  if (!a[0].is(list) || !a[1].is(int64) || !a[2].is(int64))
    return no_overload();
  const auto size = static_cast<std::int64_t>(a[0].items->size());
  const auto from = a[1].i;
  const auto to = a[2].i;
  if (from < 0 || to < 0 || from > to || to > size)
    return value::failure("cannot slice(" + std::to_string(from) + ", " + std::to_string(to) + "), list is length " +
                          std::to_string(size));
  const auto begin = a[0].items->begin();
  return value::of_list({begin + from, begin + to});
}

value flatten(std::span<value> a) {
  if (!a[0].is(list) || (a.size() == 2 && !a[1].is(int64)))
    return no_overload();
  const auto depth = a.size() == 2 ? a[1].i : 1;
  if (depth < 0)
    return value::failure("level must be non-negative");
  value::items_type out;
  return append_flat(out, a[0], depth) ? value::of_list(std::move(out)) : list_too_long();
}

value distinct(std::span<value> a) {
  if (!a[0].is(list))
    return no_overload();
  std::unordered_set<std::string> seen;
  value::items_type out;
  for (const auto& item : *a[0].items) {
    std::string identity;
    bool nan = false;
    append_identity(identity, item, nan);
    if (nan || seen.insert(std::move(identity)).second)
      out.push_back(item);
  }
  return value::of_list(std::move(out));
}

value sort(std::span<value> a) { return a[0].is(list) ? sorted_by(*a[0].items, *a[0].items, "sort") : no_overload(); }

value range(std::span<value> a) {
  if (!a[0].is(int64))
    return no_overload();
  if (a[0].i > static_cast<std::int64_t>(max_result_items))
    return list_too_long();
  value::items_type out;
  for (std::int64_t i = 0; i < a[0].i; ++i)
    out.push_back(value::of_int(i));
  return value::of_list(std::move(out));
}

value first(std::span<value> a) {
  if (!a[0].is(list))
    return no_overload();
  return a[0].items->empty() ? value::none() : value::of_optional(a[0].items->front());
}

value last(std::span<value> a) {
  if (!a[0].is(list))
    return no_overload();
  return a[0].items->empty() ? value::none() : value::of_optional(a[0].items->back());
}

} // namespace native

} // namespace millrace::expressions
