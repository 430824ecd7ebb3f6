// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/time.hpp"

#include <array>
#include <cstdio>
#include <utility>

namespace millrace::expressions {

namespace {

/// Reads fixed-width fields from the front of a text.
class scanner {
public:
  explicit scanner(std::string_view text) : text_{text} {}

  bool done() const noexcept { return text_.empty(); }
  bool accept(char c) noexcept {
    if (text_.empty() || text_.front() != c)
      return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<unsigned> digits(std::size_t count) noexcept {
    if (text_.size() < count)
      return std::nullopt;
    unsigned v = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text_[i] < '0' || text_[i] > '9')
        return std::nullopt;
      v = v * 10 + static_cast<unsigned>(text_[i] - '0');
    }
    text_.remove_prefix(count);
    return v;
  }
  /// Digits after a point as nanoseconds; at most nine.
  std::optional<std::uint32_t> nanos() noexcept {
    std::uint32_t v = 0;
    std::size_t count = 0;
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      if (++count > 9)
        return std::nullopt;
      v = v * 10 + static_cast<std::uint32_t>(text_.front() - '0');
      text_.remove_prefix(1);
    }
    if (count == 0)
      return std::nullopt;
    for (; count < 9; ++count)
      v *= 10;
    return v;
  }
  std::optional<std::int64_t> offset() noexcept {
    if (accept('Z') || accept('z'))
      return 0;
    const bool negative = accept('-');
    if (!negative && !accept('+'))
      return std::nullopt;
    const auto h = digits(2);
    if (!h || !accept(':'))
      return std::nullopt;
    const auto m = digits(2);
    if (!m || *h > 23 || *m > 59)
      return std::nullopt;
    const auto s = static_cast<std::int64_t>(*h) * 3600 + static_cast<std::int64_t>(*m) * 60;
    return negative ? -s : s;
  }

private:
  std::string_view text_;
};

constexpr unsigned days_in_month(unsigned year, unsigned month) noexcept {
  constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

/// Nanoseconds of one unit of a duration; 0 if unknown.
std::int64_t unit_ns(std::string_view unit) noexcept {
  static constexpr std::pair<std::string_view, std::int64_t> units[] = {
    {"ns", 1},         {"us", 1000},         {"\u00b5s", 1000},         {"\u03bcs", 1000},
    {"ms", 1'000'000}, {"s", ns_per_second}, {"m", 60 * ns_per_second}, {"h", 3600 * ns_per_second}};
  for (const auto& [name, ns] : units)
    if (name == unit)
      return ns;
  return 0;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Adds `whole.part` units of `unit` nanoseconds to `total`, which counts downwards so that the smallest
/// int64 can be read; false on overflow.
bool subtract(std::int64_t& total, std::int64_t whole, std::string_view part, std::int64_t unit) noexcept {
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(whole, unit, &ns) || __builtin_sub_overflow(total, ns, &total))
    return false;
  // Digits below a nanosecond are cut off.
  std::int64_t scale = unit;
  std::int64_t fraction_ns = 0;
  for (const char c : part) {
    const std::int64_t remainder = scale % 10;
    scale /= 10;
    fraction_ns += (c - '0') * scale + (c - '0') * remainder / 10;
    if (scale == 0)
      break;
  }
  return !__builtin_sub_overflow(total, fraction_ns, &total);
}

} // namespace

std::optional<instant> parse_timestamp(std::string_view text) noexcept {
  scanner in{text};
  const auto year = in.digits(4);
  if (!year || !in.accept('-'))
    return std::nullopt;
  const auto month = in.digits(2);
  if (!month || !in.accept('-'))
    return std::nullopt;
  const auto day = in.digits(2);
  if (!day || (!in.accept('T') && !in.accept('t')))
    return std::nullopt;
  const auto hour = in.digits(2);
  if (!hour || !in.accept(':'))
    return std::nullopt;
  const auto minute = in.digits(2);
  if (!minute || !in.accept(':'))
    return std::nullopt;
  const auto second = in.digits(2);
  if (!second)
    return std::nullopt;
  instant out;
  if (in.accept('.')) {
    const auto n = in.nanos();
    if (!n)
      return std::nullopt;
    out.nanos = *n;
  }
  const auto offset = in.offset();
  if (!offset || !in.done() || *month < 1 || *month > 12 || *day < 1 || *day > days_in_month(*year, *month) ||
      *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  out.seconds = days_from_civil(*year, *month, *day) * 86400 + static_cast<std::int64_t>(*hour) * 3600 +
                static_cast<std::int64_t>(*minute) * 60 + static_cast<std::int64_t>(*second) - *offset;
  if (out.seconds < first_second || out.seconds > last_second)
    return std::nullopt;
  return out;
}

std::optional<std::int64_t> parse_duration(std::string_view text) noexcept {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0")
    return 0;
  if (text.empty())
    return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::size_t at = 0;
    std::int64_t whole = 0;
    for (; at < text.size() && is_digit(text[at]); ++at)
      if (__builtin_mul_overflow(whole, std::int64_t{10}, &whole) ||
          __builtin_add_overflow(whole, std::int64_t{text[at] - '0'}, &whole))
        return std::nullopt;
    const bool has_whole = at > 0;
    std::size_t part = at;
    if (at < text.size() && text[at] == '.') {
      part = ++at;
      while (at < text.size() && is_digit(text[at]))
        ++at;
    }
    if (!has_whole && part == at)
      return std::nullopt;
    std::size_t end = at;
    while (end < text.size() && !is_digit(text[end]) && text[end] != '.')
      ++end;
    const auto unit = unit_ns(text.substr(at, end - at));
    if (unit == 0 || !subtract(total, whole, text.substr(part, at - part), unit))
      return std::nullopt;
    text.remove_prefix(end);
  }
  if (negative)
    return total;
  std::int64_t positive = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, total, &positive))
    return std::nullopt;
  return positive;
}

std::optional<std::int64_t> parse_zone(std::string_view text) noexcept {
  if (text == "UTC" || text == "Z" || text == "GMT")
    return 0;
  const bool bare = !text.empty() && is_digit(text.front());
  const std::string with_sign = bare ? "+" + std::string{text} : std::string{text};
  scanner in{with_sign};
  const auto offset = in.offset();
  return offset && in.done() ? offset : std::nullopt;
}

std::string format_timestamp(std::int64_t seconds, std::uint32_t nanos, fraction f) {
  const std::int64_t days = floor_div(seconds, 86400);
  const auto rest = static_cast<unsigned>(seconds - days * 86400);
  const auto c = civil_from_days(days);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02u:%02u:%02u", static_cast<int>(c.year), c.month, c.day,
                rest / 3600, rest / 60 % 60, rest % 60);
  std::string out = text.data();
  if (nanos != 0 || f == fraction::groups) {
    std::snprintf(text.data(), text.size(), ".%09u", nanos);
    std::string digits = text.data();
    if (f == fraction::groups)
      digits.resize(nanos % 1'000'000 == 0 ? 4 : nanos % 1000 == 0 ? 7 : 10);
    else
      digits.erase(digits.find_last_not_of('0') + 1);
    out += digits;
  }
  return out + "Z";
}

std::string format_duration(std::int64_t ns) {
  // Split before taking the absolute value: that of the smallest int64 does not exist.
  const std::int64_t whole = ns / ns_per_second;
  std::int64_t part = ns % ns_per_second;
  std::string out = ns < 0 ? "-" : "";
  part = part < 0 ? -part : part;
  out += std::to_string(whole < 0 ? -whole : whole);
  if (part != 0) {
    std::string digits = std::to_string(part);
    digits.insert(0, 9 - digits.size(), '0');
    digits.erase(digits.find_last_not_of('0') + 1);
    out += '.' + digits;
  }
  return out + "s";
}

} // namespace millrace::expressions
