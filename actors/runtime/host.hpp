// SPDX-License-Identifier: Apache-2.0
/// @file
/// One actor system with the units of one service, or of all five: they talk over the bus either way and never hand
/// each other actor handles.
#pragma once

#include "actors/runtime/environment.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace millrace::runtime {

struct unit_spec;

class host {
public:
  host(environment env, std::vector<unit_spec> units);
  /// Raises `env.stop` if `stop` was not called or did not finish.
  ~host();
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  /// Orderly stop (rule 2.7): every unit finishes its frame in flight, snapshots and releases.
  /// @return False when that took longer than `limit`; what was in flight is then resolved by the next start.
  bool stop(std::chrono::milliseconds limit);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace millrace::runtime
