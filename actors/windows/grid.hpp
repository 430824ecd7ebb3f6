// SPDX-License-Identifier: Apache-2.0
/// @file
/// Arithmetic of time windows that align to the epoch and of the slices they are made of.
///
///   windows  |-------- size --------|            starts at multiples of `every`
///                 |-------- size --------|
///   slices   |----|----|----|----|----|----|     width = gcd(size, every)
///
/// After "Cutty" (Carbone et al., CIKM 2016) and "Scotty" (Traub et al., TODS 2021).
#pragma once

#include "messaging/event_batch.hpp"

#include <cstdint>
#include <optional>

namespace millrace::windows {

/// Division that rounds down, also for negative numbers. @pre b > 0
constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept {
  const auto q = a / b;
  return (a % b < 0) ? q - 1 : q;
}

/// a + b without wrapping: the sum beyond the range is `end_watermark`. @pre b >= 0
constexpr std::int64_t saturating_add(std::int64_t a, std::int64_t b) noexcept {
  return a > end_watermark - b ? end_watermark : a + b;
}

/// a - b without wrapping: the difference beyond the range is `no_watermark`. @pre b >= 0
constexpr std::int64_t saturating_subtract(std::int64_t a, std::int64_t b) noexcept {
  return a < no_watermark + b ? no_watermark : a - b;
}

/// A slice and the windows that cover it.
struct slice_bounds {
  nanoseconds_t start = 0;
  nanoseconds_t end = 0;
  /// Ends of the earliest and the latest window over the slice.
  nanoseconds_t first_end = 0;
  nanoseconds_t last_end = 0;
};

struct window_grid {
  nanoseconds_t size = 1;
  nanoseconds_t every = 1;
  nanoseconds_t lateness = 0;
  /// Slice width.
  nanoseconds_t width = 1;

  /// The slice around `time`; none when it or one of its windows leaves the range of nanoseconds.
  std::optional<slice_bounds> slice_at(nanoseconds_t time) const noexcept {
    const auto margin = size + every + lateness;
    if (time < no_watermark + 1 + margin)
      return std::nullopt;
    slice_bounds s;
    s.start = floor_div(time, width) * width;
    // By the start: what is taken must not differ within a slice, or it would depend on the event before.
    if (s.start < no_watermark + 1 + 2 * margin || s.start > end_watermark - 1 - 2 * margin)
      return std::nullopt;
    s.end = s.start + width;
    s.last_end = floor_div(s.start, every) * every + size;
    // The earliest start is the first multiple of `every` at or after end - size.
    s.first_end = -floor_div(size - s.end, every) * every + size;
    return s;
  }

  /// The smallest window end greater than `t`.
  nanoseconds_t end_after(nanoseconds_t t) const noexcept {
    return (floor_div(saturating_subtract(t, size), every) + 1) * every + size;
  }
};

} // namespace millrace::windows
