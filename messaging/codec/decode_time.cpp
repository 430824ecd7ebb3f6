// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_text.hpp"

#include <array>
#include <limits>

namespace millrace::codec {
namespace {

// -Wpedantic knows no 128-bit integer; exact scaling of decimal times needs one.
__extension__ using int128 = __int128;

constexpr std::int64_t second_ns = 1'000'000'000;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> narrow(int128 value) noexcept {
  // The two ends are reserved: "not known" and "input has ended" (event_batch.hpp).
  if (value <= std::numeric_limits<std::int64_t>::min() || value >= std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return static_cast<std::int64_t>(value);
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms").
constexpr std::int64_t days_from_civil(std::int64_t y, int m, int d) noexcept {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const std::int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

constexpr int days_in_month(int y, int m) noexcept {
  constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  return m == 2 && leap ? 29 : days[static_cast<std::size_t>(m - 1)];
}

struct civil {
  int year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  std::int64_t nanos = 0;
  std::int64_t offset_seconds = 0;
};

std::optional<std::int64_t> to_ns(const civil& c) noexcept {
  if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month) || c.hour > 23 ||
      c.minute > 59 || c.second > 59)
    return std::nullopt;
  const std::int64_t seconds =
    days_from_civil(c.year, c.month, c.day) * 86400 + c.hour * 3600 + c.minute * 60 + c.second - c.offset_seconds;
  return narrow(static_cast<int128>(seconds) * second_ns + c.nanos);
}

/// Reads left to right; after a failure `ok` stays false.
class scanner {
public:
  explicit scanner(std::string_view text) noexcept : p_{text.data()}, end_{text.data() + text.size()} {}

  bool ok() const noexcept { return ok_; }
  bool done() const noexcept { return p_ == end_; }
  char peek() const noexcept { return p_ != end_ ? *p_ : '\0'; }
  void literal(char c) noexcept { literal(c, c); }
  void literal(char a, char b) noexcept {
    if (peek() == a || (p_ != end_ && *p_ == b))
      p_ += p_ != end_ ? 1 : 0;
    else
      ok_ = false;
  }
  int number(int least, int most) noexcept {
    int value = 0;
    int count = 0;
    while (count < most && is_digit(peek())) {
      value = value * 10 + (*p_++ - '0');
      ++count;
    }
    ok_ = ok_ && count >= least;
    return value;
  }
  /// 1 to 9 digits after a decimal point, as nanoseconds.
  std::int64_t fraction() noexcept {
    std::int64_t value = 0;
    int count = 0;
    while (is_digit(peek()) && count < 9) {
      value = value * 10 + (*p_++ - '0');
      ++count;
    }
    ok_ = ok_ && count > 0 && !is_digit(peek());
    for (; count < 9; ++count)
      value *= 10;
    return value;
  }
  /// `Z` or `+hh:mm`, in seconds east of UTC.
  std::int64_t offset(bool colon_needed) noexcept {
    const char sign = peek();
    if (sign == 'Z' || sign == 'z') {
      ++p_;
      return 0;
    }
    if (sign != '+' && sign != '-') {
      ok_ = false;
      return 0;
    }
    ++p_;
    const int hours = number(2, 2);
    if (colon_needed || peek() == ':')
      literal(':');
    const int minutes = number(2, 2);
    ok_ = ok_ && hours <= 23 && minutes <= 59;
    const std::int64_t seconds = hours * 3600 + minutes * 60;
    return sign == '-' ? -seconds : seconds;
  }

private:
  const char* p_;
  const char* end_;
  bool ok_ = true;
};

void scan_date(scanner& in, civil& c, int least) noexcept {
  c.year = in.number(4, 4);
  in.literal('-');
  c.month = in.number(least, 2);
  in.literal('-');
  c.day = in.number(least, 2);
}

void scan_clock(scanner& in, civil& c, int least) noexcept {
  c.hour = in.number(least, 2);
  in.literal(':');
  c.minute = in.number(least, 2);
  in.literal(':');
  c.second = in.number(least, 2);
}

void scan_specifier(scanner& in, civil& c, char what) noexcept {
  switch (what) {
  case 'Y': c.year = in.number(4, 4); break;
  case 'm': c.month = in.number(1, 2); break;
  case 'd': c.day = in.number(1, 2); break;
  case 'H': c.hour = in.number(1, 2); break;
  case 'M': c.minute = in.number(1, 2); break;
  case 'S': c.second = in.number(1, 2); break;
  case 'f': c.nanos = in.fraction(); break;
  case 'F': scan_date(in, c, 1); break;
  case 'T': scan_clock(in, c, 1); break;
  case 'z': c.offset_seconds = in.offset(false); break;
  default: in.literal(what); break;
  }
}

constexpr int unit_digits(timestamp_unit unit) noexcept {
  switch (unit) {
  case timestamp_unit::milliseconds: return 6;
  case timestamp_unit::microseconds: return 3;
  case timestamp_unit::nanoseconds: return 0;
  default: return 9;
  }
}

constexpr std::array<std::int64_t, 10> powers{1,       10,        100,        1'000,       10'000,
                                              100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};

/// A JSON number with fraction or exponent, times 10^shift, cut off to an integer.
std::optional<std::int64_t> scale_decimal(std::string_view text, int shift) noexcept {
  if (!is_json_number(text))
    return std::nullopt;
  const bool negative = text[0] == '-';
  std::size_t i = negative ? 1 : 0;
  const std::size_t mark = text.find_first_of("eE");
  int exponent = shift;
  if (mark != std::string_view::npos) {
    const bool minus = text[mark + 1] == '-';
    const auto from = mark + ((minus || text[mark + 1] == '+') ? 2 : 1);
    int e = 0;
    for (std::size_t k = from; k < text.size(); ++k)
      e = e < 10000 ? e * 10 + (text[k] - '0') : e;
    exponent += minus ? -e : e;
  }
  // Digits beyond 30 cannot matter: the result has at most 19, and what lies below 1 ns is cut off.
  int128 value = 0;
  int kept = 0;
  bool after_point = false;
  for (; i < text.size() && i < mark; ++i) {
    if (text[i] == '.') {
      after_point = true;
      continue;
    }
    if (kept < 30) {
      value = value * 10 + (text[i] - '0');
      kept += value != 0 ? 1 : 0;
      exponent -= after_point ? 1 : 0;
    } else {
      exponent += after_point ? 0 : 1;
    }
  }
  for (; exponent > 0 && value != 0; --exponent) {
    value *= 10;
    if (value > std::numeric_limits<std::int64_t>::max())
      return std::nullopt;
  }
  for (; exponent < 0 && value != 0; ++exponent)
    value /= 10;
  return narrow(negative ? -value : value);
}

} // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) noexcept {
  if (text.size() < 20)
    return std::nullopt;
  scanner in{text};
  civil c;
  scan_date(in, c, 2);
  in.literal('T', 't');
  scan_clock(in, c, 2);
  if (in.peek() == '.') {
    in.literal('.');
    c.nanos = in.fraction();
  }
  c.offset_seconds = in.offset(true);
  return in.ok() && in.done() ? to_ns(c) : std::nullopt;
}

std::int64_t unit_nanoseconds(timestamp_unit unit) noexcept {
  return powers[static_cast<std::size_t>(unit_digits(unit))];
}

std::optional<std::int64_t> parse_epoch(std::string_view text, timestamp_unit unit) noexcept {
  const int shift = unit_digits(unit);
  if (const auto whole = parse_int(text)) {
    std::int64_t scaled = 0;
    if (__builtin_mul_overflow(*whole, powers[static_cast<std::size_t>(shift)], &scaled))
      return std::nullopt;
    return narrow(scaled);
  }
  return scale_decimal(text, shift);
}

std::optional<std::int64_t> parse_pattern(std::string_view text, std::string_view pattern) noexcept {
  scanner in{text};
  civil c;
  for (std::size_t i = 0; i < pattern.size() && in.ok(); ++i) {
    if (pattern[i] == '%' && i + 1 < pattern.size())
      scan_specifier(in, c, pattern[++i]);
    else
      in.literal(pattern[i]);
  }
  return in.ok() && in.done() ? to_ns(c) : std::nullopt;
}

std::string_view unknown_specifier(std::string_view pattern) noexcept {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%')
      continue;
    if (i + 1 == pattern.size() || std::string_view{"YmdHMSfFTz%"}.find(pattern[i + 1]) == std::string_view::npos)
      return pattern.substr(i, 2);
    ++i;
  }
  return {};
}

std::optional<std::int64_t> parse_time(std::string_view text, timestamp_unit unit, std::string_view pattern) noexcept {
  switch (unit) {
  case timestamp_unit::rfc3339: return parse_rfc3339(text);
  case timestamp_unit::pattern: return parse_pattern(text, pattern);
  default: return parse_epoch(text, unit);
  }
}

namespace {

struct duration_unit {
  std::string_view name;
  std::int64_t ns;
};
// Longer names first: `ms` is not `m` followed by rubbish.
constexpr std::array<duration_unit, 9> duration_units{{{"ns", 1},
                                                       {"us", 1'000},
                                                       {"\xc2\xb5s", 1'000},
                                                       {"\xce\xbcs", 1'000},
                                                       {"ms", 1'000'000},
                                                       {"s", second_ns},
                                                       {"m", 60 * second_ns},
                                                       {"h", 3600 * second_ns},
                                                       {"d", 86400 * second_ns}}};

} // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) noexcept {
  const bool negative = !text.empty() && text[0] == '-';
  text.remove_prefix(negative || (!text.empty() && text[0] == '+') ? 1 : 0);
  if (text == "0")
    return 0;
  constexpr int128 limit = static_cast<int128>(std::numeric_limits<std::int64_t>::max());
  int128 total = 0;
  if (text.empty())
    return std::nullopt;
  while (!text.empty()) {
    // 15 digits on either side of the point keep every product within 128 bits.
    int128 whole = 0;
    int128 part = 0;
    std::int64_t scale = 1;
    std::size_t i = 0;
    std::size_t digits = 0;
    for (; i < text.size() && is_digit(text[i]); ++i, ++digits) {
      whole = whole * 10 + (text[i] - '0');
      if (whole > limit)
        return std::nullopt;
    }
    if (i < text.size() && text[i] == '.') {
      for (++i; i < text.size() && is_digit(text[i]); ++i, ++digits) {
        if (scale < 1'000'000'000'000'000) {
          part = part * 10 + (text[i] - '0');
          scale *= 10;
        }
      }
    }
    if (digits == 0)
      return std::nullopt;
    text.remove_prefix(i);
    const duration_unit* found = nullptr;
    for (const auto& u : duration_units) {
      if (text.starts_with(u.name)) {
        found = &u;
        break;
      }
    }
    if (found == nullptr)
      return std::nullopt;
    text.remove_prefix(found->name.size());
    total += whole * found->ns + part * found->ns / scale;
    if (total > limit)
      return std::nullopt;
  }
  return narrow(negative ? -total : total);
}

} // namespace millrace::codec
