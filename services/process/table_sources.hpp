// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sources that watch a pipeline's lookup tables, by what its file says: one for each table, also for a file.
#pragma once

#include "actors/runtime/control_source.hpp"
#include "messaging/bus.hpp"
#include "services/pipeline/definition.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace millrace::process {

/// How often a file is looked at.
inline constexpr std::chrono::seconds file_poll{1};

/// For `runtime::control_hub`. They log what changes and what cannot be used; neither URLs nor headers. Errors:
/// ec::config when `url_env` names a variable that is not set.
result<std::vector<std::shared_ptr<runtime::control_source>>> table_sources(const pipeline::definition& d,
                                                                            std::shared_ptr<bus> b);

} // namespace millrace::process
