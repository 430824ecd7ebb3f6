// SPDX-License-Identifier: Apache-2.0
/// @file
/// The bus inside one process: for `millrace batch`, `millrace test` and the simulation (semantics.md, section 11).
/// It keeps everything in memory, takes its time from an injected clock, behaves like a real server where servers
/// are odd (`../nats`'s findings: removed tails refuse the live writer, conflict is judged before fullness), and lets
/// a test make any append fail in every way that a network can.
///
/// Thread-safe. With `inline_callbacks` nothing here starts a thread, so a single-threaded simulation is deterministic.
#pragma once

#include "messaging/bus.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace millrace {

/// What happens to one append.
enum class append_fault : std::uint8_t {
  none,
  /// Refused before it reaches the log: ec::unavailable, nothing stored.
  fail,
  /// Lost on its way: ec::timeout, nothing stored.
  lose_request,
  /// Stored (if its expectation holds), but the answer is lost: ec::timeout.
  lose_ack,
  /// Arrives twice; the second copy meets its own expectation, the answer is that of the first.
  duplicate,
  /// Answered ec::timeout now; the packet arrives when `release_delayed` is called, and meets its expectation then.
  delay,
};

struct memory_options {
  /// Nanoseconds since the epoch; stamps of messages and ages come from it. Empty: always 0.
  std::function<std::int64_t()> now;
  /// Asked before every append of `append`; must not call the bus.
  std::function<append_fault(const append_request&)> before_append;
  /// Told of every append that `before_append` let through, with its outcome; true loses the answer (ec::timeout).
  std::function<bool(const append_request&, const result<std::uint64_t>&)> after_append;
  /// Callbacks run in the thread that appends or publishes, after the bus has unlocked, instead of an own thread.
  bool inline_callbacks = false;
};

class memory_bus : public bus {
public:
  /// Delivers every delayed append, in order of sending; answers how many were stored.
  virtual std::size_t release_delayed() = 0;
  /// Forgets every delayed append.
  virtual void discard_delayed() = 0;
  /// Takes the broker away (every call answers ec::unavailable) or gives it back, which counts as a reconnect.
  virtual void set_available(bool available) = 0;
  /// Loses what a power failure without fsync loses: all messages above `last`.
  virtual result<void> truncate(std::string_view log, std::uint64_t last) = 0;
};

std::shared_ptr<memory_bus> make_memory_bus(memory_options options = {});

} // namespace millrace
