// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace doctor`: whether the broker, and a pipeline on it, are as they should be, and what to do where they are
/// not. Only asks; blocks on the bus.
#pragma once

#include "messaging/bus.hpp"
#include "messaging/inspector.hpp"
#include "services/pipeline/definition.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

enum class health : std::uint8_t { ok, warn, fail };

struct check {
  /// `broker`, `version`, `log settings`, ...
  std::string name;
  health status = health::ok;
  std::string seen;
  /// What to do; empty when nothing is to be done.
  std::string remedy;
};

/// A log that the pipeline writes, and who writes and reads it.
struct expected_log {
  std::string name;
  /// `events`, `state_window`, `rejected`, ...
  std::string stage;
  std::uint32_t partition = 0;
  /// Subjects whose last message must be a frame.
  std::vector<std::string> subjects;
  /// Durable readers, as they name themselves in the bucket of positions.
  std::vector<std::string> readers;
};

std::vector<expected_log> expected_logs(const pipeline::definition& d);

struct doctor_input {
  inspector& broker;
  bus& b;
  /// Null: the broker only.
  const pipeline::definition* definition = nullptr;
  /// Wall clock here, to be compared with the broker's.
  std::function<std::int64_t()> now;
};

/// The broker's own checks. `reached` tells whether it answers at all: without, nothing else was looked at.
std::vector<check> examine_broker(doctor_input& in, bool& reached);
/// Those of the pipeline.
std::vector<check> examine_pipeline(doctor_input& in);

bool any_failed(const std::vector<check>& all);
std::string to_text(const std::vector<check>& all);
std::string to_json(const std::vector<check>& all);

} // namespace millrace::cli
