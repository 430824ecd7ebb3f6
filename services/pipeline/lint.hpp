// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `millrace lint` does.
#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace millrace::pipeline {

/// Checks pipeline files: every finding as a line to `out`, a count to `err`. Returns the exit code: 0, 1 when there
/// were errors (warnings are none), 2 when there is no file to check.
int lint(std::span<const std::string> files, std::ostream& out, std::ostream& err);

} // namespace millrace::pipeline
