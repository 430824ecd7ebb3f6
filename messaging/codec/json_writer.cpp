// SPDX-License-Identifier: Apache-2.0
// Numbers, times and whole column values as JSON.
#include "messaging/codec/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace millrace::codec {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

char* put_digits(char* at, std::uint32_t value, int width) noexcept {
  for (int i = width - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return at + width;
}

/// Year, month and day of a day counted from 1970-01-01. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", civil_from_days.
struct civil {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

civil civil_from_days(std::int64_t days) noexcept {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153; // March is 0
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

/// Appends JSON text on one line. A newline in valid JSON stands between tokens, where no blank is needed.
void append_json(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
    return;
  }
  if (text.find_first_of("\r\n") == std::string_view::npos) {
    out.append(text);
    return;
  }
  bool quoted = false;
  bool escaped = false;
  for (const char c : text) {
    if (quoted) {
      quoted = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      continue;
    } else {
      quoted = c == '"';
    }
    // Only broken JSON has a line end inside a string; it must not break the line even so.
    if (c != '\n' && c != '\r')
      out += c;
  }
}

} // namespace

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return;
  }
  std::array<char, 32> buffer;
  char* const first = buffer.data();
  char* end = std::to_chars(first, first + buffer.size(), value).ptr;
  std::string_view text{first, static_cast<std::size_t>(end - first)};
  // to_chars writes 100000 as 1e+05; amounts and sizes should look like numbers.
  constexpr double fixed_below = 1e16;
  if (text.find('e') != std::string_view::npos && std::abs(value) < fixed_below && std::trunc(value) == value) {
    end = std::to_chars(first, first + buffer.size(), value, std::chars_format::fixed).ptr;
    text = {first, static_cast<std::size_t>(end - first)};
  }
  out.append(text);
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

void append_int(std::string& out, std::int64_t value) { append_number(out, value); }

void append_uint(std::string& out, std::uint64_t value) { append_number(out, value); }

void append_timestamp(std::string& out, std::int64_t ns) {
  std::int64_t seconds = ns / ns_per_second;
  std::int64_t fraction = ns % ns_per_second;
  if (fraction < 0) {
    fraction += ns_per_second;
    --seconds;
  }
  std::int64_t days = seconds / 86'400;
  std::int64_t second_of_day = seconds % 86'400;
  if (second_of_day < 0) {
    second_of_day += 86'400;
    --days;
  }
  const civil date = civil_from_days(days);
  const auto part = [second_of_day](std::uint32_t unit, std::uint32_t count) {
    return static_cast<std::uint32_t>(second_of_day) / unit % count;
  };
  std::array<char, 40> buffer;
  char* p = buffer.data();
  *p++ = '"';
  p = put_digits(p, static_cast<std::uint32_t>(date.year), 4);
  *p++ = '-';
  p = put_digits(p, date.month, 2);
  *p++ = '-';
  p = put_digits(p, date.day, 2);
  *p++ = 'T';
  p = put_digits(p, part(3600, 24), 2);
  *p++ = ':';
  p = put_digits(p, part(60, 60), 2);
  *p++ = ':';
  p = put_digits(p, part(1, 60), 2);
  *p++ = '.';
  const auto nanos = static_cast<std::uint32_t>(fraction);
  if (nanos % 1'000'000 == 0)
    p = put_digits(p, nanos / 1'000'000, 3);
  else if (nanos % 1'000 == 0)
    p = put_digits(p, nanos / 1'000, 6);
  else
    p = put_digits(p, nanos, 9);
  *p++ = 'Z';
  *p++ = '"';
  out.append(buffer.data(), p);
}

void append_duration(std::string& out, std::int64_t ns) {
  // The negation wraps for the smallest value, which is then its own magnitude as unsigned.
  const std::uint64_t size = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  constexpr auto second = static_cast<std::uint64_t>(ns_per_second);
  out += ns < 0 ? "\"-" : "\"";
  append_number(out, size / second);
  if (size % second != 0) {
    std::array<char, 9> digits;
    put_digits(digits.data(), static_cast<std::uint32_t>(size % second), 9);
    std::string_view fraction{digits.data(), digits.size()};
    fraction.remove_suffix(fraction.size() - 1 - fraction.find_last_not_of('0'));
    out += '.';
    out.append(fraction);
  }
  out += "s\"";
}

void append_value(std::string& out, const column& c, std::size_t row) {
  if (c.is_null(row)) {
    out += "null";
    return;
  }
  switch (c.type) {
  case data_type::boolean: out += c.b8[row] != 0 ? "true" : "false"; return;
  case data_type::int64: append_int(out, c.i64[row]); return;
  case data_type::uint64: append_uint(out, c.u64(row)); return;
  case data_type::float64: append_double(out, c.f64[row]); return;
  case data_type::string: append_string(out, c.text(row)); return;
  case data_type::bytes: append_base64(out, c.text(row)); return;
  case data_type::timestamp: append_timestamp(out, c.i64[row]); return;
  case data_type::duration: append_duration(out, c.i64[row]); return;
  case data_type::json: append_json(out, c.text(row)); return;
  }
}

} // namespace millrace::codec
