// SPDX-License-Identifier: Apache-2.0
/// @file
/// The writing half of a partition: takes over its subjects, then executes one job at a time, each complete (stored
/// and acknowledged) before the next. Knows the bus, not the actors. Blocks; one thread at a time.
#pragma once

#include "actors/runtime/append.hpp"
#include "actors/runtime/snapshot_log.hpp"
#include "actors/runtime/stage_core.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::runtime {

/// Names of one partition of one stage on the bus.
struct partition_names {
  std::string pipeline;
  /// `enrich`, `window`, `alert`, `ingest`: as records and metrics say it.
  std::string stage;
  std::uint32_t partition = 0;
  /// Output logs and subjects: ingest has one per events partition, a shuffling stage its own first and then one per
  /// partition of the next step, the others one.
  std::vector<lane> outputs;
  std::string state_log;
  std::string state_prefix;
  std::string rejected_log;
  std::string rejected_subject;
  /// Logs to create before the claim.
  std::vector<log_spec> logs;
  std::uint64_t definition = 0;
  /// This process, for people.
  std::string instance;
};

/// What stands on the outputs after the claim.
struct opened {
  std::optional<std::string> snapshot;
  std::vector<checkpoint> outputs;
  reject_mark rejected;
  /// Controls that the snapshot does not contain, in order.
  std::vector<control_record> controls;
  std::uint64_t epoch = 0;
};

/// Executed in this order: control, rejects, publications, frames (all lanes at once), snapshot, release.
struct write_job {
  /// To be recorded before it takes effect.
  std::optional<control_record> control;
  std::vector<marked_reject> rejects;
  std::vector<lane_frame> frames;
  std::optional<stage_state> snapshot;
  bool release = false;
  /// Broker time of the newest input that the frames cover; for `millrace_stage_seconds`.
  std::int64_t input_stamp = 0;
};

struct written {
  struct frame_facts {
    std::size_t rows = 0;
    std::size_t bytes = 0;
    std::int64_t source_stamp = 0;
  };
  std::vector<frame_facts> frames;
  std::uint64_t rejects = 0;
  std::int64_t input_stamp = 0;
  bool control = false;
  bool snapshot = false;
  std::size_t snapshot_bytes = 0;
  std::int64_t snapshot_ns = 0;
  /// Input position that the input log may be trimmed to.
  std::uint64_t trim_position = 0;
  bool released = false;
};

class stage_writer {
public:
  /// @param publish Results and alerts (the rows of the first lane) also go to plain subscribers as JSON, at least once
  /// (section 10).
  stage_writer(std::shared_ptr<bus> b, partition_names names, append_policy policy, bool publish,
               std::function<std::int64_t()> steady);

  /// Claims and reads. Errors: as `claim_lanes` and `snapshot_log::newest`.
  result<opened> open();
  result<written> execute(write_job& job);

private:
  result<void> write_rejects(const std::vector<marked_reject>& rejects);
  result<void> publish(const frame& f);
  result<void> write_frames(std::vector<lane_frame>& frames, written& out);
  result<reject_mark> read_rejected();

  std::shared_ptr<bus> bus_;
  partition_names names_;
  append_policy policy_;
  bool publish_;
  std::function<std::int64_t()> steady_;
  std::optional<snapshot_log> state_;
  lane rejected_;
  frame_encoder encoder_;
};

/// `millrace.<pipeline>...` CloudEvent of a rejected event (section 9), structured mode.
std::string reject_body(const partition_names& names, const marked_reject& r);
/// `sequence:count` and back.
std::string to_string(const reject_mark& m);
reject_mark parse_reject_mark(std::string_view text);

} // namespace millrace::runtime
