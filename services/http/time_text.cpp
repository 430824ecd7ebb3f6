// SPDX-License-Identifier: Apache-2.0
#include "services/http/time_text.hpp"

#include "messaging/codec/json_writer.hpp"

#include <chrono>
#include <cstddef>

namespace millrace::http {

namespace {

constexpr std::int64_t second = 1'000'000'000;

/// Takes exactly `digits` digits off the front; -1 if there are not so many.
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits)
    return -1;
  int n = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    n = n * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return n;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos)
    return false;
  text.remove_prefix(1);
  return true;
}

/// The nanoseconds after a decimal point; nothing if there are no digits or more than nine.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  std::int64_t n = 0;
  int digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++digits)
    n = digits < 9 ? n * 10 + (text.front() - '0') : n;
  if (digits == 0 || digits > 9)
    return std::nullopt;
  for (; digits < 9; ++digits)
    n *= 10;
  return n;
}

/// Seconds east of UTC.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, "Zz"))
    return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, "+- "))
    return std::nullopt;
  const int hours = take_number(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ":"))
    return std::nullopt;
  const int minutes = take_number(text, 2);
  if (minutes < 0 || minutes > 59)
    return std::nullopt;
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

} // namespace

std::optional<nanoseconds_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const int y = take_number(text, 4);
  if (y < 0 || !take(text, "-"))
    return std::nullopt;
  const int mon = take_number(text, 2);
  if (mon < 0 || !take(text, "-"))
    return std::nullopt;
  const int d = take_number(text, 2);
  if (d < 0 || !take(text, "Tt "))
    return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mon)}, day{static_cast<unsigned>(d)}};
  const int h = take_number(text, 2);
  if (!date.ok() || h < 0 || h > 23 || !take(text, ":"))
    return std::nullopt;
  const int min = take_number(text, 2);
  if (min < 0 || min > 59 || !take(text, ":"))
    return std::nullopt;
  const int s = take_number(text, 2);
  if (s < 0 || s > 59)
    return std::nullopt;
  std::int64_t fraction = 0;
  if (take(text, ".")) {
    const auto f = take_fraction(text);
    if (!f)
      return std::nullopt;
    fraction = *f;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty())
    return std::nullopt;
  const std::int64_t days = sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + h * 3600 + min * 60 + s - *offset;
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, second, &ns) || __builtin_add_overflow(ns, fraction, &ns))
    return std::nullopt;
  return ns;
}

std::string watermark_text(nanoseconds_t watermark) {
  if (watermark == no_watermark)
    return "none";
  if (watermark == end_watermark)
    return "end";
  std::string quoted;
  codec::append_timestamp(quoted, watermark);
  return quoted.substr(1, quoted.size() - 2);
}

} // namespace millrace::http
