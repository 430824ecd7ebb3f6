// SPDX-License-Identifier: Apache-2.0
// The strict operators. Integers never wrap: what does not fit is an error (langdef.md, "Overflow").
#include "actors/expressions/registry.hpp"
#include "actors/expressions/time.hpp"

#include <cmath>
#include <limits>

namespace millrace::expressions::native {

namespace {

using enum value_kind;
__extension__ using int128 = __int128;

value overflow() { return value::failure("integer overflow"); }
value out_of_range(std::string_view what) { return value::failure(std::string{what} + " out of range"); }

bool both(std::span<value> a, value_kind k) noexcept { return a[0].is(k) && a[1].is(k); }

value shift(const value& t, std::int64_t ns) {
  // Seconds and nanoseconds apart: the sum of a CEL timestamp and a duration does not fit 64-bit nanoseconds.
  std::int64_t nanos = static_cast<std::int64_t>(t.nanos) + ns % ns_per_second;
  std::int64_t seconds = t.i + ns / ns_per_second + floor_div(nanos, ns_per_second);
  nanos -= floor_div(nanos, ns_per_second) * ns_per_second;
  if (seconds < first_second || seconds > last_second)
    return out_of_range("timestamp");
  return value::of_timestamp(seconds, static_cast<std::uint32_t>(nanos));
}

value join_text(std::span<value> a) {
  if (a[0].s.size() + a[1].s.size() > max_result_bytes)
    return value::failure("result longer than " + std::to_string(max_result_bytes) + " bytes");
  a[0].s += a[1].s;
  return std::move(a[0]);
}

value join_lists(std::span<value> a) {
  if (a[0].items->size() + a[1].items->size() > max_result_items)
    return value::failure("list longer than " + std::to_string(max_result_items));
  auto items = *a[0].items;
  items.insert(items.end(), a[1].items->begin(), a[1].items->end());
  return value::of_list(std::move(items));
}

/// Applies a test to the order of two values; false where there is none because of NaN.
template <class F>
value ordered(std::span<value> a, F&& test) {
  const auto order = compare(a[0], a[1]);
  return order ? value::of_bool(test(*order)) : no_overload();
}

std::string describe(const value& key) {
  std::string out;
  append_json(out, key);
  return out;
}

} // namespace

value add(std::span<value> a) {
  if (both(a, int64)) {
    std::int64_t r = 0;
    return __builtin_add_overflow(a[0].i, a[1].i, &r) ? overflow() : value::of_int(r);
  }
  if (both(a, uint64)) {
    std::uint64_t r = 0;
    return __builtin_add_overflow(a[0].u, a[1].u, &r) ? overflow() : value::of_uint(r);
  }
  if (both(a, float64))
    return value::of_double(a[0].d + a[1].d);
  if (both(a, string) || both(a, bytes))
    return join_text(a);
  if (both(a, list))
    return join_lists(a);
  if (both(a, duration)) {
    std::int64_t r = 0;
    return __builtin_add_overflow(a[0].i, a[1].i, &r) ? out_of_range("duration") : value::of_duration(r);
  }
  if (a[0].is(timestamp) && a[1].is(duration))
    return shift(a[0], a[1].i);
  if (a[0].is(duration) && a[1].is(timestamp))
    return shift(a[1], a[0].i);
  return no_overload();
}

value subtract(std::span<value> a) {
  std::int64_t r = 0;
  if (both(a, int64))
    return __builtin_sub_overflow(a[0].i, a[1].i, &r) ? overflow() : value::of_int(r);
  if (both(a, uint64)) {
    std::uint64_t u = 0;
    return __builtin_sub_overflow(a[0].u, a[1].u, &u) ? overflow() : value::of_uint(u);
  }
  if (both(a, float64))
    return value::of_double(a[0].d - a[1].d);
  if (both(a, duration))
    return __builtin_sub_overflow(a[0].i, a[1].i, &r) ? out_of_range("duration") : value::of_duration(r);
  if (both(a, timestamp)) {
    const std::int64_t nanos = static_cast<std::int64_t>(a[0].nanos) - static_cast<std::int64_t>(a[1].nanos);
    // The difference of seconds may leave the range while the whole difference is in it, by less than a second.
    const auto whole = static_cast<int128>(a[0].i - a[1].i) * ns_per_second + nanos;
    if (whole < std::numeric_limits<std::int64_t>::min() || whole > std::numeric_limits<std::int64_t>::max())
      return out_of_range("duration");
    return value::of_duration(static_cast<std::int64_t>(whole));
  }
  if (a[0].is(timestamp) && a[1].is(duration)) {
    // The smallest duration has no negative.
    if (a[1].i == std::numeric_limits<std::int64_t>::min()) {
      auto most = shift(a[0], std::numeric_limits<std::int64_t>::max());
      return most.is_error() ? std::move(most) : shift(most, 1);
    }
    return shift(a[0], -a[1].i);
  }
  return no_overload();
}

value multiply(std::span<value> a) {
  if (both(a, int64)) {
    std::int64_t r = 0;
    return __builtin_mul_overflow(a[0].i, a[1].i, &r) ? overflow() : value::of_int(r);
  }
  if (both(a, uint64)) {
    std::uint64_t r = 0;
    return __builtin_mul_overflow(a[0].u, a[1].u, &r) ? overflow() : value::of_uint(r);
  }
  return both(a, float64) ? value::of_double(a[0].d * a[1].d) : no_overload();
}

value divide(std::span<value> a) {
  if (both(a, int64)) {
    if (a[1].i == 0)
      return value::failure("divide by zero");
    if (a[0].i == std::numeric_limits<std::int64_t>::min() && a[1].i == -1)
      return overflow();
    return value::of_int(a[0].i / a[1].i);
  }
  if (both(a, uint64))
    return a[1].u == 0 ? value::failure("divide by zero") : value::of_uint(a[0].u / a[1].u);
  return both(a, float64) ? value::of_double(a[0].d / a[1].d) : no_overload();
}

value modulo(std::span<value> a) {
  if (both(a, int64)) {
    if (a[1].i == 0)
      return value::failure("modulus by zero");
    if (a[0].i == std::numeric_limits<std::int64_t>::min() && a[1].i == -1)
      return overflow();
    return value::of_int(a[0].i % a[1].i);
  }
  if (both(a, uint64))
    return a[1].u == 0 ? value::failure("modulus by zero") : value::of_uint(a[0].u % a[1].u);
  return no_overload();
}

value negate(std::span<value> a) {
  if (a[0].is(int64))
    return a[0].i == std::numeric_limits<std::int64_t>::min() ? overflow() : value::of_int(-a[0].i);
  return a[0].is(float64) ? value::of_double(-a[0].d) : no_overload();
}

value logical_not(std::span<value> a) { return a[0].is(boolean) ? value::of_bool(!a[0].b) : no_overload(); }
value equals(std::span<value> a) { return value::of_bool(equal(a[0], a[1])); }
value differs(std::span<value> a) { return value::of_bool(!equal(a[0], a[1])); }
value less(std::span<value> a) {
  return ordered(a, [](auto o) { return o < 0; });
}
value less_equal(std::span<value> a) {
  return ordered(a, [](auto o) { return o <= 0; });
}
value greater(std::span<value> a) {
  return ordered(a, [](auto o) { return o > 0; });
}
value greater_equal(std::span<value> a) {
  return ordered(a, [](auto o) { return o >= 0; });
}

value contained(std::span<value> a) {
  if (a[1].is(map))
    return value::of_bool(find_key(a[1], a[0]) != nullptr);
  if (!a[1].is(list))
    return no_overload();
  for (const auto& item : *a[1].items)
    if (equal(item, a[0]))
      return value::of_bool(true);
  return value::of_bool(false);
}

value at_index(std::span<value> a) {
  if (a[0].is(map)) {
    const auto* found = find_key(a[0], a[1]);
    return found != nullptr ? *found : value::failure("no such key: " + describe(a[1]));
  }
  if (a[0].is(optional))
    return at_optional_index(a);
  if (!a[0].is(list) || !a[1].is_number())
    return no_overload();
  // Any number with a whole value is an index.
  const auto& items = *a[0].items;
  const auto size = value::of_int(static_cast<std::int64_t>(items.size()));
  if (a[1].is(float64) && a[1].d != std::trunc(a[1].d))
    return value::failure("invalid index: " + describe(a[1]));
  if (!(*compare(a[1], value::of_int(0)) >= 0) || !(*compare(a[1], size) < 0))
    return value::failure("index out of bounds: " + describe(a[1]));
  const auto index = a[1].is(float64) ? static_cast<std::size_t>(a[1].d) : static_cast<std::size_t>(a[1].u);
  return items[index];
}

} // namespace millrace::expressions::native
