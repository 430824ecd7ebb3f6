// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/clock.hpp"

#include <chrono>

namespace millrace::runtime {

namespace {

template <class Clock>
std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

} // namespace

clock_source machine_clock() { return {now<std::chrono::system_clock>, now<std::chrono::steady_clock>}; }

} // namespace millrace::runtime
