// SPDX-License-Identifier: Apache-2.0
/// @file
/// PARTITION of ingest: reads a source shard, decodes, splits by key, writes to every events partition.
#pragma once

#include "actors/ingest/shard.hpp"
#include "actors/runtime/partition.hpp"
#include "actors/runtime/reader.hpp"

#include <functional>
#include <memory>
#include <string>

namespace millrace::runtime {

struct shard_spec {
  std::string unit;
  std::uint64_t index = 0;
  partition_names names;
  ingest::shard_options options;
  nanoseconds_t idle_timeout = 0;
  /// Path of a file source, for `$file`; empty for logs.
  std::string file;
  /// First line of a CSV file, which every run needs; `open` starts behind it.
  std::string csv_header;
  /// Opens the source after a place; called by the reader, may block.
  std::function<std::unique_ptr<source>(std::uint64_t after)> open;
  /// The source stream, when it is ours to trim.
  trim_spec trim;
  partition_metrics meters;
};

/// Spawns a PARTITION of ingest.
partition_actor spawn_shard(caf::actor_system& sys, const environment& env, supervisor_actor parent, shard_spec spec);

} // namespace millrace::runtime
