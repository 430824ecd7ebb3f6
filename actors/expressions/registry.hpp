// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every operator and function of the language: name, meaning, overloads, implementation. To add a
/// function, write it in a functions_*.cpp and add one line to registry.cpp; checker, interpreter, hints and the
/// reference page follow.
#pragma once

#include "actors/expressions/value.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::expressions {

/// Computes the value of a call whose arguments are no errors. May take the arguments' content. Answers `no_overload()`
/// for kinds that it does not know (which dynamic values can bring). Pure.
using native_function = value (*)(std::span<value> args);

/// Stands for "no such overload"; the interpreter, which knows the name, words it.
inline value no_overload() { return value::failure({}); }

enum class call_style : std::uint8_t {
  /// Written with symbols: `a + b`.
  op,
  /// f(x)
  global,
  /// x.f()
  member,
  both,
};

struct function_info {
  std::string_view name;
  call_style style;
  std::string_view sentence;
  /// For members the first argument is the receiver.
  std::vector<std::string_view> signatures;
  native_function run;
  /// An optional that has a value as first argument is the only one that is computed; `run` then gets only that one.
  bool first_decides = false;
};

/// What the parser knows as a form of its own: its variables and expressions are no values.
struct macro_info {
  std::string_view name;
  std::string_view form;
  std::string_view sentence;
};

/// In the order of the reference page.
std::span<const function_info> functions();
std::span<const macro_info> macros();
const macro_info* find_macro_info(std::string_view name) noexcept;
/// `math` of `math.abs`.
bool is_function_namespace(std::string_view name) noexcept;
/// Null if there is none. `member`: called as x.name().
const function_info* find_function(std::string_view name, bool member) noexcept;
const function_info* find_operator(std::string_view name) noexcept;
/// A bound that keeps expressions from taking all memory or time.
struct limit_info {
  std::string_view what;
  std::size_t value;
};
std::span<const limit_info> limits();
/// Everything above as a page of Markdown.
std::string reference_page();
/// Names that a call could mean, for hints.
std::vector<std::string> function_names();
/// The parsed signatures of a function of `functions()`.
std::span<const signature> signatures_of(const function_info& f);

namespace native {

value add(std::span<value> a);
value subtract(std::span<value> a);
value multiply(std::span<value> a);
value divide(std::span<value> a);
value modulo(std::span<value> a);
value negate(std::span<value> a);
value logical_not(std::span<value> a);
value equals(std::span<value> a);
value differs(std::span<value> a);
value less(std::span<value> a);
value less_equal(std::span<value> a);
value greater(std::span<value> a);
value greater_equal(std::span<value> a);
value contained(std::span<value> a);
value at_index(std::span<value> a);

value size(std::span<value> a);
value contains(std::span<value> a);
value starts_with(std::span<value> a);
value ends_with(std::span<value> a);
value matches(std::span<value> a);
value char_at(std::span<value> a);
value index_of(std::span<value> a);
value last_index_of(std::span<value> a);
value join(std::span<value> a);
value lower_ascii(std::span<value> a);
value upper_ascii(std::span<value> a);
value replace(std::span<value> a);
value reverse(std::span<value> a);
value split(std::span<value> a);
value quote(std::span<value> a);
value format(std::span<value> a);
value substring(std::span<value> a);
value trim(std::span<value> a);

value to_bool(std::span<value> a);
value to_int(std::span<value> a);
value to_uint(std::span<value> a);
value to_double(std::span<value> a);
value to_text(std::span<value> a);
value to_bytes(std::span<value> a);
value to_timestamp(std::span<value> a);
value to_duration(std::span<value> a);
value to_dyn(std::span<value> a);
value type_of_value(std::span<value> a);

value get_full_year(std::span<value> a);
value get_month(std::span<value> a);
value get_date(std::span<value> a);
value get_day_of_month(std::span<value> a);
value get_day_of_week(std::span<value> a);
value get_day_of_year(std::span<value> a);
value get_hours(std::span<value> a);
value get_minutes(std::span<value> a);
value get_seconds(std::span<value> a);
value get_milliseconds(std::span<value> a);

value greatest(std::span<value> a);
value least(std::span<value> a);
value absolute(std::span<value> a);
value ceiling(std::span<value> a);
value floor(std::span<value> a);
value round(std::span<value> a);
value truncate(std::span<value> a);
value sign(std::span<value> a);
value square_root(std::span<value> a);
value is_nan(std::span<value> a);
value is_infinite(std::span<value> a);
value is_finite(std::span<value> a);
value bit_and(std::span<value> a);
value bit_or(std::span<value> a);
value bit_xor(std::span<value> a);
value bit_not(std::span<value> a);
value bit_shift_left(std::span<value> a);
value bit_shift_right(std::span<value> a);

value slice(std::span<value> a);
value flatten(std::span<value> a);
value distinct(std::span<value> a);
value sort(std::span<value> a);
value range(std::span<value> a);
value first(std::span<value> a);
value last(std::span<value> a);

value base64_encode(std::span<value> a);
value base64_decode(std::span<value> a);

value optional_of(std::span<value> a);
value optional_of_non_zero(std::span<value> a);
value optional_none(std::span<value> a);
value has_value(std::span<value> a);
value value_of(std::span<value> a);
value or_optional(std::span<value> a);
value or_value(std::span<value> a);
value select_optional(std::span<value> a);
value at_optional_index(std::span<value> a);

} // namespace native

/// The elements in the order of their keys, which are as many: both of one type with an order. Stable; NaN comes last.
/// An error names `function`.
value sorted_by(const value::items_type& elements, const value::items_type& keys, std::string_view function);
/// What a pattern is wrong about; nullopt if `matches` can use it. Patterns have bounds.
std::optional<std::string> pattern_error(std::string_view pattern);
/// As `string(double)`: shortest text that reads back as the same number; no exponent between 1e-6 and 1e21.
std::string format_double(double v);

} // namespace millrace::expressions
