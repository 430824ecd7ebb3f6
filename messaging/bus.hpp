// SPDX-License-Identifier: Apache-2.0
/// @file
/// The port to the message bus (semantics.md, sections 2, 6, 8, 11). Two adapters: `nats` and `memory`;
/// `tests/conformance/bus` runs the same suite on both.
///
/// A *log* is one stream; a *subject* inside it has one writer at a time. Sequences start at 1 and are
/// those of the log (stream), shared by all its subjects.
///
/// Thread-safety: a bus may be used from several threads at once; a `log_reader` from one at a time.
/// Every call blocks its thread for at most its deadline: call from detached actors or own threads only.
#pragma once

#include "messaging/errors.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

using header_list = std::vector<std::pair<std::string, std::string>>;

/// A stored message.
struct message {
  std::uint64_t sequence = 0;
  std::string subject;
  /// When the broker stored it, ns since the epoch: the source of log time (rule 1.3).
  std::int64_t stamp = 0;
  std::string payload;
  header_list headers;

  std::string_view header(std::string_view name) const noexcept;
};

struct log_spec {
  std::string name;
  std::vector<std::string> subjects;
  /// Bound of the log; a full log refuses appends with ec::full (discard new).
  std::uint64_t max_bytes = 256ULL * 1024 * 1024;
  /// 0: no limit.
  std::chrono::nanoseconds max_age{0};
  int replicas = 1;
  /// True for stage and state logs (deny delete); false for source streams.
  bool protected_log = true;
};

struct log_info {
  std::string name;
  std::vector<std::string> subjects;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// What an append expects (rule 2.3). Never computed by counting ahead: from an acknowledgement or a tail.
struct expectation {
  enum class scope : std::uint8_t { none, log, subject };
  scope by = scope::none;
  /// The last sequence of the log or of the subject; 0: nothing was ever written there.
  std::uint64_t sequence = 0;

  static expectation nothing() noexcept { return {}; }
  static expectation of_log(std::uint64_t s) noexcept { return {scope::log, s}; }
  static expectation of_subject(std::uint64_t s) noexcept { return {scope::subject, s}; }
};

struct append_request {
  std::string_view log;
  std::string_view subject;
  std::string_view payload;
  header_list headers;
  expectation expects;
};

/// Reads one log in sequence from a start. Destroy to stop.
class log_reader {
public:
  virtual ~log_reader() = default;
  /// Up to `max_messages` / about `max_bytes` messages in sequence, waiting up to `wait` for the first; an
  /// empty answer means nothing came. Ordinary loss of the connection or of the broker's consumer is repaired
  /// inside (the consumer is made anew after the last sequence handed out).
  /// Errors: ec::gap when the start is no longer stored or messages are missing that the subject filter should
  /// have shown and that were not purged below the reader; ec::unavailable while the broker is away (call again).
  virtual result<std::vector<message>> next(std::size_t max_messages, std::size_t max_bytes,
                                            std::chrono::milliseconds wait) = 0;
  /// True when the last `next` reached what was the end of the log at that time.
  virtual bool at_end() const = 0;
};

struct kv_entry {
  std::string key;
  std::string value;
  std::uint64_t revision = 0;
  bool deleted = false;
};

class subscription {
public:
  virtual ~subscription() = default;
};

class bus {
public:
  virtual ~bus() = default;

  /// Creates the log if it is missing; an existing one is kept (subjects are compared: a difference is ec::config).
  virtual result<log_info> ensure_log(const log_spec& spec) = 0;
  virtual result<log_info> info(std::string_view log) = 0;
  /// Name of the log whose subjects cover `subject` (wildcards allowed); ec::not_found if none.
  virtual result<std::string> log_of(std::string_view subject) = 0;

  /// Appends all requests (each to another subject: at most one in flight per subject), waits for every answer
  /// until `deadline` from now. One outcome per request, in order: the sequence, or ec::conflict (expectation),
  /// ec::full, ec::timeout (ambiguous: resolve by `tail`), ec::unavailable (ambiguous too), ec::too_large.
  virtual std::vector<result<std::uint64_t>> append(std::span<const append_request> requests,
                                                    std::chrono::milliseconds deadline) = 0;

  /// The last message of a subject, answered by the leader; nullopt when the subject has none.
  virtual result<std::optional<message>> tail(std::string_view log, std::string_view subject) = 0;
  /// The message at a sequence; ec::not_found when it is not stored.
  virtual result<message> get(std::string_view log, std::uint64_t sequence) = 0;
  /// Last messages of all subjects of `log` that match `filter` (wildcards), in order of sequence.
  virtual result<std::vector<message>> tails(std::string_view log, std::string_view filter) = 0;

  /// Reads from `from` (≥ 1) on. `filter` may be empty.
  virtual result<std::unique_ptr<log_reader>> read(std::string_view log, std::uint64_t from,
                                                   std::string_view filter = {}) = 0;

  /// Purges one subject strictly below `below` (rule 8.2); never removes the subject's last message.
  virtual result<void> trim(std::string_view log, std::string_view subject, std::uint64_t below) = 0;
  /// Purges every message below `below`, whatever its subject: for source streams, on which no tail is a fence.
  virtual result<void> purge(std::string_view log, std::uint64_t below) = 0;
  /// Removes one subject's messages altogether: snapshot chunks that no manifest names.
  virtual result<void> drop(std::string_view log, std::string_view subject) = 0;

  /// Key-value bucket: created on first use (history 1, TTL `ttl`; 0: none).
  virtual result<void> kv_open(std::string_view bucket, std::chrono::nanoseconds ttl) = 0;
  virtual result<std::uint64_t> kv_put(std::string_view bucket, std::string_view key, std::string_view value) = 0;
  virtual result<std::optional<kv_entry>> kv_get(std::string_view bucket, std::string_view key) = 0;
  virtual result<std::vector<kv_entry>> kv_list(std::string_view bucket) = 0;
  /// Calls back, on a thread of the bus, for every present and every later entry until the subscription dies.
  virtual result<std::unique_ptr<subscription>> kv_watch(std::string_view bucket,
                                                         std::function<void(const kv_entry&)> on_entry) = 0;

  /// At-most-once notification to plain subscribers; not stored unless some stream covers the subject.
  virtual result<void> publish(std::string_view subject, std::string_view payload, const header_list& headers) = 0;
  /// Calls back, on a thread of the bus, for every plain message on `subject` (wildcards allowed).
  virtual result<std::unique_ptr<subscription>> subscribe(std::string_view subject,
                                                          std::function<void(const message&)> on_message) = 0;

  /// True when the broker answers now.
  virtual bool connected() = 0;
  virtual std::uint64_t reconnects() = 0;
  /// JetStream round trip, for readiness; ec::unavailable with what is wrong.
  virtual result<void> ping(std::chrono::milliseconds deadline) = 0;
};

/// Where and how to connect. Secrets stay in files; nothing here is logged but the URL without user info.
struct nats_options {
  std::string url = "nats://127.0.0.1:4222";
  std::string name = "millrace";
  std::string credentials_file;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
};

/// Opens the NATS adapter. Retries for ever in the background: returns at once even with no broker
/// (operations then answer ec::unavailable). Fails only for unusable options, refused credentials among them if that
/// shows at once; if it shows later, operations answer ec::unavailable and say so.
result<std::shared_ptr<bus>> connect_nats(const nats_options& options);

} // namespace millrace
