// SPDX-License-Identifier: Apache-2.0
/// @file
/// The kinds of example events. To add one: a file with its maker and its table, and a line in `registry`.
#pragma once

#include "services/generate/line.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace millrace::generate {

/// 2026-01-05T14:30:00Z, when the first event happens.
inline constexpr std::int64_t start_time = 1'767'623'400'000'000'000;

/// Makes one event after the other; keeps random walks and the like.
class maker {
public:
  virtual ~maker() = default;
  /// Appends event number `i` (from 0), which happened at `time` ns, as JSON without line end.
  virtual void write(line& out, std::uint64_t i, std::int64_t time) = 0;
};

struct kind {
  std::string_view name;
  double rate;
  std::unique_ptr<maker> (*make)(std::uint64_t seed, double rate);
  std::string (*table)();
};

std::span<const kind> registry() noexcept;

std::unique_ptr<maker> make_trades(std::uint64_t seed, double rate);
std::string trades_table();
std::unique_ptr<maker> make_sensors(std::uint64_t seed, double rate);
std::string sensors_table();
std::unique_ptr<maker> make_ysb(std::uint64_t seed, double rate);
std::string ysb_table();

} // namespace millrace::generate
