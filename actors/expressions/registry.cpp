// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/registry.hpp"

#include <algorithm>

namespace millrace::expressions {

namespace {

using std::string_view;

std::vector<function_info> make_functions() {
  using enum call_style;
  const std::vector<string_view> order{
    "(bool, bool) -> bool",           "(int, int) -> bool",           "(uint, uint) -> bool",
    "(double, double) -> bool",       "(string, string) -> bool",     "(bytes, bytes) -> bool",
    "(timestamp, timestamp) -> bool", "(duration, duration) -> bool", "(int, uint) -> bool",
    "(int, double) -> bool",          "(uint, int) -> bool",          "(uint, double) -> bool",
    "(double, int) -> bool",          "(double, uint) -> bool"};
  const std::vector<string_view> numbers{"(int, int) -> int", "(uint, uint) -> uint", "(double, double) -> double"};
  const std::vector<string_view> bits{"(int, int) -> int", "(uint, uint) -> uint"};
  const std::vector<string_view> part{"(timestamp) -> int", "(timestamp, string) -> int"};
  const std::vector<string_view> part_or_total{"(timestamp) -> int", "(timestamp, string) -> int", "(duration) -> int"};
  const std::vector<string_view> extreme{"(int...) -> int", "(uint...) -> uint", "(double...) -> double",
                                         "(dyn...) -> dyn", "(list(A)) -> A"};
  return {
    {"_+_",
     op,
     "Sum, or concatenation.",
     {"(int, int) -> int", "(uint, uint) -> uint", "(double, double) -> double", "(string, string) -> string",
      "(bytes, bytes) -> bytes", "(list(A), list(A)) -> list(A)", "(timestamp, duration) -> timestamp",
      "(duration, timestamp) -> timestamp", "(duration, duration) -> duration"},
     native::add},
    {"_-_",
     op,
     "Difference.",
     {"(int, int) -> int", "(uint, uint) -> uint", "(double, double) -> double", "(timestamp, timestamp) -> duration",
      "(timestamp, duration) -> timestamp", "(duration, duration) -> duration"},
     native::subtract},
    {"_*_", op, "Product.", numbers, native::multiply},
    {"_/_", op, "Quotient; of integers cut towards zero, an error for a zero divisor.", numbers, native::divide},
    {"_%_",
     op,
     "Remainder, with the sign of the dividend.",
     {"(int, int) -> int", "(uint, uint) -> uint"},
     native::modulo},
    {"-_", op, "Negation.", {"(int) -> int", "(double) -> double"}, native::negate},
    {"!_", op, "Logical not.", {"(bool) -> bool"}, native::logical_not},
    {"_==_", op, "Equality; numbers compare by what they mean.", {"(A, B) -> bool"}, native::equals},
    {"_!=_", op, "Inequality.", {"(A, B) -> bool"}, native::differs},
    {"_<_", op, "Order.", order, native::less},
    {"_<=_", op, "Order.", order, native::less_equal},
    {"_>_", op, "Order.", order, native::greater},
    {"_>=_", op, "Order.", order, native::greater_equal},
    {"@in",
     op,
     "Whether the list holds the value, or the map the key.",
     {"(A, list(B)) -> bool", "(A, map(B, dyn)) -> bool"},
     native::contained},
    {"_[_]",
     op,
     "The element at an index from 0, or the value of a key.",
     {"(list(A), int) -> A", "(map(A, B), A) -> B", "(optional(list(A)), int) -> optional(A)",
      "(optional(map(A, B)), A) -> optional(B)"},
     native::at_index},
    {"_[?_]",
     op,
     "The element at an index, or the value of a key, or none; of null none.",
     {"(list(A), int) -> optional(A)", "(map(A, B), A) -> optional(B)", "(optional(list(A)), int) -> optional(A)",
      "(optional(map(A, B)), A) -> optional(B)"},
     native::at_optional_index},
    {"_?._",
     op,
     "The value of a field, or none; of null none.",
     {"(map(string, A), string) -> optional(A)", "(optional(map(string, A)), string) -> optional(A)"},
     native::select_optional},

    {"size",
     both,
     "Length in code points, bytes, elements or entries.",
     {"(string) -> int", "(bytes) -> int", "(list(A)) -> int", "(map(A, B)) -> int"},
     native::size},
    {"contains", member, "Whether the text holds the other one.", {"(string, string) -> bool"}, native::contains},
    {"startsWith",
     member,
     "Whether the text starts with the other one.",
     {"(string, string) -> bool"},
     native::starts_with},
    {"endsWith", member, "Whether the text ends with the other one.", {"(string, string) -> bool"}, native::ends_with},
    {"matches",
     both,
     "Whether a part of the text matches the regular expression (RE2).",
     {"(string, string) -> bool"},
     native::matches},
    {"charAt", member, "The character at an index, empty at the end.", {"(string, int) -> string"}, native::char_at},
    {"indexOf",
     member,
     "Index of the first occurrence (from an index on), or -1.",
     {"(string, string) -> int", "(string, string, int) -> int"},
     native::index_of},
    {"lastIndexOf",
     member,
     "Index of the last occurrence (starting at or before an index), or -1.",
     {"(string, string) -> int", "(string, string, int) -> int"},
     native::last_index_of},
    {"join",
     member,
     "The texts of the list one after the other, with a separator between them.",
     {"(list(string)) -> string", "(list(string), string) -> string"},
     native::join},
    {"lowerAscii", member, "ASCII letters in lower case.", {"(string) -> string"}, native::lower_ascii},
    {"upperAscii", member, "ASCII letters in upper case.", {"(string) -> string"}, native::upper_ascii},
    {"replace",
     member,
     "Every occurrence (or the first n) replaced.",
     {"(string, string, string) -> string", "(string, string, string, int) -> string"},
     native::replace},
    {"format",
     member,
     "The text with its clauses (%s %d %f %e %b %o %x %X, %.3f, %%) replaced by the values of the list.",
     {"(string, list(dyn)) -> string"},
     native::format},
    {"strings.quote",
     global,
     "The text in double quotes, with escapes for what a literal cannot hold.",
     {"(string) -> string"},
     native::quote},
    {"reverse",
     member,
     "The characters, or the elements, in reverse order.",
     {"(string) -> string", "(list(A)) -> list(A)"},
     native::reverse},
    {"split",
     member,
     "The parts between separators (at most n).",
     {"(string, string) -> list(string)", "(string, string, int) -> list(string)"},
     native::split},
    {"substring",
     member,
     "The characters from an index up to the end, or to another index.",
     {"(string, int) -> string", "(string, int, int) -> string"},
     native::substring},
    {"trim", member, "The text without white space at both ends.", {"(string) -> string"}, native::trim},

    {"bool", global, "Conversion to bool.", {"(bool) -> bool", "(string) -> bool"}, native::to_bool},
    {"int",
     global,
     "Conversion to int: doubles are cut towards zero, timestamps become seconds.",
     {"(int) -> int", "(uint) -> int", "(double) -> int", "(string) -> int", "(timestamp) -> int"},
     native::to_int},
    {"uint",
     global,
     "Conversion to uint.",
     {"(uint) -> uint", "(int) -> uint", "(double) -> uint", "(string) -> uint"},
     native::to_uint},
    {"double",
     global,
     "Conversion to double.",
     {"(double) -> double", "(int) -> double", "(uint) -> double", "(string) -> double"},
     native::to_double},
    {"string",
     global,
     "Conversion to text.",
     {"(string) -> string", "(bool) -> string", "(int) -> string", "(uint) -> string", "(double) -> string",
      "(bytes) -> string", "(timestamp) -> string", "(duration) -> string"},
     native::to_text},
    {"bytes", global, "Conversion to bytes.", {"(bytes) -> bytes", "(string) -> bytes"}, native::to_bytes},
    {"timestamp",
     global,
     "A timestamp from RFC 3339 text, or from seconds since the epoch.",
     {"(timestamp) -> timestamp", "(string) -> timestamp", "(int) -> timestamp"},
     native::to_timestamp},
    {"duration",
     global,
     "A duration from text such as '1h30m'.",
     {"(duration) -> duration", "(string) -> duration"},
     native::to_duration},
    {"dyn", global, "The value, its type forgotten by the checker.", {"(A) -> dyn"}, native::to_dyn},
    {"type", global, "The type of the value.", {"(A) -> type"}, native::type_of_value},

    {"getFullYear", member, "Year, in UTC or a time zone such as 'Europe/Berlin' or '+02:00'.", part,
     native::get_full_year},
    {"getMonth", member, "Month from 0.", part, native::get_month},
    {"getDate", member, "Day of the month from 1.", part, native::get_date},
    {"getDayOfMonth", member, "Day of the month from 0.", part, native::get_day_of_month},
    {"getDayOfWeek", member, "Day of the week, 0 is Sunday.", part, native::get_day_of_week},
    {"getDayOfYear", member, "Day of the year from 0.", part, native::get_day_of_year},
    {"getHours", member, "Hour of the day; of a duration all of its hours.", part_or_total, native::get_hours},
    {"getMinutes", member, "Minute of the hour; of a duration all of its minutes.", part_or_total, native::get_minutes},
    {"getSeconds", member, "Second of the minute; of a duration all of its seconds.", part_or_total,
     native::get_seconds},
    {"getMilliseconds", member, "Millisecond of the second, of a timestamp as of a duration.", part_or_total,
     native::get_milliseconds},

    {"math.greatest", global, "The greatest of numbers.", extreme, native::greatest},
    {"math.least", global, "The least of numbers.", extreme, native::least},
    {"math.abs",
     global,
     "The absolute value.",
     {"(int) -> int", "(uint) -> uint", "(double) -> double"},
     native::absolute},
    {"math.ceil", global, "The next whole number upwards.", {"(double) -> double"}, native::ceiling},
    {"math.floor", global, "The next whole number downwards.", {"(double) -> double"}, native::floor},
    {"math.round",
     global,
     "The nearest whole number; halves go away from zero.",
     {"(double) -> double"},
     native::round},
    {"math.trunc", global, "The whole part.", {"(double) -> double"}, native::truncate},
    {"math.sign", global, "-1, 0 or 1.", {"(int) -> int", "(uint) -> uint", "(double) -> double"}, native::sign},
    {"math.sqrt",
     global,
     "The square root.",
     {"(int) -> double", "(uint) -> double", "(double) -> double"},
     native::square_root},
    {"math.isNaN", global, "Whether the number is not a number.", {"(double) -> bool"}, native::is_nan},
    {"math.isInf", global, "Whether the number is infinite.", {"(double) -> bool"}, native::is_infinite},
    {"math.isFinite", global, "Whether the number is finite.", {"(double) -> bool"}, native::is_finite},
    {"math.bitAnd", global, "The bits that both have.", bits, native::bit_and},
    {"math.bitOr", global, "The bits that one of both has.", bits, native::bit_or},
    {"math.bitXor", global, "The bits in which both differ.", bits, native::bit_xor},
    {"math.bitNot", global, "The bits turned over.", {"(int) -> int", "(uint) -> uint"}, native::bit_not},
    {"math.bitShiftLeft",
     global,
     "The bits moved up; 0 from 64 places on.",
     {"(int, int) -> int", "(uint, int) -> uint"},
     native::bit_shift_left},
    {"math.bitShiftRight",
     global,
     "The bits moved down, with zeros from above also for negative numbers; 0 from 64 places on.",
     {"(int, int) -> int", "(uint, int) -> uint"},
     native::bit_shift_right},

    {"slice",
     member,
     "The elements from an index up to another one, which is not included.",
     {"(list(A), int, int) -> list(A)"},
     native::slice},
    {"flatten",
     member,
     "The list with the elements of its lists in their place, one level or as many as given.",
     {"(list(list(A))) -> list(A)", "(list(dyn)) -> list(dyn)", "(list(dyn), int) -> list(dyn)"},
     native::flatten},
    {"distinct", member, "The elements without those that came before.", {"(list(A)) -> list(A)"}, native::distinct},
    {"sort",
     member,
     "The elements of one type in ascending order, NaN last; equal ones keep their order.",
     {"(list(A)) -> list(A)"},
     native::sort},
    {"first", member, "The first element, or none.", {"(list(A)) -> optional(A)"}, native::first},
    {"last", member, "The last element, or none.", {"(list(A)) -> optional(A)"}, native::last},
    {"lists.range",
     global,
     "The numbers from 0 up to n, which is not included.",
     {"(int) -> list(int)"},
     native::range},

    {"base64.encode", global, "The bytes as base64 text.", {"(bytes) -> string"}, native::base64_encode},
    {"base64.decode",
     global,
     "The bytes of base64 text, with or without padding.",
     {"(string) -> bytes"},
     native::base64_decode},

    {"optional.of", global, "An optional that has this value.", {"(A) -> optional(A)"}, native::optional_of},
    {"optional.ofNonZeroValue",
     global,
     "An optional that has this value, or none for null, false, 0, '' and what is empty.",
     {"(A) -> optional(A)"},
     native::optional_of_non_zero},
    {"optional.none", global, "An optional without a value.", {"() -> optional(A)"}, native::optional_none},
    {"hasValue", member, "Whether the optional has a value.", {"(optional(A)) -> bool"}, native::has_value},
    {"value", member, "The value of the optional, an error if it has none.", {"(optional(A)) -> A"}, native::value_of},
    {"or",
     member,
     "The optional, or the other one if it has no value.",
     {"(optional(A), optional(A)) -> optional(A)"},
     native::or_optional,
     true},
    {"orValue",
     member,
     "The value of the optional, or the other value if it has none.",
     {"(optional(A), A) -> A"},
     native::or_value,
     true},
  };
}

constexpr macro_info macro_table[] = {
  {"has", "has(value.field)", "Whether the field is there; has(field): whether the field of the event is not null."},
  {"all", "list.all(x, condition)", "Whether the condition holds for every element (or key of a map)."},
  {"exists", "list.exists(x, condition)", "Whether the condition holds for an element (or key)."},
  {"exists_one", "list.exists_one(x, condition)", "Whether the condition holds for exactly one element (or key)."},
  {"existsOne", "list.existsOne(x, condition)", "The same as exists_one."},
  {"map", "list.map(x, expression)",
   "The expression's value for every element; list.map(x, condition, expression): "
   "only of those for which the condition holds."},
  {"filter", "list.filter(x, condition)", "The elements (or keys) for which the condition holds."},
  {"sortBy", "list.sortBy(x, key)", "The elements in ascending order of their keys; equal ones keep their order."},
  {"optMap", "optional.optMap(x, expression)", "An optional of the expression's value, none for none."},
  {"optFlatMap", "optional.optFlatMap(x, expression)", "The optional that the expression gives, none for none."},
  {"transformList", "list.transformList(i, x, expression)",
   "As map, with the index (or key) and the value; a condition may come before the expression. all, exists and "
   "existsOne take two variables too."},
  {"transformMap", "map.transformMap(k, x, expression)",
   "The map with the expression's values; a condition may come before the expression."},
  {"transformMapEntry", "map.transformMapEntry(k, x, {key: value})",
   "The map of the entries that the expression gives; a condition may come before the expression."},
};

const std::vector<function_info>& table() {
  static const std::vector<function_info> all = make_functions();
  return all;
}

const function_info* find(string_view name, call_style a) noexcept {
  const auto accepts = [&](call_style s) {
    return s == a || (s == call_style::both && (a == call_style::global || a == call_style::member));
  };
  for (const auto& f : table())
    if (f.name == name && accepts(f.style))
      return &f;
  return nullptr;
}

} // namespace

std::span<const function_info> functions() { return table(); }

std::span<const macro_info> macros() { return macro_table; }

const macro_info* find_macro_info(string_view name) noexcept {
  for (const auto& m : macro_table)
    if (m.name == name)
      return &m;
  return nullptr;
}

bool is_function_namespace(string_view name) noexcept {
  return std::any_of(table().begin(), table().end(), [&](const function_info& f) {
    return f.name.size() > name.size() && f.name.starts_with(name) && f.name[name.size()] == '.';
  });
}

const function_info* find_function(string_view name, bool member) noexcept {
  return find(name, member ? call_style::member : call_style::global);
}

const function_info* find_operator(string_view name) noexcept { return find(name, call_style::op); }

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const auto& m : macro_table)
    names.emplace_back(m.name);
  for (const auto& f : table())
    if (f.style != call_style::op)
      names.emplace_back(f.name);
  return names;
}

std::span<const signature> signatures_of(const function_info& f) {
  static const std::vector<std::vector<signature>> parsed = [] {
    std::vector<std::vector<signature>> all;
    for (const auto& g : table()) {
      auto& one = all.emplace_back();
      for (const auto s : g.signatures)
        one.push_back(parse_signature(s));
    }
    return all;
  }();
  return parsed[static_cast<std::size_t>(&f - table().data())];
}

} // namespace millrace::expressions
