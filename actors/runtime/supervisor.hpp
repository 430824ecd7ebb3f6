// SPDX-License-Identifier: Apache-2.0
/// @file
/// SUPERVISOR: starts every unit, restarts what fails with a capped backoff, halts what restarting cannot cure, and
/// stops all in order.
#pragma once

#include "actors/runtime/environment.hpp"
#include "actors/runtime/messages.hpp"
#include "metrics/families.hpp"

#include <functional>
#include <string>
#include <vector>

namespace millrace::runtime {

struct unit_spec {
  std::string name;
  std::function<partition_actor(caf::actor_system&, const environment&, supervisor_actor, std::uint64_t index)> start;
  metrics::service_metrics* meters = nullptr;
};

/// Spawns a SUPERVISOR.
supervisor_actor spawn_supervisor(caf::actor_system& sys, const environment& env, std::vector<unit_spec> units);

} // namespace millrace::runtime
