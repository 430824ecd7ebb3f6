// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace rejected`: lists the stream of rejected events and sends some of them to their source again (semantics.md,
/// section 9). The stream itself is only read; what was sent again is remembered in a KV bucket. Blocks on the bus.
#pragma once

#include "messaging/bus.hpp"
#include "services/pipeline/definition.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::cli {

/// Header of an event that was sent again: the sequence it has in the stream of rejected events.
inline constexpr std::string_view retry_header = "Millrace-Retry-Of";

/// `MILLRACE_<pipeline>_retried`: keys are sequences of the stream of rejected events.
std::string retried_bucket(std::string_view pipeline);

struct rejected_entry {
  std::uint64_t sequence = 0;
  /// When the broker stored it, ns.
  nanoseconds_t stored = 0;
  std::string stage;
  /// Token of the subject: a number, but that is not relied on.
  std::string partition;
  std::string reason;
  std::string origin;
  std::string detail;
  /// As it was rejected; of JSON, one line.
  std::string body;
  bool is_json = true;
  bool retried = false;
};

struct rejected_filter {
  std::string stage;
  std::string reason;
  std::optional<nanoseconds_t> since;
  /// Empty: all.
  std::vector<std::uint64_t> sequences;
};

struct rejected_listing {
  /// The newest that match, in order of sequence.
  std::deque<rejected_entry> entries;
  /// All that match, by stage and reason.
  std::map<std::pair<std::string, std::string>, std::uint64_t> totals;
  std::uint64_t matching = 0;
};

/// The CloudEvent of one message. A message that is none keeps its bytes as body and says so in `detail`.
rejected_entry parse_rejected(const message& m);

/// Calls `take` for what matches, in order of sequence, until it answers false. Leaves nothing behind on the broker.
/// Errors: ec::not_found when there is no such stream or sequence, or the bus's.
result<void> each_rejected(bus& b, const std::string& pipeline, const rejected_filter& f,
                           const std::function<bool(rejected_entry&&)>& take);

/// At most `limit` entries; `retried` is filled in for those.
result<rejected_listing> list_rejected(bus& b, const std::string& pipeline, const rejected_filter& f,
                                       std::size_t limit);

/// Whether this very message was sent again before.
result<bool> was_retried(bus& b, const std::string& pipeline, const rejected_entry& e);

std::string to_text(const std::string& pipeline, const rejected_listing& l);
std::string to_json(const rejected_entry& e);
/// The lines below the table: how many by stage and reason, and how many of them are shown.
std::string summary_text(const rejected_listing& l);
/// `text` for a terminal: control characters escaped, cut to about `limit` characters.
std::string printable(std::string_view text, std::size_t limit);

struct retry_options {
  rejected_filter filter;
  std::size_t limit = 0; ///< 0: all
  std::string subject;
  /// Top-level members to be replaced or added, with their JSON.
  std::vector<std::pair<std::string, std::string>> set;
  /// Put before CSV records, which are kept without it.
  std::string csv_header;
  /// Sends also what was sent before.
  bool again = false;
};

struct retry_item {
  std::uint64_t sequence = 0;
  nanoseconds_t stored = 0;
  std::string payload;
};

struct retry_plan {
  std::vector<retry_item> ready;
  /// Sequence and why it cannot be sent.
  std::vector<std::pair<std::uint64_t, error>> refused;
  std::uint64_t already = 0;
};

/// `field=JSON`; ec::config that says what is wrong with it.
result<std::pair<std::string, std::string>> parse_set(std::string_view text);

/// Where to send: `wanted` if a source of the pipeline reads it, or, when empty, the first source's subject. ec::config
/// with the subjects that would do.
result<std::string> retry_subject(const pipeline::definition& d, const std::string& wanted);

/// Fields that steps before the window stage write: what the event has there is not what the source sent.
std::set<std::string> written_fields(const pipeline::definition& d);

/// True when the entry holds what ingest made of the event, not the bytes of the source.
bool was_read(const rejected_entry& e);

/// The bytes to send for one entry. What ingest could not read goes out byte for byte; of what was read already
/// `original` is taken, or, when it is not known, the event is put back into the shape of the source. ec::invalid when
/// it cannot be what it was, with the remedy.
result<std::string> mend(const pipeline::definition& d, const rejected_entry& e, const retry_options& o,
                         const std::optional<std::string>& original = {});

/// Holds the payloads of all that is ready in memory: at most what the stream is bounded to.
result<retry_plan> plan_retry(bus& b, const pipeline::definition& d, const retry_options& o);

/// Sends what is ready, each acknowledged and then remembered; answers how many. `sent` counts also when it fails: an
/// item whose acknowledgement was lost is then neither counted nor remembered, and may be stored.
result<void> send_again(bus& b, const std::string& pipeline, const std::string& subject, const retry_plan& p,
                        std::uint64_t& sent);

} // namespace millrace::cli
