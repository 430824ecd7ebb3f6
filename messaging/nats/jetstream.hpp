// SPDX-License-Identifier: Apache-2.0
/// @file
/// Requests to JetStream's API over the control connection, answered by leaders only, and its error codes as ours.
#pragma once

#include "messaging/nats/connection.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::nats {

/// For calls whose caller gives no deadline.
inline constexpr std::chrono::milliseconds api_deadline{5000};

/// JetStream's error codes (`err_code`) as far as they decide something.
enum class js_code : int {
  none = 0,
  resources = 10002,
  unavailable_leader = 10008,
  consumer_not_found = 10014,
  insufficient_resources = 10023,
  no_message = 10037,
  not_enabled_for_account = 10039,
  storage_exceeded = 10047,
  message_too_large = 10054,
  stream_exists = 10058,
  stream_not_found = 10059,
  wrong_stream = 10060,
  subject_overlap = 10065,
  wrong_last_sequence = 10071,
  not_enabled = 10076,
  store_failed = 10077,
  wrong_last_sequence_constant = 10164,
};

/// The `error` member of an answer, or nullopt.
std::optional<error> error_in(const nlohmann::json& answer, const std::string& what);
/// The code behind it.
js_code code_in(const nlohmann::json& answer) noexcept;
/// Parses an answer of the broker; ec::internal when it is not an object.
result<nlohmann::json> parse_answer(std::string_view text, const std::string& what);

class jetstream {
public:
  explicit jetstream(std::shared_ptr<connection> control) : control_{std::move(control)} {}

  connection& link() const noexcept { return *control_; }

  /// Sends `body` to `$JS.API.<endpoint>`; the answer may still hold an `error` member.
  result<nlohmann::json> ask(const std::string& endpoint, const nlohmann::json& body, const std::string& what,
                             std::chrono::milliseconds deadline = api_deadline) const;
  /// The same, with the answer's error made ours.
  result<nlohmann::json> request(const std::string& endpoint, const nlohmann::json& body, const std::string& what,
                                 std::chrono::milliseconds deadline = api_deadline) const;

  result<log_info> info(std::string_view log, std::chrono::milliseconds deadline = api_deadline) const;
  /// All subjects of the log that match `filter` and have messages.
  result<std::vector<std::string>> subjects(std::string_view log, std::string_view filter) const;
  /// Creates the stream of `config` unless it exists.
  result<log_info> ensure(const log_spec& spec, const nlohmann::json& config) const;
  result<std::string> stream_of(std::string_view subject) const;

  /// The last message of a subject; nullopt when there is none.
  result<std::optional<message>> last(std::string_view log, std::string_view subject) const;
  result<message> at(std::string_view log, std::uint64_t sequence) const;
  /// Removes messages of `subject`, all or strictly below `below`.
  /// An empty subject means all of them.
  result<void> purge(std::string_view log, std::string_view subject, std::optional<std::uint64_t> below) const;

private:
  std::shared_ptr<connection> control_;
};

/// Stream configurations (`../bus.hpp` says what they are for).
nlohmann::json log_config(const log_spec& spec);
nlohmann::json bucket_config(const log_spec& spec);

} // namespace millrace::nats
