// SPDX-License-Identifier: Apache-2.0
// `format` and `strings.quote` of the strings extension, and the encoders extension of cel-go.
#include "actors/expressions/lexer.hpp"
#include "actors/expressions/registry.hpp"
#include "actors/expressions/time.hpp"
#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace millrace::expressions {

namespace {

using enum value_kind;

/// Most digits after the point that a clause may ask for.
constexpr int max_precision = 100;
constexpr int default_precision = 6;

value too_long() { return value::failure("result longer than " + std::to_string(max_result_bytes) + " bytes"); }
value bad_clause(const std::string& why) { return value::failure("could not parse formatting clause: " + why); }
value bad_argument(std::string_view rule, const value& v) {
  return value::failure("error during formatting: " + std::string{rule} + ", was given " + std::string{type_name(v)});
}

std::string_view non_finite(double d) noexcept {
  return std::isnan(d) ? "NaN" : std::isinf(d) ? (d > 0 ? "Infinity" : "-Infinity") : "";
}

/// Appends `v` as %s does. False for what has no text, which `culprit` then points to, or if it grows too long.
bool append_text(std::string& out, const value& v, const value*& culprit) {
  if (out.size() > max_result_bytes)
    return false;
  const auto list_of = [&](char open, char close) {
    out += open;
    for (std::size_t i = 0; i < v.items->size(); ++i) {
      out += i > 0 ? ", " : "";
      if (!append_text(out, (*v.items)[i], culprit))
        return false;
    }
    out += close;
    return true;
  };
  switch (v.what) {
  case null: out += "null"; return true;
  case boolean: out += v.b ? "true" : "false"; return true;
  case int64: out += std::to_string(v.i); return true;
  case uint64: out += std::to_string(v.u); return true;
  case float64: out += std::isfinite(v.d) ? format_double(v.d) : std::string{non_finite(v.d)}; return true;
  case string:
  case bytes:
  case value_kind::type: out += v.s; return true;
  case timestamp: out += format_timestamp(v.i, v.nanos, fraction::shortest); return true;
  case duration: out += format_duration(v.i); return true;
  case list: return list_of('[', ']');
  case map: {
    // By the text of the keys, so that equal maps give equal texts.
    std::vector<std::pair<std::string, std::size_t>> keys;
    for (std::size_t i = 0; i + 1 < v.items->size(); i += 2) {
      keys.emplace_back(std::string{}, i + 1);
      if (!append_text(keys.back().first, (*v.items)[i], culprit))
        return false;
    }
    std::sort(keys.begin(), keys.end());
    out += '{';
    bool first = true;
    for (const auto& [key, at] : keys) {
      out += (first ? "" : ", ") + key + ": ";
      first = false;
      if (!append_text(out, (*v.items)[at], culprit))
        return false;
    }
    out += '}';
    return true;
  }
  default: culprit = &v; return false;
  }
}

value text_clause(std::string& out, const value& v) {
  const value* culprit = nullptr;
  if (append_text(out, v, culprit))
    return {};
  return culprit == nullptr ? too_long()
                            : bad_argument("string clause can only be used on strings, bools, bytes, ints, doubles, "
                                           "maps, lists, types, durations, and timestamps",
                                           *culprit);
}

/// Digits of an integer with its sign; false for other kinds.
bool append_integer(std::string& out, const value& v, int base) {
  std::array<char, 72> text{};
  std::to_chars_result r{};
  if (v.is(int64))
    r = std::to_chars(text.data(), text.data() + text.size(), v.i, base);
  else if (v.is(uint64))
    r = std::to_chars(text.data(), text.data() + text.size(), v.u, base);
  else
    return false;
  out.append(text.data(), r.ptr);
  return true;
}

value hex_clause(std::string& out, const value& v, bool upper) {
  std::string digits;
  if (v.is(string) || v.is(bytes)) {
    static constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : v.s) {
      const auto u = static_cast<unsigned char>(c);
      digits += hex[u >> 4U];
      digits += hex[u & 15U];
    }
  } else if (!append_integer(digits, v, 16)) {
    return bad_argument("only integers, byte buffers, and strings can be formatted as hex", v);
  }
  if (upper)
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; });
  out += digits;
  return {};
}

value real_clause(std::string& out, const value& v, int precision, bool scientific) {
  if (!v.is(float64))
    return bad_argument(scientific ? "scientific clause can only be used on doubles"
                                   : "fixed-point clause can only be used on doubles",
                        v);
  if (!std::isfinite(v.d)) {
    out += non_finite(v.d);
    return {};
  }
  // The largest double has 309 digits before the point.
  std::array<char, 320 + max_precision> text{};
  const auto r = std::to_chars(text.data(), text.data() + text.size(), v.d,
                               scientific ? std::chars_format::scientific : std::chars_format::fixed, precision);
  out.append(text.data(), r.ptr);
  return {};
}

/// Appends `v` as the clause says; an error if it cannot.
value clause(std::string& out, char verb, int precision, const value& v) {
  switch (verb) {
  case 's': return text_clause(out, v);
  case 'd':
    if (v.is(float64) && !std::isfinite(v.d))
      out += non_finite(v.d);
    else if (!append_integer(out, v, 10))
      return bad_argument("decimal clause can only be used on integers", v);
    return {};
  case 'b':
    if (v.is(boolean))
      out += v.b ? '1' : '0';
    else if (!append_integer(out, v, 2))
      return bad_argument("only integers and bools can be formatted as binary", v);
    return {};
  case 'o': return append_integer(out, v, 8) ? value{} : bad_argument("octal clause can only be used on integers", v);
  case 'x':
  case 'X': return hex_clause(out, v, verb == 'X');
  case 'f':
  case 'e': return real_clause(out, v, precision, verb == 'e');
  default: return bad_clause(std::string{"unrecognized formatting clause \""} + verb + '"');
  }
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Reads `.3` in front of a verb; an error if it is no precision.
value read_precision(std::string_view text, std::size_t& at, int& precision) {
  if (at >= text.size() || text[at] != '.')
    return {};
  precision = 0;
  const auto start = ++at;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    precision = precision * 10 + (text[at] - '0');
    if (precision > max_precision)
      return bad_clause("precision above " + std::to_string(max_precision));
  }
  return at == start ? bad_clause("a precision is written %.3f") : value{};
}

} // namespace

namespace native {

value format(std::span<value> a) {
  if (!a[0].is(string) || !a[1].is(list))
    return no_overload();
  const std::string_view text = a[0].s;
  const auto& arguments = *a[1].items;
  std::string out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    if (++at < text.size() && text[at] == '%') {
      out += '%';
      continue;
    }
    int precision = default_precision;
    if (auto bad = read_precision(text, at, precision); bad.is_error())
      return bad;
    if (at >= text.size())
      return bad_clause("unexpected end of string");
    if (std::string_view{"sdfeboxX"}.find(text[at]) == std::string_view::npos)
      return clause(out, text[at], precision, {});
    if (next >= arguments.size())
      return value::failure("index " + std::to_string(next) + " out of range");
    if (auto bad = clause(out, text[at], precision, arguments[next++]); bad.is_error())
      return bad;
    if (out.size() > max_result_bytes)
      return too_long();
  }
  // Bytes are the one argument that may be none.
  return is_valid_utf8(out) ? value::of_string(std::move(out))
                            : value::failure("error during formatting: invalid UTF-8 in bytes");
}

value quote(std::span<value> a) {
  static constexpr std::string_view plain = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view names = "abfnrtv\\\"";
  if (!a[0].is(string))
    return no_overload();
  std::string out = "\"";
  for (const char c : a[0].s) {
    const auto i = plain.find(c);
    if (i != std::string_view::npos)
      out += '\\';
    out += i != std::string_view::npos ? names[i] : c;
  }
  out += '"';
  return out.size() > max_result_bytes ? too_long() : value::of_string(std::move(out));
}

value base64_encode(std::span<value> a) {
  if (!a[0].is(bytes))
    return no_overload();
  std::string quoted;
  codec::append_base64(quoted, a[0].s);
  return quoted.size() > max_result_bytes ? too_long() : value::of_string(quoted.substr(1, quoted.size() - 2));
}

value base64_decode(std::span<value> a) {
  if (!a[0].is(string))
    return no_overload();
  std::string out;
  return codec::append_decoded_base64(out, a[0].s) ? value::of_bytes(std::move(out))
                                                   : value::failure("not valid base64 text");
}

} // namespace native

} // namespace millrace::expressions
