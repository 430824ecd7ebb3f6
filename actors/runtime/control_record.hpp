// SPDX-License-Identifier: Apache-2.0
/// @file
/// A control as the state log keeps it (rule 7.1): what changes, and after which input it takes effect.
#pragma once

#include "actors/runtime/control_source.hpp"

#include <cstdint>
#include <memory>

namespace millrace::runtime {

struct control_record {
  std::shared_ptr<const control> what;
  /// Consecutive number in this partition, from 1: says exactly which records a state contains.
  std::uint64_t serial = 0;
  /// Input sequence after which it takes effect: the last one taken before it.
  std::uint64_t position = 0;
};

} // namespace millrace::runtime
