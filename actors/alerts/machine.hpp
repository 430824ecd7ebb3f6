// SPDX-License-Identifier: Apache-2.0
/// @file
/// The state machine of one rule: evaluations of its expressions and the progress of time in, transitions
/// out. Knows nothing of batches and expressions, so that its rules can be tested against a naive model.
///
/// Exact meaning, beside `interface.md`:
/// - a key without an alert and a pending one look at `when` only; a firing one at `clear`, or, without
///   `clear`, at not `when`. Null or error in what is looked at leaves the alert and is counted;
/// - a pending alert fires at since + hold once the watermark reaches that, if no evaluation in
///   [since, since + hold) was false. One that is false at exactly since + hold comes too late: the alert
///   fires and resolves at the same instant;
/// - evaluations at or after since + hold that come before the watermark reached it are kept and applied after;
/// - an evaluation older than the alert's last transition does not change it (events come in disorder).
#pragma once

#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::alerts {

enum class truth : std::uint8_t { no, yes, unknown };
enum class alert_state : std::uint8_t { pending, firing, resolved };
std::string_view to_string(alert_state s) noexcept;

/// What a transition shows of the evaluation it rests on. Filled after the fact: rendering is batched.
struct payload {
  std::string values;
  std::string summary;
};
using payload_ptr = std::shared_ptr<payload>;

struct evaluation_result {
  nanoseconds_t time = 0;
  /// The smallest watermark at which the evaluation was due.
  nanoseconds_t due = 0;
  truth when = truth::unknown;
  truth clear = truth::unknown;
  payload_ptr shown;
};

struct transition {
  alert_state state = alert_state::pending;
  nanoseconds_t at = 0;
  nanoseconds_t since = 0;
  nanoseconds_t due = 0;
  std::string key;
  payload_ptr shown;
};

/// What became of a rule's evaluations so far; part of the state.
struct rule_counters {
  std::uint64_t pending = 0;
  std::uint64_t firing = 0;
  std::uint64_t resolved = 0;
  /// Evaluations that were null or an error where it mattered.
  std::uint64_t undecided = 0;

  friend bool operator==(const rule_counters&, const rule_counters&) = default;
};

class byte_writer;
class byte_reader;

/// Single-threaded.
class machine {
public:
  machine(nanoseconds_t hold, bool has_clear) : hold_{hold}, has_clear_{has_clear} {}

  /// Applies one evaluation. `reached`: the watermark before it; alerts of this key due by then fire first.
  void evaluate(std::string_view key, evaluation_result e, nanoseconds_t reached, std::vector<transition>& out);
  /// Counts an evaluation of a key that has no alert and whose `when` is unknown, without looking it up.
  void count_undecided() noexcept { ++counters_.undecided; }
  /// The watermark reached `watermark`: fires what is due.
  void advance(nanoseconds_t watermark, std::vector<transition>& out);
  /// No progress beyond `reached` will come: evaluations that waited for a deadline now lapse it.
  void finish(nanoseconds_t reached, std::vector<transition>& out);

  /// Keys with a pending or firing alert.
  std::size_t size() const noexcept { return alerts_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  const rule_counters& counters() const noexcept { return counters_; }

  void save(byte_writer& out) const;
  /// Replaces the state. False: the bytes are not a saved state.
  bool load(byte_reader& in);

private:
  struct alert {
    bool firing = false;
    nanoseconds_t since = 0;
    /// Time of the last transition.
    nanoseconds_t at = 0;
    /// When the pending transition was due (pending only).
    nanoseconds_t due = 0;
    /// Time of the evaluation in `shown` (pending only).
    nanoseconds_t shown_at = 0;
    payload_ptr shown;
    /// Evaluations at or after the deadline, in order of arrival (pending only).
    std::vector<evaluation_result> later;
  };
  using alert_map = std::map<std::string, alert, std::less<>>;

  nanoseconds_t deadline(const alert& a) const noexcept;
  void fire_if_due(std::string_view key, nanoseconds_t reached, std::vector<transition>& out);
  void apply(std::string_view key, evaluation_result e, nanoseconds_t reached, std::vector<transition>& out);
  void apply_pending(alert_map::iterator it, evaluation_result e, nanoseconds_t reached, std::vector<transition>& out);
  void apply_firing(alert_map::iterator it, const evaluation_result& e, nanoseconds_t reached,
                    std::vector<transition>& out);
  void begin(std::string_view key, evaluation_result e, std::vector<transition>& out);
  void fire(alert_map::iterator it, nanoseconds_t reached, std::vector<transition>& out);
  void resolve(alert_map::iterator it, const evaluation_result& e, nanoseconds_t reached, std::vector<transition>& out);
  void replay(const std::string& key, std::vector<evaluation_result> later, nanoseconds_t due, nanoseconds_t reached,
              std::vector<transition>& out);
  static void keep_later(alert& a, evaluation_result e);
  void emit(alert_state s, nanoseconds_t at, nanoseconds_t since, nanoseconds_t due, std::string_view key,
            payload_ptr shown, std::vector<transition>& out);

  nanoseconds_t hold_;
  bool has_clear_;
  bool finished_ = false;
  alert_map alerts_;
  /// Deadlines of the pending alerts.
  std::set<std::pair<nanoseconds_t, std::string>> deadlines_;
  std::size_t bytes_ = 0;
  rule_counters counters_;
};

} // namespace millrace::alerts
