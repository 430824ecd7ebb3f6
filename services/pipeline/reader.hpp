// SPDX-License-Identifier: Apache-2.0
/// @file
/// What every section of the pipeline file is read with: findings with their place, and maps whose keys are known.
#pragma once

#include "services/pipeline/definition.hpp"
#include "services/pipeline/yaml.hpp"

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::pipeline {

/// Collects findings; nothing stops at the first.
class reader {
public:
  reader(std::string file, yaml_ptr root) : file_{std::move(file)}, root_{std::move(root)} {}

  const yaml_node& root() const noexcept { return *root_; }
  bool failed() const noexcept { return failed_; }
  std::vector<located_diagnostic> take() &&;

  void error(const yaml_node& at, std::string message, std::string hint = {}, std::size_t offset = 0);
  /// A warning about what `batch` can do and live services cannot.
  void batch_only(const yaml_node& at, std::string message);
  /// A value that the format knows and this version does not.
  void unsupported(const yaml_node& at, std::string_view what);
  /// A finding of a plan, placed by its path. Dropped when the same place has an error already, or when it only
  /// says that a name is unknown whose own definition is wrong.
  void finding(const diagnostic& d);

  /// Marks a name whose definition is wrong, so that its uses are not errors too.
  void poison(std::string name) {
    if (!name.empty())
      poisoned_.insert(std::move(name));
  }
  const std::set<std::string>& poisoned() const noexcept { return poisoned_; }

  /// The scalar's text; anything else is an error that says what was expected. Null nodes give null.
  const std::string* text(const yaml_node* n, std::string_view expected);
  std::optional<nanoseconds_t> duration(const yaml_node* n);
  std::optional<bool> boolean(const yaml_node* n);
  std::optional<std::uint64_t> count(const yaml_node* n);
  /// A list of scalars, or one scalar; items that are no scalars are errors and left out.
  std::vector<const yaml_node*> scalars(const yaml_node* n, std::string_view expected);

private:
  void add(const yaml_node& at, bool is_error, std::string message, std::string hint, std::size_t offset);

  std::string file_;
  yaml_ptr root_;
  std::vector<located_diagnostic> findings_;
  std::set<std::string> poisoned_;
  /// Where `error` was called: plans have nothing to add there.
  std::set<std::pair<int, int>> settled_;
  bool failed_ = false;
};

/// A map with a fixed set of keys. Wrong, repeated, empty and unsupported keys are reported on construction.
class section {
public:
  struct keys {
    std::initializer_list<std::string_view> known;
    std::initializer_list<std::string_view> later = {};
    /// A key without a value counts as absent instead of as an error.
    bool empty_ok = false;
  };

  /// `what` names the map in messages: `event`, `a window`. With a null `n` every key is absent.
  section(reader& r, const yaml_node* n, std::string_view what, keys k);

  /// Whether there is a map at all.
  explicit operator bool() const noexcept { return node_ != nullptr; }
  const yaml_node* get(std::string_view key) const noexcept;
  /// Reports its absence at the map.
  const yaml_node* require(std::string_view key, std::string_view example);
  bool has(std::string_view key) const noexcept { return get(key) != nullptr; }
  const yaml_node& node() const noexcept { return *node_; }

private:
  reader& reader_;
  const yaml_node* node_ = nullptr;
  std::string what_;
};

/// A hint for a plain value that looks cut off by a comma inside braces or brackets, or `otherwise`.
std::string cut_hint(const yaml_node& n, std::string otherwise);

/// `known` as hint: the nearest to `name`, else all of them.
std::string suggest(std::string_view name, const std::vector<std::string>& known);

} // namespace millrace::pipeline
