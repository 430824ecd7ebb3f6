// SPDX-License-Identifier: Apache-2.0
/// @file
/// The only place that reads clocks. Everything else is given the time.
#pragma once

#include <cstdint>
#include <functional>

namespace millrace::runtime {

/// Injected time, nanoseconds. `wall` is UTC since the epoch; `steady` never goes back.
struct clock_source {
  std::function<std::int64_t()> wall;
  std::function<std::int64_t()> steady;
};

/// The machine's clocks.
clock_source machine_clock();

} // namespace millrace::runtime
