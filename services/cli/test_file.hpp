// SPDX-License-Identifier: Apache-2.0
/// @file
/// Test files of `millrace test` (interface.md, "Test files"): YAML -> checked cases, errors with line and column.
#pragma once

#include "services/pipeline/definition.hpp"
#include "services/pipeline/yaml.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// What an `expect` may list, in this order everywhere.
enum class record_kind : std::uint8_t { window, alert, rejected };
inline constexpr std::array<std::string_view, 3> record_sections{"windows", "alerts", "rejected"};

struct test_step {
  enum class kind : std::uint8_t { event, message, advance, end };
  kind what = kind::event;
  /// The event (a map), or the message as it stands (a quoted text).
  pipeline::yaml_ptr node;
  nanoseconds_t by = 0;
};

struct test_case {
  std::string name;
  std::vector<test_step> steps;
  /// As written; empty: there are `steps`.
  std::string file;
  /// Log time at the beginning; none: events arrive at their own time.
  std::optional<nanoseconds_t> start;
  /// What `$subject` says.
  std::string subject;
  /// The case's map, and the key `expect` in it (null: absent).
  pipeline::yaml_ptr node;
  pipeline::yaml_ptr expect_key;
  /// By `record_kind`; none: not checked.
  std::array<std::optional<std::vector<pipeline::yaml_ptr>>, 3> expect;

  /// Names of the windows and rules that are looked at; empty: all.
  std::vector<pipeline::yaml_ptr> only;

  /// A case without any expectation has nothing to hold.
  bool expects() const noexcept { return expect[0] || expect[1] || expect[2]; }
};

struct test_file {
  /// As given on the command line.
  std::string path;
  /// Folder that relative paths start from.
  std::string folder;
  /// Resolved.
  std::string pipeline;
  std::vector<test_case> tests;
};

struct test_file_result {
  /// Empty when there was an error.
  std::optional<test_file> value;
  std::vector<pipeline::located_diagnostic> findings;
};

/// Reads a test file from its text; `path` gives the name in findings and the folder for relative paths. Never throws.
test_file_result read_test_file(std::string_view text, const std::string& path);

/// `path` from `folder` unless it is absolute.
std::string resolve_path(const std::string& folder, const std::string& path);

/// A YAML value as JSON: plain numbers keep their text, quoted texts stay strings.
void append_json(std::string& out, const pipeline::yaml_node& n);

} // namespace millrace::cli
