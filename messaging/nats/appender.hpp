// SPDX-License-Identifier: Apache-2.0
/// @file
/// Appends with expectations: publishes every request of a call at once, then waits for all acknowledgements.
#pragma once

#include "messaging/nats/connection.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::nats {

/// Reads a JetStream publish acknowledgement (pure, for tests).
result<std::uint64_t> parse_ack(std::string_view text, const std::string& what);

/// Thread-safe; any number of calls at a time share one inbox.
class appender {
public:
  static result<std::unique_ptr<appender>> open(std::shared_ptr<connection> control);
  ~appender();
  appender(const appender&) = delete;
  appender& operator=(const appender&) = delete;

  std::vector<result<std::uint64_t>> append(std::span<const append_request> requests,
                                            std::chrono::milliseconds deadline);

private:
  struct call;
  /// Where an acknowledgement goes: the call and the place in it.
  struct slot {
    std::shared_ptr<call> owner;
    std::size_t index = 0;
  };
  explicit appender(std::shared_ptr<connection> control);
  void on_answer(natsMsg* m);
  void on_loss();
  result<void> send(const append_request& request, const std::shared_ptr<call>& owner, std::size_t index);

  std::shared_ptr<connection> control_;
  std::string inbox_;
  std::mutex mutex_;
  std::uint64_t next_token_ = 1;
  std::unordered_map<std::uint64_t, slot> open_;
  std::unique_ptr<async_subscription> answers_;
};

} // namespace millrace::nats
