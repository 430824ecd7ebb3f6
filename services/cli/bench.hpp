// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace bench`: what one core of this machine does with generated ysb events.
#pragma once

#include <cstdint>
#include <iosfwd>

namespace millrace::cli {

struct bench_options {
  std::uint64_t events = 1'000'000;
  unsigned runs = 5;
};

/// Prints a table to `out`; exit code 0 or 3.
int bench(const bench_options& o, std::ostream& out, std::ostream& err);

} // namespace millrace::cli
