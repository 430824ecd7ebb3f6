// SPDX-License-Identifier: Apache-2.0
/// @file
/// Runs one case of a test file in virtual time: no clock, no broker, no waiting.
///
/// Time: without `start` events arrive at their own event time, so log time is the largest event time so far plus what
/// `advance` added, and none is `future`. With `start` log time begins there and only `advance` moves it; events are
/// judged by `max_ahead` as live. A pause of `idle_timeout` made by `advance` makes the source idle: its watermark is
/// then the largest event time + the pause − `max_delay` (docs/adr/0005-idle-sources.md). Deterministic.
#pragma once

#include "messaging/errors.hpp"
#include "services/cli/test_file.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <vector>

namespace millrace::cli {

using record_json = nlohmann::ordered_json;

/// What came out of the sections that the case looks at (all, when it expects nothing), by `record_kind`, in the order
/// of `millrace batch`, without the member `kind`.
using test_records = std::array<std::vector<record_json>, 3>;

/// Errors: ec::io (the file of the case), ec::config.
result<test_records> run_test(const pipeline::definition_ptr& d, const test_case& c, const std::string& folder);

} // namespace millrace::cli
