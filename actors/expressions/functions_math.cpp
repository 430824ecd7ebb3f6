// SPDX-License-Identifier: Apache-2.0
// The math extension of cel-go.
#include "actors/expressions/registry.hpp"

#include <cmath>
#include <limits>

namespace millrace::expressions::native {

namespace {

using enum value_kind;

template <class F>
value extreme(std::span<value> a, F&& better) {
  if (a.size() == 1 && a[0].is(list)) {
    auto items = *a[0].items;
    return items.empty() ? value::failure("math.greatest and math.least need at least one number")
                         : extreme(std::span{items}, better);
  }
  std::size_t best = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].is_number())
      return no_overload();
    if (better(*compare(a[i], a[best])))
      best = i;
  }
  return std::move(a[best]);
}

template <class F>
value on_double(std::span<value> a, F&& f) {
  return a[0].is(float64) ? value::of_double(f(a[0].d)) : no_overload();
}

value as_kind(value_kind k, std::uint64_t word) {
  if (k == uint64)
    return value::of_uint(word);
  return k == int64 ? value::of_int(static_cast<std::int64_t>(word)) : no_overload();
}

template <class F>
value bits(std::span<value> a, F&& f) {
  return a[0].what == a[1].what ? as_kind(a[0].what, f(a[0].u, a[1].u)) : no_overload();
}

template <class F>
value shifted(std::span<value> a, std::string_view name, F&& f) {
  if (!a[1].is(int64))
    return no_overload();
  if (a[1].i < 0)
    return value::failure(std::string{name} + "() negative offset: " + std::to_string(a[1].i));
  return as_kind(a[0].what, a[1].i > 63 ? 0 : f(a[0].u, a[1].i));
}

} // namespace

value greatest(std::span<value> a) {
  return extreme(a, [](auto o) { return o > 0; });
}
value least(std::span<value> a) {
  return extreme(a, [](auto o) { return o < 0; });
}

value absolute(std::span<value> a) {
  if (a[0].is(int64) && a[0].i < 0)
    return a[0].i == std::numeric_limits<std::int64_t>::min() ? value::failure("integer overflow")
                                                              : value::of_int(-a[0].i);
  if (a[0].is(int64) || a[0].is(uint64))
    return std::move(a[0]);
  return on_double(a, [](double d) { return std::abs(d); });
}

value ceiling(std::span<value> a) {
  return on_double(a, [](double d) { return std::ceil(d); });
}
value floor(std::span<value> a) {
  return on_double(a, [](double d) { return std::floor(d); });
}
value round(std::span<value> a) {
  return on_double(a, [](double d) { return std::round(d); });
}
value truncate(std::span<value> a) {
  return on_double(a, [](double d) { return std::trunc(d); });
}

value sign(std::span<value> a) {
  if (a[0].is(int64))
    return value::of_int(a[0].i > 0 ? 1 : a[0].i < 0 ? -1 : 0);
  if (a[0].is(uint64))
    return value::of_uint(a[0].u > 0 ? 1 : 0);
  return on_double(a, [](double d) { return d > 0 ? 1.0 : d < 0 ? -1.0 : d; });
}

value square_root(std::span<value> a) {
  if (a[0].is(int64))
    return value::of_double(std::sqrt(static_cast<double>(a[0].i)));
  if (a[0].is(uint64))
    return value::of_double(std::sqrt(static_cast<double>(a[0].u)));
  return on_double(a, [](double d) { return std::sqrt(d); });
}

value bit_and(std::span<value> a) {
  return bits(a, [](std::uint64_t x, std::uint64_t y) { return x & y; });
}
value bit_or(std::span<value> a) {
  return bits(a, [](std::uint64_t x, std::uint64_t y) { return x | y; });
}
value bit_xor(std::span<value> a) {
  return bits(a, [](std::uint64_t x, std::uint64_t y) { return x ^ y; });
}
value bit_not(std::span<value> a) { return as_kind(a[0].what, ~a[0].u); }

value bit_shift_left(std::span<value> a) {
  return shifted(a, "math.bitShiftLeft", [](std::uint64_t x, std::int64_t n) { return x << n; });
}
// The bits of an int move as those of a uint do: zeros come from the left.
value bit_shift_right(std::span<value> a) {
  return shifted(a, "math.bitShiftRight", [](std::uint64_t x, std::int64_t n) { return x >> n; });
}

value is_nan(std::span<value> a) { return a[0].is(float64) ? value::of_bool(std::isnan(a[0].d)) : no_overload(); }
value is_infinite(std::span<value> a) { return a[0].is(float64) ? value::of_bool(std::isinf(a[0].d)) : no_overload(); }
value is_finite(std::span<value> a) { return a[0].is(float64) ? value::of_bool(std::isfinite(a[0].d)) : no_overload(); }

} // namespace millrace::expressions::native
