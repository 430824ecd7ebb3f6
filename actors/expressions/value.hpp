// SPDX-License-Identifier: Apache-2.0
/// @file
/// Values of the reference interpreter, with CEL's equality and order.
#pragma once

#include "actors/expressions/types.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::expressions {

/// Longest text, list or map that a function may make, and deepest dynamic value.
inline constexpr std::size_t max_result_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_result_items = std::size_t{1} << 16;
inline constexpr unsigned max_value_depth = 128;

enum class value_kind : std::uint8_t {
  null,
  boolean,
  int64,
  uint64,
  float64,
  string,
  bytes,
  timestamp,
  duration,
  list,
  map,
  type,
  optional,
  /// Not a value: the text says why there is none.
  error,
};

struct value {
  using items_type = std::vector<value>;

  value_kind what = value_kind::null;
  /// Of a timestamp: nanoseconds after `i` seconds since the epoch (which reach years 1 to 9999).
  std::uint32_t nanos = 0;
  union {
    bool b;
    /// int; duration in nanoseconds; timestamp in seconds; of an error 1 + the offset in the text, 0 if not known.
    std::int64_t i = 0;
    std::uint64_t u;
    double d;
  };
  /// string, bytes, name of a type, text of an error.
  std::string s;
  /// Elements of a list; key, value, key, value of a map in order of insertion; the value, or nothing, of an optional.
  std::shared_ptr<const items_type> items;

  static value of_bool(bool v) {
    value r{value_kind::boolean};
    r.b = v;
    return r;
  }
  static value of_int(std::int64_t v) {
    value r{value_kind::int64};
    r.i = v;
    return r;
  }
  static value of_uint(std::uint64_t v) {
    value r{value_kind::uint64};
    r.u = v;
    return r;
  }
  static value of_double(double v) {
    value r{value_kind::float64};
    r.d = v;
    return r;
  }
  static value of_string(std::string v) { return {value_kind::string, std::move(v)}; }
  static value of_bytes(std::string v) { return {value_kind::bytes, std::move(v)}; }
  static value of_type(std::string_view name) { return {value_kind::type, std::string{name}}; }
  static value of_duration(std::int64_t ns) {
    value r{value_kind::duration};
    r.i = ns;
    return r;
  }
  static value of_timestamp(std::int64_t seconds, std::uint32_t ns) {
    value r{value_kind::timestamp};
    r.i = seconds;
    r.nanos = ns;
    return r;
  }
  static value of_list(items_type v) {
    value r{value_kind::list};
    r.items = std::make_shared<const items_type>(std::move(v));
    return r;
  }
  static value of_map(items_type keys_and_values) {
    value r{value_kind::map};
    r.items = std::make_shared<const items_type>(std::move(keys_and_values));
    return r;
  }
  static value of_optional(value v) {
    value r{value_kind::optional};
    items_type one;
    one.push_back(std::move(v));
    r.items = std::make_shared<const items_type>(std::move(one));
    return r;
  }
  static value none() {
    value r{value_kind::optional};
    r.items = std::make_shared<const items_type>();
    return r;
  }
  static value failure(std::string text) { return {value_kind::error, std::move(text)}; }

  value() = default;
  explicit value(value_kind k) : what{k} {}
  value(value_kind k, std::string text) : what{k}, s{std::move(text)} {}

  bool is(value_kind k) const noexcept { return what == k; }
  bool is_error() const noexcept { return what == value_kind::error; }
  bool is_null() const noexcept { return what == value_kind::null; }
  bool is_none() const noexcept { return what == value_kind::optional && items->empty(); }
  bool is_number() const noexcept {
    return what == value_kind::int64 || what == value_kind::uint64 || what == value_kind::float64;
  }
};

/// The name CEL gives the value's type: `int`, `null_type`, `google.protobuf.Timestamp`.
std::string_view type_name(const value& v) noexcept;
/// The short name used in messages: `null`, `timestamp`.
std::string_view kind_name(const value& v) noexcept;

/// CEL's `==`: values of different kinds differ, but numbers compare by what they mean.
bool equal(const value& a, const value& b) noexcept;
/// CEL's order, empty if there is none; `unordered` for NaN.
std::optional<std::partial_ordering> compare(const value& a, const value& b) noexcept;

std::partial_ordering compare_numbers(std::int64_t a, double b) noexcept;
std::partial_ordering compare_numbers(std::uint64_t a, double b) noexcept;
std::partial_ordering compare_numbers(std::int64_t a, std::uint64_t b) noexcept;
inline std::partial_ordering compare_numbers(double a, double b) noexcept { return a <=> b; }
inline std::partial_ordering compare_numbers(std::int64_t a, std::int64_t b) noexcept { return a <=> b; }
inline std::partial_ordering compare_numbers(std::uint64_t a, std::uint64_t b) noexcept { return a <=> b; }
inline std::partial_ordering compare_numbers(double a, std::int64_t b) noexcept { return 0 <=> compare_numbers(b, a); }
inline std::partial_ordering compare_numbers(double a, std::uint64_t b) noexcept { return 0 <=> compare_numbers(b, a); }
inline std::partial_ordering compare_numbers(std::uint64_t a, std::int64_t b) noexcept {
  return 0 <=> compare_numbers(b, a);
}

/// The value at `key`; null pointer if there is none.
const value* find_key(const value& map, const value& key) noexcept;
const value* find_key(const value& map, std::string_view key) noexcept;

/// A map of these keys and values, or an error: keys are bool, int, uint or string, and differ.
value make_map(value::items_type keys_and_values);

/// JSON of the value as `millrace eval` prints it: an optional prints as its value, or as null if it has none.
/// Errors print as null: look first.
void append_json(std::string& out, const value& v);
/// Reads JSON text: integers are int (uint above its range), other numbers double. An error for bad text.
value parse_json(std::string_view text);

} // namespace millrace::expressions
