// SPDX-License-Identifier: Apache-2.0
/// @file
/// What `millrace doctor` asks a broker beyond the bus: what the server is, what it allows, how a log is set up.
/// Changes nothing there. Apart from `bus.hpp` because no service needs it.
#pragma once

#include "messaging/bus.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

struct broker_info {
  /// Where it was reached, without user info.
  std::string url;
  /// `2.10.27`; empty when the server does not tell.
  std::string version;
  std::uint64_t max_payload = 0;
};

/// How versions compare with what the rules of the bus need.
enum class broker_fitness : std::uint8_t {
  unknown,
  /// Older than anything this was tried with.
  too_old,
  /// Good for development with one replica.
  single_replica,
  good,
};
broker_fitness fitness_of(std::string_view version) noexcept;
/// What `good` and `single_replica` begin with.
inline constexpr std::string_view replicated_minimum = "2.10.27";
inline constexpr std::string_view single_minimum = "2.9.10";

struct account_info {
  std::uint64_t storage = 0;
  /// None: the account has no limit of its own.
  std::optional<std::uint64_t> storage_limit;
  /// Bytes that streams have reserved, as far as the server tells.
  std::uint64_t reserved = 0;
  std::uint64_t streams = 0;
  std::optional<std::uint64_t> stream_limit;
};

/// How a log is really set up.
struct log_settings {
  bool discard_new = false;
  bool on_disk = false;
  /// Retention by limits: acknowledgements delete nothing.
  bool by_limits = false;
  bool deny_delete = false;
  int replicas = 1;
  /// None: no limit.
  std::optional<std::uint64_t> max_bytes;
  std::optional<std::uint64_t> max_messages;
  std::optional<std::uint64_t> max_messages_per_subject;
  std::optional<std::uint64_t> max_message_bytes;
  std::chrono::nanoseconds max_age{0};
  /// The server's clock when it answered, ns; none: the server (below 2.10) does not say.
  std::optional<std::int64_t> now;
};

/// Each call blocks for at most about five seconds. One thread at a time.
class inspector {
public:
  virtual ~inspector() = default;
  /// ec::unavailable while the broker cannot be reached.
  virtual result<broker_info> broker() = 0;
  /// ec::unavailable when JetStream is not enabled.
  virtual result<account_info> account() = 0;
  /// ec::not_found when there is no such log.
  virtual result<log_settings> settings(std::string_view log) = 0;
  /// Whether the broker lets this user ask for `endpoint` (`STREAM.CREATE`, ...): asks in such a way that it must
  /// refuse for another reason. A user without the right gets no answer.
  virtual result<bool> may(std::string_view endpoint) = 0;
};

/// Connects in the background, as `connect_nats`.
result<std::unique_ptr<inspector>> inspect_nats(const nats_options& options);

} // namespace millrace
