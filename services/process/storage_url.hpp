// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where results are stored: `MILLRACE_STORAGE_URL` wins over the pipeline file; relative paths start from `--data`.
#pragma once

#include "messaging/errors.hpp"
#include "services/pipeline/definition.hpp"

#include <string>

namespace millrace::process {

/// Path of the SQLite file. Errors: ec::config for other kinds of URL (user info is not repeated).
result<std::string> sqlite_path(const pipeline::definition& d, const std::string& data_folder);

} // namespace millrace::process
