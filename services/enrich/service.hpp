// SPDX-License-Identifier: Apache-2.0
/// @file
/// The enrich service: which partitions it runs.
#pragma once

#include "services/process/process.hpp"

namespace millrace::services {

process::service enrich_service();

} // namespace millrace::services
