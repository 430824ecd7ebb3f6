// SPDX-License-Identifier: Apache-2.0
/// @file
/// The checked form of the windows: what the processor works from. Private to the window stage.
#pragma once

#include "actors/expressions/expression.hpp"
#include "actors/windows/aggregate.hpp"
#include "actors/windows/grid.hpp"
#include "actors/windows/plan.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::windows {

/// An expression over the event, evaluated once per batch for every window that uses it.
struct event_expression {
  /// Canonical text: equal texts share one entry.
  std::string text;
  std::shared_ptr<const expressions::expression> program;
  /// The expression is nothing but this column.
  std::optional<std::size_t> column;
};

/// One accumulator of a window: an aggregate call. Equal calls share one.
struct hidden_aggregate {
  const aggregate_kind* kind = nullptr;
  /// Index into the event expressions.
  std::optional<std::size_t> argument;
  std::optional<data_type> argument_type;
  /// The constants after the argument, one for each of `kind->parameters`.
  std::vector<parameter_value> parameters;
  data_type type = data_type::int64;
  /// Canonical text of the call, for messages.
  std::string text;
};

/// One result column: a bare aggregate call, or an expression over the scope.
struct value_entry {
  std::string name;
  std::optional<std::size_t> hidden;
  std::shared_ptr<const expressions::expression> program;
  /// Hidden accumulators, key fields, earlier names: the columns `program` is compiled for.
  schema_ptr scope;
  data_type type = data_type::int64;
};

struct window_plan {
  window_options options;
  window_grid grid;
  std::vector<std::size_t> key_columns;
  /// The rows are no events but partial accumulators, which stand in this column (rule 3.4).
  std::optional<std::size_t> partial_column;
  /// Index into the event expressions.
  std::optional<std::size_t> where;
  std::vector<hidden_aggregate> hidden;
  std::vector<value_entry> values;
  /// Hidden accumulators `#0`, `#1`, ..., then the key fields.
  schema_ptr base;
  schema_ptr result;
};

class checked_plan final : public plan {
public:
  schema_ptr input_schema() const override { return input; }
  std::size_t size() const override { return windows.size(); }
  const window_options& window(std::size_t i) const override { return windows[i].options; }
  schema_ptr result_schema(std::size_t i) const override { return windows[i].result; }
  std::vector<std::string> fields_read() const override;

  schema_ptr input;
  std::vector<window_plan> windows;
  std::vector<event_expression> events;
  /// Identifies the definition in snapshots.
  std::string fingerprint;
};

/// Collects the event expressions of a plan, sharing those of equal text.
class event_expression_set {
public:
  event_expression_set(const schema& input, std::vector<event_expression>& into) : input_{input}, into_{into} {}

  /// Index of the expression; none with findings at `path` when it is wrong.
  std::optional<std::size_t> add(const expressions::node_ptr& tree, const std::string& path,
                                 std::vector<diagnostic>& findings);
  data_type type(std::size_t i) const { return into_[i].program->type(); }
  bool is_predicate(std::size_t i) const { return into_[i].program->is_predicate(); }
  const schema& input() const noexcept { return input_; }

private:
  const schema& input_;
  std::vector<event_expression>& into_;
  std::map<std::string, std::size_t> known_;
};

/// Turns expression errors into findings at `path`.
void report(const std::vector<expressions::expression_error>& errors, const std::string& path,
            std::vector<diagnostic>& findings);

/// Compiles `aggregate` of one window into `w.hidden`, `w.values`, `w.base`.
void compile_aggregates(window_plan& w, const std::string& path, event_expression_set& events,
                        std::vector<diagnostic>& findings);

/// True for what CEL takes as an identifier, reserved words excepted.
bool is_identifier(std::string_view name) noexcept;

} // namespace millrace::windows
