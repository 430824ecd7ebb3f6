// SPDX-License-Identifier: Apache-2.0
/// @file
/// The alert stage: threshold rules with hysteresis and `for`, on windows and on events.
#pragma once

#include "actors/alerts/machine.hpp"
#include "actors/processor.hpp"
#include "messaging/errors.hpp"
#include "messaging/schema.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::alerts {

struct rule_options {
  std::string name;
  /// A window's name, or `events`.
  std::string on;
  std::string when;
  /// Empty: not `when`.
  std::string clear;
  nanoseconds_t hold = 0; ///< `for`
  std::string severity;
  /// In file order.
  std::vector<std::pair<std::string, std::string>> labels;
  /// `{{expression}}` holes are CEL over the rule's scope.
  std::string summary;
};

/// One input section a rule may stand on.
struct scope {
  /// Window name, or empty for events.
  std::string section;
  schema_ptr layout;
  /// Names of the key columns: the window's key, or the event key.
  std::vector<std::string> key;
};

class plan {
public:
  virtual ~plan() = default;
  virtual std::size_t size() const = 0;
  virtual const rule_options& rule(std::size_t i) const = 0;
  virtual bool reads_events() const = 0;
  virtual bool reads_windows() const = 0;
  /// Event fields that some rule on `events` reads (when, clear, summary, key).
  virtual std::vector<std::string> fields_read() const = 0;
};
using plan_ptr = std::shared_ptr<const plan>;

/// Findings by path (`alerts[0].when`, `alerts[0].summary`, `alerts[0].on`). In the scope of a rule on a window:
/// values, key fields, `start` and `end`; a value or key field of those two names hides them. On `events`: the
/// event's fields.
plan_ptr make_plan(std::string pipeline, std::vector<rule_options> rules, std::vector<scope> scopes,
                   std::vector<diagnostic>& findings);

/// Layout of the `$alerts` section: rule, id, key(json), state, at, since, severity(nullable), labels(json),
/// summary, values(json).
schema_ptr alert_schema();

class alert_processor : public processor {
public:
  /// What became of the evaluations of rule i of the plan.
  virtual const rule_counters& rule(std::size_t i) const noexcept = 0;
};

/// Rules on windows read sections named after the window; rules on events the unnamed section. Rows of sections no
/// rule stands on are counted as filtered, the others as absorbed (and retired). Transition rows: `time` = `at`,
/// `watermark` = the smallest watermark at which they are due; ordered by that, rule name, key, and then as they
/// follow from each other.
///
/// A window is evaluated once, when it closes: its row is final, of version 0, and due at its end. A result
/// that exists only because of a late event never closed, so it changes nothing either. Events are evaluated in
/// the order in which they come, at their event time.
///
/// Contract with the caller: every call's `watermark` may fire what is pending on any section. When several sections
/// make one step, all but the last are given with the watermark before the step.
std::unique_ptr<alert_processor> make_processor(plan_ptr p);

} // namespace millrace::alerts
