// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace test --update`: writes what came out into the `expect` of a test. Pure.
#pragma once

#include "messaging/errors.hpp"
#include "services/cli/test_run.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

struct accepted_case {
  const test_case* what = nullptr;
  const test_records* records = nullptr;
};

/// `text` with the expectations of `cases` (in file order) replaced by their records. The sections that a test listed
/// are kept, all of them when it listed none. Everything outside of those `expect` keys stays as it is, byte for byte.
/// Errors: ec::unsupported for a test that is written in braces.
result<std::string> accept_records(std::string_view text, const std::vector<accepted_case>& cases);

} // namespace millrace::cli
