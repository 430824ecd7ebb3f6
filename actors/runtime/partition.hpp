// SPDX-License-Identifier: Apache-2.0
/// @file
/// PARTITION of a stage: reader → processor → writer with bounded work between them (architecture.md, "One
/// runtime"). Takes over its subjects, restores, replays, runs; stops in order on `drain`.
#pragma once

#include "actors/processor.hpp"
#include "actors/runtime/control_hub.hpp"
#include "actors/runtime/environment.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/trimmer.hpp"
#include "metrics/families.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::runtime {

/// What a partition tells its metrics. The pointers outlive the actor system.
struct partition_metrics {
  metrics::stage_metrics* stage = nullptr;
  metrics::service_metrics* service = nullptr;
};

struct partition_spec {
  /// `<pipeline>/<stage>/<partition>`, for logs and readiness.
  std::string unit;
  std::uint64_t index = 0;
  partition_names names;
  std::string input_log;
  std::string input_filter;
  /// Subjects of the input's writers (rule 3.3).
  std::vector<std::string> writers;
  std::function<std::unique_ptr<processor>()> make_processor;
  /// Versions of what the processor's `control` takes: no input is taken before each has come once. May be null.
  std::shared_ptr<control_hub> controls;
  /// Also publish results and alerts as JSON.
  bool publish = false;
  /// Who reads the input, and how long it stays.
  trim_spec trim;
  partition_metrics meters;
};

/// Spawns a PARTITION.
partition_actor spawn_partition(caf::actor_system& sys, const environment& env, supervisor_actor parent,
                                partition_spec spec);

/// Raises the metrics' counters to a ledger.
metrics::ledger_totals totals(const ledger& l);

} // namespace millrace::runtime
