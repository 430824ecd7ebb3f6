// SPDX-License-Identifier: Apache-2.0
/// @file
/// PARTITION of storage: one input log into a fenced database (rule 2.8). Detached, because it blocks on the disk.
#pragma once

#include "actors/runtime/partition.hpp"
#include "actors/storage/store.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::runtime {

/// One database connection, used by the sinks of a process in turn.
struct shared_store {
  std::mutex mutex;
  std::unique_ptr<storage::store_writer> writer;
};

struct sink_spec {
  std::string unit;
  std::uint64_t index = 0;
  std::string pipeline;
  std::string input_log;
  std::vector<std::string> writers;
  std::shared_ptr<shared_store> store;
  trim_spec trim;
  partition_metrics meters;
};

/// Spawns a PARTITION of storage.
partition_actor spawn_sink(caf::actor_system& sys, const environment& env, supervisor_actor parent, sink_spec spec);

} // namespace millrace::runtime
