// SPDX-License-Identifier: Apache-2.0
/// @file
/// A rule after checking: compiled expressions and where its scope's columns are. Internal to the folder.
#pragma once

#include "actors/alerts/plan.hpp"
#include "actors/alerts/summary.hpp"
#include "actors/expressions/expression.hpp"

#include <memory>
#include <string>
#include <vector>

namespace millrace::alerts {

/// Columns of a window section that decide whether a row is a window's closing.
struct window_columns {
  std::size_t end = 0;
  std::size_t version = 0;
  std::size_t final = 0;
  std::size_t retracted = 0;
};

struct compiled_rule {
  rule_options options;
  /// Empty: events.
  std::string section;
  std::shared_ptr<const expressions::expression> when;
  /// Null: not `when`.
  std::shared_ptr<const expressions::expression> clear;
  summary_template summary;
  /// The labels as a JSON object.
  std::string labels;
  /// Rules on events: columns of the key, and those that `when` reads.
  std::vector<std::size_t> key;
  std::vector<std::size_t> values;
  /// Rules on windows.
  window_columns window;

  bool on_events() const noexcept { return section.empty(); }
};

class compiled_plan final : public plan {
public:
  std::size_t size() const override { return rules.size(); }
  const rule_options& rule(std::size_t i) const override { return rules.at(i).options; }
  bool reads_events() const override;
  bool reads_windows() const override;
  std::vector<std::string> fields_read() const override { return fields; }

  std::string pipeline;
  std::vector<compiled_rule> rules;
  std::vector<std::string> fields;
};

/// `{"name":value,...}` of some columns of one row.
void append_object(std::string& out, const event_batch& b, const std::vector<std::size_t>& columns, std::size_t row);

} // namespace millrace::alerts
