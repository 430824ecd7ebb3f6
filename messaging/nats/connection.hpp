// SPDX-License-Identifier: Apache-2.0
/// @file
/// One connection to NATS that is kept up for ever, and asynchronous subscriptions on it.
#pragma once

#include "messaging/nats/handles.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace millrace::nats {

/// What a connection is used for. `control`: appends and requests, sent at once and never buffered while the broker
/// is away (a stale append must not leave after a reconnect). `data`: everything that streams.
enum class role : std::uint8_t { control, data };

/// The URL list without passwords, tokens and user names.
std::string without_user_info(std::string_view urls);

/// Thread-safe. *Shutdown*: the destructor closes and waits until nats.c's last callback has returned; all
/// subscriptions must be gone by then.
class connection {
public:
  /// Returns at once, connected or not; ec::config when an option is unusable.
  static result<std::shared_ptr<connection>> open(const nats_options& options, role use);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  natsConnection* raw() const noexcept { return raw_; }
  bool connected() const;
  std::uint64_t reconnects() const;
  /// Counts every loss of the connection: who remembers it knows whether something sent may have been lost.
  std::uint64_t losses() const;
  /// Waits until connected; ec::unavailable that names the URL and the last reason.
  result<void> wait_connected(std::chrono::milliseconds limit) const;
  /// ec::unavailable: `what` cannot be done because ...
  error away(const std::string& what) const;
  /// Called on a thread of nats.c after each loss of the connection; must not call this function. Replacing it waits
  /// for a call that is running.
  void on_loss(std::function<void()> call);

  /// A fresh inbox prefix, without trailing dot.
  static std::string new_inbox();

private:
  struct events;
  connection() = default;

  natsConnection* raw_ = nullptr;
  std::shared_ptr<events> events_;
  std::string url_;
};

/// The error for a failed call of nats.c.
error to_error(natsStatus status, const std::string& what);

/// An asynchronous subscription; its callback runs on a thread of its own. *Shutdown*: the destructor waits for the
/// callback to return, unless it runs inside the callback.
class async_subscription {
public:
  static result<std::unique_ptr<async_subscription>> open(std::shared_ptr<connection> on, const std::string& subject,
                                                          std::function<void(msg_ptr)> callback);
  ~async_subscription();
  async_subscription(const async_subscription&) = delete;
  async_subscription& operator=(const async_subscription&) = delete;

private:
  struct state;
  async_subscription() = default;

  std::shared_ptr<connection> connection_;
  std::shared_ptr<state> state_;
  natsSubscription* raw_ = nullptr;
};

} // namespace millrace::nats
