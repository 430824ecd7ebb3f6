// SPDX-License-Identifier: Apache-2.0
/// @file
/// The alert stage: threshold rules with hysteresis and `for`, on windows and on events.
#pragma once

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

/// Findings by path (`alerts[0].when`, `alerts[0].summary`, `alerts[0].on`).
plan_ptr make_plan(std::string pipeline, std::vector<rule_options> rules, std::vector<scope> scopes,
                   std::vector<diagnostic>& findings);

/// Layout of the `$alerts` section: rule, id, key(json), state, at, since, severity(nullable), labels(json),
/// summary, values(json).
schema_ptr alert_schema();

/// Rules on windows read sections named after the window; rules on events the unnamed section. Rows of sections no
/// rule stands on are counted as filtered, the others as absorbed. Transition rows: `time` = `at`, `watermark` = the
/// smallest watermark at which they are due.
std::unique_ptr<processor> make_processor(plan_ptr p);

} // namespace millrace::alerts
