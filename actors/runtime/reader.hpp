// SPDX-License-Identifier: Apache-2.0
/// @file
/// Readers: detached actors that block on an input so that nobody else has to. One run per credit; nothing between
/// credits: this is where back pressure reaches the broker.
#pragma once

#include "actors/runtime/environment.hpp"
#include "actors/runtime/messages.hpp"

#include <functional>
#include <memory>
#include <string>

namespace millrace::runtime {

struct log_input {
  std::string log;
  std::uint64_t from = 1;
  std::string filter;
};

/// Spawns a READER of frames.
reader_actor spawn_log_reader(caf::actor_system& sys, const environment& env, partition_actor owner, log_input in);

/// A source shard's input. Called by one thread; blocks at most `wait`.
class source {
public:
  virtual ~source() = default;
  /// The next run, empty when nothing came within `wait`. Errors: ec::gap, ec::corrupt and ec::config halt the shard;
  /// others are retried.
  virtual result<source_run> next(std::size_t max_messages, std::size_t max_bytes, std::chrono::milliseconds wait) = 0;
};

/// Reads the messages on `filter` in a stream after place `after`.
/// @param resolve Finds or creates the stream; called until it succeeds.
std::unique_ptr<source> make_log_source(std::shared_ptr<bus> b, std::function<result<std::string>(bus&)> resolve,
                                        std::string filter, std::uint64_t after);
/// Reads whole lines of a file from byte offset `after`.
/// @param csv Lines are CSV records.
/// @param follow Wait for more at the end instead of ending.
std::unique_ptr<source> make_file_source(std::string path, bool csv, bool follow, std::uint64_t after,
                                         std::function<std::int64_t()> wall);

/// Spawns a READER of source messages.
reader_actor spawn_source_reader(caf::actor_system& sys, const environment& env, partition_actor owner,
                                 std::function<std::unique_ptr<source>()> open);

/// The header that `millrace publish --end` sets: the source has ended.
inline constexpr std::string_view end_header = "Millrace-End";

} // namespace millrace::runtime
