// SPDX-License-Identifier: Apache-2.0
/// @file
/// The original bytes of an event that was rejected after ingest had read it: from its source stream, while that still
/// stores it.
#pragma once

#include "services/cli/rejected.hpp"

#include <map>
#include <optional>
#include <string>

namespace millrace::cli {

class original_finder {
public:
  original_finder(bus& b, const pipeline::definition& d) : bus_{b}, d_{d} {}
  /// nullopt: not stored any more, not from a stream, not JSON, or not the event that `e` speaks of.
  std::optional<std::string> find(const rejected_entry& e);

private:
  const message* fetch(std::uint32_t shard, std::uint64_t place);

  bus& bus_;
  const pipeline::definition& d_;
  /// By shard; empty: none.
  std::map<std::uint32_t, std::string> logs_;
  /// The last message asked for: events of one message are often rejected together.
  std::optional<message> last_;
  std::uint32_t last_shard_ = 0;
};

} // namespace millrace::cli
