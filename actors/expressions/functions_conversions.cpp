// SPDX-License-Identifier: Apache-2.0
// Conversions between types (langdef.md, "Type Conversions"): what does not fit is an error.
#include "actors/expressions/lexer.hpp"
#include "actors/expressions/registry.hpp"
#include "actors/expressions/time.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace millrace::expressions {

namespace {

using enum value_kind;

constexpr double two_63 = 9223372036854775808.0;
constexpr double two_64 = 18446744073709551616.0;

value bad_text(std::string_view type, const value& v) {
  std::string text;
  append_json(text, v);
  return value::failure("cannot convert " + text + " to " + std::string{type});
}

value out_of_range(std::string_view type) { return value::failure(std::string{type} + " out of range"); }

template <class T>
std::optional<T> read_number(std::string_view text) {
  T v{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (code != std::errc{} || end != text.data() + text.size() || text.empty())
    return std::nullopt;
  return v;
}

std::optional<double> read_double(std::string_view text) {
  const bool plus = text.starts_with('+');
  if (plus)
    text.remove_prefix(1);
  if (plus && text.starts_with('-'))
    return std::nullopt;
  return read_number<double>(text);
}

} // namespace

std::string format_double(double v) {
  if (std::isnan(v))
    return "NaN";
  if (std::isinf(v))
    return v > 0 ? "+Inf" : "-Inf";
  std::array<char, 64> text{};
  const double size = std::abs(v);
  const bool plain = size == 0 || (size >= 1e-6 && size < 1e21);
  const auto end = std::to_chars(text.data(), text.data() + text.size(), v,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {text.data(), end.ptr};
}

namespace native {

value to_bool(std::span<value> a) {
  if (a[0].is(boolean))
    return std::move(a[0]);
  if (!a[0].is(string))
    return no_overload();
  const auto& s = a[0].s;
  if (s == "true" || s == "True" || s == "TRUE" || s == "t" || s == "1")
    return value::of_bool(true);
  if (s == "false" || s == "False" || s == "FALSE" || s == "f" || s == "0")
    return value::of_bool(false);
  return bad_text("bool", a[0]);
}

value to_int(std::span<value> a) {
  switch (a[0].what) {
  case int64: return std::move(a[0]);
  case uint64:
    return a[0].u > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
             ? out_of_range("int")
             : value::of_int(static_cast<std::int64_t>(a[0].u));
  case float64:
    // Both ends are excluded, as cel-go does: a double there may stand for a number beyond.
    return a[0].d > -two_63 && a[0].d < two_63 ? value::of_int(static_cast<std::int64_t>(a[0].d)) : out_of_range("int");
  case string: {
    const std::string_view text = a[0].s;
    const auto v = read_number<std::int64_t>(text.starts_with('+') && !text.starts_with("+-") ? text.substr(1) : text);
    return v ? value::of_int(*v) : bad_text("int", a[0]);
  }
  case timestamp: return value::of_int(a[0].i);
  default: return no_overload();
  }
}

value to_uint(std::span<value> a) {
  switch (a[0].what) {
  case uint64: return std::move(a[0]);
  case int64: return a[0].i < 0 ? out_of_range("uint") : value::of_uint(a[0].u);
  case float64:
    return a[0].d >= 0 && a[0].d < two_64 ? value::of_uint(static_cast<std::uint64_t>(a[0].d)) : out_of_range("uint");
  case string: {
    const auto v = read_number<std::uint64_t>(a[0].s);
    return v ? value::of_uint(*v) : bad_text("uint", a[0]);
  }
  default: return no_overload();
  }
}

value to_double(std::span<value> a) {
  switch (a[0].what) {
  case float64: return std::move(a[0]);
  case int64: return value::of_double(static_cast<double>(a[0].i));
  case uint64: return value::of_double(static_cast<double>(a[0].u));
  case string: {
    const auto v = read_double(a[0].s);
    return v ? value::of_double(*v) : bad_text("double", a[0]);
  }
  default: return no_overload();
  }
}

value to_text(std::span<value> a) {
  switch (a[0].what) {
  case string: return std::move(a[0]);
  case boolean: return value::of_string(a[0].b ? "true" : "false");
  case int64: return value::of_string(std::to_string(a[0].i));
  case uint64: return value::of_string(std::to_string(a[0].u));
  case float64: return value::of_string(format_double(a[0].d));
  case bytes:
    return is_valid_utf8(a[0].s) ? value::of_string(std::move(a[0].s))
                                 : value::failure("invalid UTF-8 in bytes, cannot convert to string");
  case timestamp: return value::of_string(format_timestamp(a[0].i, a[0].nanos, fraction::shortest));
  case duration: return value::of_string(format_duration(a[0].i));
  default: return no_overload();
  }
}

value to_bytes(std::span<value> a) {
  if (a[0].is(bytes))
    return std::move(a[0]);
  return a[0].is(string) ? value::of_bytes(std::move(a[0].s)) : no_overload();
}

value to_timestamp(std::span<value> a) {
  switch (a[0].what) {
  case timestamp: return std::move(a[0]);
  case int64:
    return a[0].i < first_second || a[0].i > last_second ? out_of_range("timestamp") : value::of_timestamp(a[0].i, 0);
  case string: {
    const auto t = parse_timestamp(a[0].s);
    return t ? value::of_timestamp(t->seconds, t->nanos) : bad_text("timestamp", a[0]);
  }
  default: return no_overload();
  }
}

value to_duration(std::span<value> a) {
  if (a[0].is(duration))
    return std::move(a[0]);
  if (!a[0].is(string))
    return no_overload();
  const auto d = parse_duration(a[0].s);
  return d ? value::of_duration(*d) : bad_text("duration", a[0]);
}

value to_dyn(std::span<value> a) { return std::move(a[0]); }

value type_of_value(std::span<value> a) { return value::of_type(a[0].is(value_kind::type) ? "type" : type_name(a[0])); }

} // namespace native

} // namespace millrace::expressions
