// SPDX-License-Identifier: Apache-2.0
/// @file
/// The alert service: which partitions it runs.
#pragma once

#include "services/process/process.hpp"

namespace millrace::services {

process::service alert_service();

} // namespace millrace::services
