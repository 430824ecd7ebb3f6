// SPDX-License-Identifier: Apache-2.0
/// @file
/// A YAML document as a small tree that remembers where everything stood. The only place that knows yaml-cpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::pipeline {

struct yaml_node;
using yaml_ptr = std::shared_ptr<const yaml_node>;

struct yaml_node {
  enum class kind : unsigned char { null, scalar, sequence, map };
  kind what = kind::null;
  /// From 0, in bytes.
  int line = 0;
  int column = 0;
  /// Where the scalar's first character stands behind `column` when its bytes are those of the file (plain or
  /// quoted, on one line); negative: offsets into the text mean nothing in the file.
  int text_column = -1;
  bool plain = false;
  /// Inside `{}` or `[]`.
  bool in_flow = false;
  std::string text;
  std::vector<yaml_ptr> items;
  /// In file order; keys may repeat.
  std::vector<std::pair<yaml_ptr, yaml_ptr>> members;
  /// Nodes below and including this one, aliases counted as often as they are used.
  std::size_t weight = 1;

  bool is_null() const noexcept { return what == kind::null; }
  bool is_scalar() const noexcept { return what == kind::scalar; }
  bool is_sequence() const noexcept { return what == kind::sequence; }
  bool is_map() const noexcept { return what == kind::map; }
  /// The first value under `key`, or null.
  const yaml_node* find(std::string_view key) const noexcept;
};

struct yaml_error {
  int line = 0;
  int column = 0;
  std::string message;
  std::string hint;
};

/// Largest accepted file, and the most nodes its aliases may expand to.
inline constexpr std::size_t max_yaml_bytes = 1U << 20;
inline constexpr std::size_t max_yaml_nodes = 100'000;

/// Parses exactly one document. On failure returns null and appends at least one error. Never throws.
yaml_ptr parse_yaml(std::string_view text, std::vector<yaml_error>& errors);

/// The deepest node on `path` (`enrich.steps[2].set.notional`); `exact` tells whether the whole path exists.
const yaml_node& resolve(const yaml_node& root, std::string_view path, bool& exact);

} // namespace millrace::pipeline
