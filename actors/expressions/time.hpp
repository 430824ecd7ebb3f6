// SPDX-License-Identifier: Apache-2.0
/// @file
/// Timestamps and durations as CEL reads and prints them. All pure; calendar after Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::expressions {

inline constexpr std::int64_t ns_per_second = 1'000'000'000;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a CEL timestamp can be.
inline constexpr std::int64_t first_second = -62'135'596'800;
inline constexpr std::int64_t last_second = 253'402'300'799;

/// Days since 1970-01-01 of a proleptic Gregorian date.
constexpr std::int64_t days_from_civil(std::int64_t y, unsigned m, unsigned d) noexcept {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}

struct civil_day {
  std::int64_t year = 1970;
  unsigned month = 1;
  unsigned day = 1;
};

constexpr civil_day civil_from_days(std::int64_t z) noexcept {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t y = static_cast<std::int64_t>(yoe) + era * 400;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned m = mp < 10 ? mp + 3 : mp - 9;
  return {y + (m <= 2), m, doy - (153 * mp + 2) / 5 + 1};
}

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept { return a / b - (a % b < 0 ? 1 : 0); }

/// What an accessor of a timestamp asks for.
enum class time_part : std::uint8_t {
  full_year,
  month,        ///< from 0
  date,         ///< day of the month from 1
  day_of_month, ///< from 0
  day_of_week,  ///< 0 is Sunday
  day_of_year,  ///< from 0
  hours,
  minutes,
  seconds,
  milliseconds,
};

/// `seconds` are local: the offset of the zone is already added.
constexpr std::int64_t part_of(time_part part, std::int64_t seconds, std::uint32_t nanos) noexcept {
  const std::int64_t days = floor_div(seconds, 86400);
  const std::int64_t rest = seconds - days * 86400;
  switch (part) {
  case time_part::hours: return rest / 3600;
  case time_part::minutes: return rest / 60 % 60;
  case time_part::seconds: return rest % 60;
  case time_part::milliseconds: return nanos / 1'000'000;
  case time_part::day_of_week: return (days % 7 + 11) % 7;
  default: break;
  }
  const auto c = civil_from_days(days);
  switch (part) {
  case time_part::full_year: return c.year;
  case time_part::month: return static_cast<std::int64_t>(c.month) - 1;
  case time_part::date: return c.day;
  case time_part::day_of_month: return static_cast<std::int64_t>(c.day) - 1;
  default: return days - days_from_civil(c.year, 1, 1);
  }
}

struct instant {
  std::int64_t seconds = 0;
  std::uint32_t nanos = 0;
};

/// RFC 3339 with any offset; up to 9 fraction digits.
std::optional<instant> parse_timestamp(std::string_view text) noexcept;
/// `1h30m`, `-1.5s`, `250ms`, `10us`, `5ns`, `0`; nullopt also beyond the range of 64-bit nanoseconds.
std::optional<std::int64_t> parse_duration(std::string_view text) noexcept;
/// Offset in seconds of `UTC`, `Z`, `+02:00`, `-08:00`, `02:00`; nullopt for names of zones.
std::optional<std::int64_t> parse_zone(std::string_view text) noexcept;

enum class fraction {
  /// As few digits as needed, none for whole seconds: `string(timestamp)`.
  shortest,
  /// 3, 6 or 9 digits: output records.
  groups,
};
std::string format_timestamp(std::int64_t seconds, std::uint32_t nanos, fraction f);
/// Seconds: `1.5s`, `-0.000000001s`.
std::string format_duration(std::int64_t ns);

} // namespace millrace::expressions
