// SPDX-License-Identifier: Apache-2.0
// Text functions: the standard ones and the strings extension of cel-go. Indices count code points.
#include "actors/expressions/registry.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <memory>

namespace millrace::expressions {

namespace {

/// Bounds of a pattern: its text, what RE2 may allocate for it, and the size of its compiled program.
constexpr std::size_t max_pattern_bytes = 4096;
constexpr std::int64_t max_pattern_memory = std::int64_t{1} << 20;
constexpr int max_pattern_program = 20'000;
/// Compiled patterns that a thread keeps; patterns come from pipeline files, so there are few.
constexpr std::size_t max_kept_patterns = 64;

std::unique_ptr<re2::RE2> compile_pattern(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(max_pattern_memory);
  return std::make_unique<re2::RE2>(re2::StringPiece{pattern.data(), pattern.size()}, options);
}

std::optional<std::string> error_of(const re2::RE2& re) {
  if (!re.ok())
    return "invalid regular expression: " + re.error();
  if (re.ProgramSize() > max_pattern_program)
    return std::string{"regular expression too large"};
  return std::nullopt;
}

struct kept_pattern {
  std::unique_ptr<re2::RE2> re;
  std::optional<std::string> error;
};

const kept_pattern& pattern_for(const std::string& text) {
  thread_local std::map<std::string, kept_pattern, std::less<>> kept;
  if (const auto it = kept.find(text); it != kept.end())
    return it->second;
  if (kept.size() >= max_kept_patterns)
    kept.clear();
  kept_pattern k;
  if (text.size() > max_pattern_bytes)
    k.error = "regular expression longer than " + std::to_string(max_pattern_bytes) + " bytes";
  else
    k = {compile_pattern(text), std::nullopt};
  if (k.re)
    k.error = error_of(*k.re);
  return kept.emplace(text, std::move(k)).first->second;
}

constexpr bool starts_code_point(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::int64_t code_points(std::string_view s) noexcept { return std::count_if(s.begin(), s.end(), starts_code_point); }

/// Byte offset of the code point with index `n`; the size for the index past the last, nullopt beyond.
std::optional<std::size_t> byte_offset(std::string_view s, std::int64_t n) noexcept {
  if (n < 0)
    return std::nullopt;
  for (std::size_t i = 0; i < s.size(); ++i)
    if (starts_code_point(s[i]) && n-- == 0)
      return i;
  return n == 0 ? std::optional{s.size()} : std::nullopt;
}

value bad_index(std::int64_t n) { return value::failure("index out of range: " + std::to_string(n)); }
value too_long() { return value::failure("result longer than " + std::to_string(max_result_bytes) + " bytes"); }

bool are_strings(std::span<value> a, std::size_t count) noexcept {
  return a.size() >= count && std::all_of(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count),
                                          [](const value& v) { return v.is(value_kind::string); });
}

bool is_int(std::span<value> a, std::size_t i) noexcept { return a[i].is(value_kind::int64); }

template <class F>
value map_ascii(std::span<value> a, F&& f) {
  if (!are_strings(a, 1))
    return no_overload();
  for (auto& c : a[0].s)
    c = f(c);
  return std::move(a[0]);
}

/// Length in bytes of the white space (Unicode's White_Space) at the front.
std::size_t white_space(std::string_view s) noexcept {
  if (s.empty())
    return 0;
  const char c = s.front();
  if (c == ' ' || (c >= '\t' && c <= '\r'))
    return 1;
  static constexpr std::string_view wide[] = {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
                                              "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                              "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const auto w : wide)
    if (s.starts_with(w))
      return w.size();
  return 0;
}

std::size_t last_code_point(std::string_view s) noexcept {
  std::size_t i = s.size();
  while (i > 0 && !starts_code_point(s[--i])) {
  }
  return i;
}

} // namespace

std::optional<std::string> pattern_error(std::string_view pattern) { return pattern_for(std::string{pattern}).error; }

namespace native {

value size(std::span<value> a) {
  switch (a[0].what) {
  case value_kind::string: return value::of_int(code_points(a[0].s));
  case value_kind::bytes: return value::of_int(static_cast<std::int64_t>(a[0].s.size()));
  case value_kind::list: return value::of_int(static_cast<std::int64_t>(a[0].items->size()));
  case value_kind::map: return value::of_int(static_cast<std::int64_t>(a[0].items->size() / 2));
  default: return no_overload();
  }
}

value contains(std::span<value> a) {
  return are_strings(a, 2) ? value::of_bool(a[0].s.find(a[1].s) != std::string::npos) : no_overload();
}

value starts_with(std::span<value> a) {
  return are_strings(a, 2) ? value::of_bool(a[0].s.starts_with(a[1].s)) : no_overload();
}

value ends_with(std::span<value> a) {
  return are_strings(a, 2) ? value::of_bool(a[0].s.ends_with(a[1].s)) : no_overload();
}

value matches(std::span<value> a) {
  if (!are_strings(a, 2))
    return no_overload();
  const auto& pattern = pattern_for(a[1].s);
  if (pattern.error)
    return value::failure(*pattern.error);
  return value::of_bool(re2::RE2::PartialMatch(re2::StringPiece{a[0].s.data(), a[0].s.size()}, *pattern.re));
}

value char_at(std::span<value> a) {
  if (!are_strings(a, 1) || !is_int(a, 1))
    return no_overload();
  const auto from = byte_offset(a[0].s, a[1].i);
  if (!from)
    return bad_index(a[1].i);
  auto end = std::min(*from + 1, a[0].s.size());
  while (end < a[0].s.size() && !starts_code_point(a[0].s[end]))
    ++end;
  return value::of_string(a[0].s.substr(*from, end - *from));
}

value index_of(std::span<value> a) {
  if (!are_strings(a, 2) || (a.size() == 3 && !is_int(a, 2)))
    return no_overload();
  const std::string_view text = a[0].s;
  const auto from = byte_offset(text, a.size() == 3 ? a[2].i : 0);
  if (!from)
    return bad_index(a[2].i);
  const auto at = text.find(a[1].s, *from);
  return value::of_int(at == std::string_view::npos ? -1 : code_points(text.substr(0, at)));
}

value last_index_of(std::span<value> a) {
  if (!are_strings(a, 2) || (a.size() == 3 && !is_int(a, 2)))
    return no_overload();
  const std::string_view text = a[0].s;
  auto before = text.size();
  if (a.size() == 3) {
    const auto offset = byte_offset(text, a[2].i);
    if (!offset)
      return bad_index(a[2].i);
    before = *offset;
  }
  const auto at = text.rfind(a[1].s, before);
  return value::of_int(at == std::string_view::npos ? -1 : code_points(text.substr(0, at)));
}

value join(std::span<value> a) {
  if (!a[0].is(value_kind::list) || (a.size() == 2 && !a[1].is(value_kind::string)))
    return no_overload();
  std::string out;
  bool first = true;
  for (const auto& item : *a[0].items) {
    if (!item.is(value_kind::string))
      return no_overload();
    if (!first && a.size() == 2)
      out += a[1].s;
    first = false;
    out += item.s;
    if (out.size() > max_result_bytes)
      return too_long();
  }
  return value::of_string(std::move(out));
}

value lower_ascii(std::span<value> a) {
  return map_ascii(a, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}

value upper_ascii(std::span<value> a) {
  return map_ascii(a, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
}

value replace(std::span<value> a) {
  if (!are_strings(a, 3) || (a.size() == 4 && !is_int(a, 3)))
    return no_overload();
  std::int64_t left = a.size() == 4 ? a[3].i : -1;
  const std::string_view text = a[0].s;
  const std::string_view old = a[1].s;
  std::string out;
  std::size_t at = 0;
  // An empty text occurs before every character and at the end.
  while (left != 0) {
    const auto found = text.find(old, at);
    if (found == std::string_view::npos || out.size() > max_result_bytes)
      break;
    out.append(text, at, found - at);
    out += a[2].s;
    at = found + old.size();
    --left;
    if (old.empty()) {
      if (at >= text.size())
        break;
      do
        out += text[at++];
      while (at < text.size() && !starts_code_point(text[at]));
    }
  }
  out.append(text, at);
  return out.size() > max_result_bytes ? too_long() : value::of_string(std::move(out));
}

value reverse(std::span<value> a) {
  if (a[0].is(value_kind::list))
    return value::of_list({a[0].items->rbegin(), a[0].items->rend()});
  if (!are_strings(a, 1))
    return no_overload();
  std::string out;
  std::string_view rest = a[0].s;
  while (!rest.empty()) {
    const auto i = last_code_point(rest);
    out += rest.substr(i);
    rest = rest.substr(0, i);
  }
  return value::of_string(std::move(out));
}

value split(std::span<value> a) {
  if (!are_strings(a, 2) || (a.size() == 3 && !is_int(a, 2)))
    return no_overload();
  std::int64_t left = a.size() == 3 ? a[2].i : -1;
  value::items_type parts;
  if (left == 0)
    return value::of_list(std::move(parts));
  std::string_view rest = a[0].s;
  const std::string_view separator = a[1].s;
  while (left != 1) {
    auto at = rest.find(separator);
    // An empty separator splits into characters.
    if (separator.empty())
      at = code_points(rest) > 1 ? *byte_offset(rest, 1) : std::string_view::npos;
    if (at == std::string_view::npos)
      break;
    if (parts.size() >= max_result_items)
      return value::failure("list longer than " + std::to_string(max_result_items));
    parts.push_back(value::of_string(std::string{rest.substr(0, at)}));
    rest = rest.substr(at + separator.size());
    --left;
  }
  if (!(separator.empty() && rest.empty()))
    parts.push_back(value::of_string(std::string{rest}));
  return value::of_list(std::move(parts));
}

value substring(std::span<value> a) {
  if (!are_strings(a, 1) || !is_int(a, 1) || (a.size() == 3 && !is_int(a, 2)))
    return no_overload();
  const auto from = byte_offset(a[0].s, a[1].i);
  if (!from)
    return bad_index(a[1].i);
  const auto to = a.size() == 3 ? byte_offset(a[0].s, a[2].i) : a[0].s.size();
  if (!to)
    return bad_index(a[2].i);
  if (*to < *from)
    return value::failure("invalid substring range: " + std::to_string(a[1].i) + " to " + std::to_string(a[2].i));
  return value::of_string(a[0].s.substr(*from, *to - *from));
}

value trim(std::span<value> a) {
  if (!are_strings(a, 1))
    return no_overload();
  std::string_view text = a[0].s;
  while (const auto n = white_space(text))
    text.remove_prefix(n);
  while (!text.empty()) {
    const auto i = last_code_point(text);
    if (white_space(text.substr(i)) == 0)
      break;
    text = text.substr(0, i);
  }
  return value::of_string(std::string{text});
}

} // namespace native

} // namespace millrace::expressions
