// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the others are measured against. In a source file of its own, because it is compiled for the newest
/// instruction set that it may use, which the rest of a program must not be.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace::bench {

struct parsed {
  std::size_t events = 0;
  /// Keeps the compiler from leaving out the work.
  std::size_t sum = 0;
};

/// Parses ysb events (NDJSON, 64 readable bytes behind it) by simdjson On-Demand and reads the seven members of each,
/// in their order, as views and a number; keeps nothing.
parsed bare_parse(std::string_view text);

/// False: this machine lacks instructions that `bare_parse` was compiled for.
bool can_bare_parse();
/// The kernel that it was compiled with.
std::string_view bare_kernel();

} // namespace millrace::bench
