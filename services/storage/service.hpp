// SPDX-License-Identifier: Apache-2.0
/// @file
/// The storage service: which partitions it runs.
#pragma once

#include "services/process/process.hpp"

namespace millrace::services {

process::service storage_service();

} // namespace millrace::services
