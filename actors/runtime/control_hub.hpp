// SPDX-License-Identifier: Apache-2.0
/// @file
/// Shares control sources between the partitions of a process: each gets the newest version of everything when it
/// starts, and every later one.
#pragma once

#include "actors/runtime/control_source.hpp"
#include "actors/runtime/messages.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::runtime {

/// Thread-safe. Lives as long as a partition that may start again; must not outlive the actor system.
class control_hub {
public:
  explicit control_hub(std::vector<std::shared_ptr<control_source>> sources);
  /// *Shutdown*: stops the sources.
  ~control_hub();
  control_hub(const control_hub&) = delete;
  control_hub& operator=(const control_hub&) = delete;

  /// Names without which a partition cannot begin, in order.
  const std::vector<std::string>& names() const noexcept { return names_; }

  /// The partition gets `local<control>`: what is known now, and what comes. The first call starts the sources; a
  /// partition that has ended is forgotten.
  void subscribe(const partition_actor& p);

private:
  void deliver(control c);

  std::vector<std::shared_ptr<control_source>> sources_;
  std::vector<std::string> names_;
  std::mutex mutex_;
  bool started_ = false;
  std::map<std::string, local<control>> newest_;
  /// Weak: the partitions keep the hub.
  std::vector<caf::weak_actor_ptr> partitions_;
};

} // namespace millrace::runtime
