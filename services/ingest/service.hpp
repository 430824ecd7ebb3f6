// SPDX-License-Identifier: Apache-2.0
/// @file
/// The ingest service: which partitions it runs.
#pragma once

#include "services/process/process.hpp"

namespace millrace::services {

process::service ingest_service();

} // namespace millrace::services
