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

/// One subject of a log that the partitions of a stage share (rule 3.4).
struct shared_output {
  std::string_view stage;
  std::uint32_t partition = 0;
  /// Token of this writer.
  std::string writer;
};

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
  /// Lanes 1, 2, ... of the processor's sections; lane 0 is the log above.
  std::vector<shared_output> more_outputs;
  bool publish = false;
  std::function<std::unique_ptr<processor>()> make_processor;
  /// Versions of what the processor is parametrised with; may be null.
  std::shared_ptr<runtime::control_hub> controls;
};
runtime::unit_spec stage_unit(const context& c, stage_wiring w);

/// Some window's key does not contain the event key: partitions write partial results, which a second step merges into
/// windows logs of its own.
bool merges(const pipeline::definition& d);
/// Index of the windows log of merge partition q: those of the partitions come first.
inline std::uint32_t merge_partition(const pipeline::definition& d, std::uint32_t q) { return d.partitions + q; }

/// Index of the alerts log for alerts on events of partition p: those on windows come first.
inline std::uint32_t events_alert_partition(const pipeline::definition& d, std::uint32_t p) { return d.partitions + p; }
/// Index of the alerts log for alerts on the windows of merge partition q: after those on events.
inline std::uint32_t merge_alert_partition(const pipeline::definition& d, std::uint32_t q) {
  return 2 * d.partitions + q;
}

} // namespace millrace::process
