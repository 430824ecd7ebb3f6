// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the runtime's actors are given: bus, clocks, metrics, a board that says how the units are. Built once per
/// process by the host.
#pragma once

#include "actors/runtime/append.hpp"
#include "actors/runtime/clock.hpp"
#include "messaging/bus.hpp"
#include "messaging/errors.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace millrace::runtime {

enum class unit_state { starting, running, waiting, halted, stopped };

/// How each unit (partition) is, for `/readyz`. Thread-safe.
class status_board {
public:
  void set(const std::string& unit, unit_state state, std::string reason = {});
  /// ec::unavailable naming the first unit that does not run, and why; success when all run.
  result<void> ready() const;
  /// Units that own their subjects now.
  std::size_t owned() const;

private:
  struct entry {
    unit_state state = unit_state::starting;
    std::string reason;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry> units_;
};

/// Behaviour options of every partition.
struct tuning {
  /// A frame is cut at about this size.
  std::size_t frame_bytes = default_frame_bytes;
  /// Output waiting beyond this withholds credit from the reader (rule 8.1).
  std::size_t pending_bytes = 4 * default_frame_bytes;
  /// Runs a reader may have on its way to the partition.
  std::size_t credits = 2;
  /// One run: messages and bytes.
  std::size_t run_messages = 64;
  std::size_t run_bytes = 1024 * 1024;
  /// How long one fetch may wait for input.
  std::chrono::milliseconds fetch_wait{200};
  std::chrono::milliseconds pulse{1000};
  /// Snapshot interval (rule 6.2): time, or input bytes.
  std::chrono::milliseconds snapshot_interval{5000};
  std::size_t snapshot_input_bytes = 64 * 1024 * 1024;
};

struct environment {
  std::shared_ptr<millrace::bus> bus;
  clock_source clock = machine_clock();
  tuning tune;
  /// Raised when the process must end now: waiting writers give up.
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<status_board> board = std::make_shared<status_board>();
  /// This process, for people: `host:pid`.
  std::string instance;
  /// False in tests on the deterministic scheduler.
  bool detached = true;

  append_policy policy(std::string unit) const;
};

} // namespace millrace::runtime
