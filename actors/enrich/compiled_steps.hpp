// SPDX-License-Identifier: Apache-2.0
/// @file
/// Steps after checking. Internal to the folder.
///
/// Every column that exists at some step has a *slot*: first the input's columns, then, in order, each that a `set` or
/// `lookup` makes. A slot is never moved or reused; replacing or removing a field only forgets its slot's name.
#pragma once

#include "actors/enrich/duplicates.hpp"
#include "actors/enrich/plan.hpp"
#include "actors/expressions/expression.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace millrace::enrich {

using expression_ptr = std::shared_ptr<const expressions::expression>;

/// Variables of the expressions are the slots that exist before the operation.
struct filter_op {
  expression_ptr condition;
};
/// Makes one slot.
struct set_op {
  expression_ptr value;
};
/// Makes one slot for each of `columns`.
struct lookup_op {
  std::string table;
  /// Slot of the field to look up, and its name.
  std::size_t on = 0;
  std::string on_name;
  data_type key_type = data_type::string;
  /// Columns of the table, by index and name.
  std::vector<std::size_t> columns;
  missing_policy missing = missing_policy::keep;
};

struct operation {
  std::variant<filter_op, set_op, lookup_op> what;
  /// `enrich.steps[2].set.notional`: what a reject names.
  std::string path;
};

class compiled_plan final : public plan {
public:
  schema_ptr input_schema() const override { return input; }
  schema_ptr output_schema() const override { return output; }
  std::vector<std::string> fields_read() const override { return read; }
  const std::vector<table_options>& tables() const override { return declared; }
  const schema& table_columns(std::string_view table) const override;

  schema_ptr input;
  schema_ptr output;
  std::vector<std::string> read;
  std::optional<compiled_duplicates> duplicates;
  std::vector<operation> operations;
  std::vector<table_options> declared;
  /// By table; see `table_columns`.
  std::map<std::string, schema, std::less<>> layouts;
  /// The slots of the output's fields.
  std::vector<std::size_t> output_slots;
  /// For each slot: the number of operations after which nobody needs it; more than there are for output slots.
  std::vector<std::size_t> needed_until;
};

} // namespace millrace::enrich
