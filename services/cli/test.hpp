// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace test`: test files against their pipelines, in virtual time.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace millrace::cli {

struct test_options {
  std::vector<std::string> files;
  /// Rewrite the expectations of failing tests to what came out.
  bool update = false;
  bool colours = false;
};

/// One line per test and the differences to `out`, findings and the summary to `err`. Exit code 0, 1 (a test failed),
/// 2 (a broken file or pipeline; the other files are still run), 3 (a file could not be read or written).
int test(const test_options& o, std::ostream& out, std::ostream& err);

} // namespace millrace::cli
