// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a service is built from, and how a stage's partitions are named and wired: the same for all five services.
#pragma once

#include "actors/runtime/environment.hpp"
#include "actors/runtime/partition.hpp"
#include "actors/runtime/supervisor.hpp"
#include "metrics/families.hpp"
#include "services/pipeline/definition.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::process {

struct context {
  pipeline::definition_ptr definition;
  runtime::environment env;
  std::shared_ptr<metrics::registry> metrics;
  /// Folder that relative `sqlite:` paths start from.
  std::string data = ".";
  /// Bound of one log; the broker reserves it. Source streams get four times as much.
  std::uint64_t log_bytes = 256ULL * 1024 * 1024;
  int replicas = 1;
};

/// Which of a stage's logs is meant.
struct stage_names {
  /// As records, metrics and state logs say it: `enrich`, `window`, `alert`, `storage`, `ingest`.
  std::string_view stage;
  /// The executable's long name: `window-aggregate`.
  std::string_view service;
};

/// The stage log as the broker should have it.
log_spec stage_log(const context& c, std::string_view stage, std::uint32_t partition);
/// The stream of rejected events.
log_spec rejected_log(const context& c);

/// Durable readers of partition logs, by stage of the log: who must have passed a message before it may go.
std::vector<std::string> readers_of(const pipeline::definition& d, std::string_view log_stage);

runtime::trim_spec trim_of(const context& c, std::string_view log_stage, std::uint32_t partition,
                           std::string_view reader);

/// One partition of a stage that reads `input_stage`'s log `input_partition` and writes `output_stage`'s log
/// `partition`.
struct stage_wiring {
  stage_names names;
  std::string_view input_stage;
  std::uint32_t input_partition = 0;
  std::string_view output_stage;
  std::uint32_t partition = 0;
  /// Writers on the input; empty: the one writer of a log with one.
  std::vector<std::string> writers;
  bool publish = false;
  std::function<std::unique_ptr<processor>()> make_processor;
};
runtime::unit_spec stage_unit(const context& c, stage_wiring w);

/// Index of the alerts log for alerts on events of partition p: those on windows come first.
inline std::uint32_t events_alert_partition(const pipeline::definition& d, std::uint32_t p) { return d.partitions + p; }

} // namespace millrace::process
