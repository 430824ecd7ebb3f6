// SPDX-License-Identifier: Apache-2.0
/// @file
/// The window-aggregate service: which partitions it runs.
#pragma once

#include "services/process/process.hpp"

namespace millrace::services {

process::service window_aggregate_service();

} // namespace millrace::services
