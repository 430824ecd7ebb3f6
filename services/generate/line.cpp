// SPDX-License-Identifier: Apache-2.0
#include "services/generate/line.hpp"

#include <chrono>

namespace millrace::generate {

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t day = 86'400 * second;

std::string date_of(std::int64_t days) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  line out;
  out.padded(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4) << "-";
  out.padded(static_cast<unsigned>(date.month()), 2) << "-";
  out.padded(static_cast<unsigned>(date.day()), 2) << "T";
  return std::move(out.text());
}

} // namespace

line& line::time(std::int64_t ns) {
  // Every generated time is after 1970.
  if (ns / day != day_) {
    day_ = ns / day;
    date_ = date_of(day_);
  }
  const auto in_day = static_cast<std::uint64_t>(ns % day);
  const auto seconds = in_day / second;
  const auto fraction = in_day % second;
  *this << date_;
  padded(seconds / 3600, 2) << ":";
  padded(seconds / 60 % 60, 2) << ":";
  padded(seconds % 60, 2) << ".";
  if (fraction % 1'000'000 == 0)
    padded(fraction / 1'000'000, 3);
  else if (fraction % 1'000 == 0)
    padded(fraction / 1'000, 6);
  else
    padded(fraction, 9);
  return *this << "Z";
}

} // namespace millrace::generate
