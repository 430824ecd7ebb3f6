// SPDX-License-Identifier: Apache-2.0
/// @file
/// Expected records against produced ones: what is missing, what is too much, and how the nearest ones differ. Pure.
///
/// The members given must match, at any depth; an empty map matches only an empty one, lists match whole. Numbers
/// match within 1e-9 relative (integers exactly), timestamps by instant, everything else by text. Order is free.
#pragma once

#include "services/cli/test_run.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::cli {

/// One member that differs, as compact texts.
struct member_difference {
  /// `values.trades`
  std::string member;
  std::string expected;
  std::string found;
};

/// An expected record that no produced one matches, with the nearest of those that nothing expects.
struct unmet {
  pipeline::yaml_ptr expected;
  /// Index into the produced records.
  std::optional<std::size_t> nearest;
  std::vector<member_difference> differences;
};

struct match_outcome {
  std::vector<unmet> missing;
  /// Produced records that nothing expects and that are nobody's nearest.
  std::vector<std::size_t> extra;

  bool ok() const noexcept { return missing.empty() && extra.empty(); }
};

bool matches(const pipeline::yaml_node& expected, const record_json& found);

match_outcome match(const std::vector<pipeline::yaml_ptr>& expected, const std::vector<record_json>& found);

/// A record as YAML in one line: `{window: ohlc, key: {symbol: AAPL}, start: "..."}`.
std::string flow_yaml(const record_json& r);
/// The same of an expectation.
std::string flow_yaml(const pipeline::yaml_node& n);

} // namespace millrace::cli
