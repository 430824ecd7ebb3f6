// SPDX-License-Identifier: Apache-2.0
/// @file
/// Time zones by IANA name (the system's tz database, package tzdata) or fixed offset. What a name means depends on
/// the installed release of that database, as for every program of the machine.
#pragma once

#include <absl/time/time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::expressions {

/// A rule that says how far local time is from UTC at any instant. Cheap to copy, thread-safe.
class time_zone {
public:
  /// UTC.
  time_zone() = default;
  explicit time_zone(std::int64_t fixed_offset) : fixed_{fixed_offset} {}
  explicit time_zone(absl::TimeZone named) : named_{named} {}

  /// Seconds to add to `seconds` since the epoch (UTC) for local time.
  std::int64_t offset_at(std::int64_t seconds) const {
    return named_ ? named_->At(absl::FromUnixSeconds(seconds)).offset : fixed_;
  }

private:
  friend class zone_cursor;

  std::int64_t fixed_ = 0;
  std::optional<absl::TimeZone> named_;
};

/// Offsets of one zone for many instants, which are mostly near each other: it remembers the times between changes of
/// the offset. Only for instants that 64-bit nanoseconds hold (the library's table ends in the year 2437). Not
/// thread-safe.
class zone_cursor {
public:
  explicit zone_cursor(const time_zone& zone) : zone_{zone} {}

  std::int64_t offset_at(std::int64_t seconds) {
    const auto& p = periods_[last_];
    return seconds >= p.from && seconds < p.to ? p.offset : look_up(seconds);
  }

private:
  /// From `from` until before `to`; empty at first.
  struct period {
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::int64_t offset = 0;
  };

  std::int64_t look_up(std::int64_t seconds);

  time_zone zone_;
  /// Some years' worth, two changes each.
  std::array<period, 8> periods_{};
  std::size_t last_ = 0;
  std::size_t oldest_ = 0;
};

/// The zone of `UTC`, `+02:00`, `02:00`, `Europe/Berlin`. Nullopt for anything else, also for the names that mean
/// something else on every machine (`localtime`). Zones are read once and kept by the library.
std::optional<time_zone> find_zone(std::string_view text);
/// Why there is no zone of that name, and what to write.
std::string zone_error(std::string_view text);

} // namespace millrace::expressions
