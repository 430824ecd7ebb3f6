// SPDX-License-Identifier: Apache-2.0
/// @file
/// Keeps logs short (rule 8.2): each durable reader of a log says in a KV bucket how far it is; whoever moves purges
/// up to the smallest, per subject and never a subject's last message, less the `replay` horizon.
///
/// Blocks on the bus; one thread at a time.
#pragma once

#include "messaging/bus.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::runtime {

struct trim_spec {
  std::string pipeline;
  std::string log;
  /// This reader, and all that must have passed a message before it may go.
  std::string reader;
  std::vector<std::string> readers;
  /// A source stream: purged by sequence alone, for no tail of it is a checkpoint.
  bool source = false;
  /// Messages stay readable for this long, ns.
  std::int64_t replay = 0;
};

class trimmer {
public:
  trimmer(std::shared_ptr<bus> b, trim_spec spec) : bus_{std::move(b)}, spec_{std::move(spec)} {}
  /// This reader needs nothing up to `position` any more. Failures cost room only: the next call tries again.
  void advance(std::uint64_t position, std::int64_t now);

private:
  std::uint64_t smallest();

  std::shared_ptr<bus> bus_;
  trim_spec spec_;
  bool opened_ = false;
  std::uint64_t said_ = 0;
  std::uint64_t trimmed_ = 0;
  /// Positions and when they were reached, while a replay horizon holds them.
  std::deque<std::pair<std::uint64_t, std::int64_t>> held_;
};

/// Purges every subject of `log` strictly below `below`.
void trim_log(bus& b, const std::string& log, std::uint64_t below);

} // namespace millrace::runtime
