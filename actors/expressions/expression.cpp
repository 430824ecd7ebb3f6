// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/expression.hpp"

#include "actors/expressions/checker.hpp"
#include "actors/expressions/column_writer.hpp"
#include "actors/expressions/interpreter.hpp"
#include "actors/expressions/program.hpp"

#include <algorithm>
#include <utility>

namespace millrace::expressions {

namespace {

void collect(const checked& c, std::vector<std::size_t>& uses) {
  if (c.what == checked::op::variable)
    uses.push_back(c.index);
  for (const auto& a : c.args)
    collect(a, uses);
}

} // namespace

struct expression::impl {
  node_ptr tree;
  checked root;
  std::vector<std::size_t> uses;
  /// Null: every row is interpreted. Points into `root`.
  std::unique_ptr<const program> vectorised;
};

expression::expression() : impl_{std::make_unique<impl>()} {}
expression::~expression() = default;

std::shared_ptr<const expression> expression::compile(std::string_view text, const schema& variables,
                                                      std::vector<expression_error>& errors) {
  auto tree = parse(text, errors);
  return tree ? compile(std::move(tree), variables, errors) : nullptr;
}

std::shared_ptr<const expression> expression::compile(node_ptr tree, const schema& variables,
                                                      std::vector<expression_error>& errors) {
  if (!tree) {
    errors.push_back({0, 0, "empty expression", {}});
    return nullptr;
  }
  std::vector<variable> known;
  known.reserve(variables.size());
  for (const auto& f : variables.fields())
    known.push_back({f.name, type_of(f)});
  auto root = check(*tree, known, errors);
  if (!root)
    return nullptr;
  std::shared_ptr<expression> e{new expression};
  auto& i = *e->impl_;
  i.tree = std::move(tree);
  i.root = std::move(*root);
  collect(i.root, i.uses);
  std::sort(i.uses.begin(), i.uses.end());
  i.uses.erase(std::unique(i.uses.begin(), i.uses.end()), i.uses.end());
  i.vectorised = program::make(i.root, variables);
  return e;
}

data_type expression::type() const noexcept { return column_type(impl_->root.type); }
bool expression::nullable() const noexcept {
  const auto& t = impl_->root.type;
  return t.nullable || t.what == type_kind::null || t.what == type_kind::optional || is_dyn(t);
}
bool expression::is_predicate() const noexcept { return impl_->root.type.what == type_kind::boolean; }
std::span<const std::size_t> expression::uses() const noexcept { return impl_->uses; }
const node& expression::tree() const noexcept { return *impl_->tree; }

void expression::interpret(const event_batch& in, evaluation& out) const {
  reset(out, type());
  row_source variables{in};
  column_writer writer{out.values, out.errors, in.rows};
  for (std::size_t row = 0; row < in.rows; ++row) {
    variables.move_to(row);
    auto reason = writer.write(expressions::interpret(impl_->root, variables));
    if (!reason.empty() && out.reasons.size() < evaluation::max_reasons)
      out.reasons.emplace_back(static_cast<std::uint32_t>(row), std::move(reason));
  }
  writer.finish();
}

void expression::evaluate(const event_batch& in, evaluation& out) const {
  if (!impl_->vectorised || !impl_->vectorised->run(in, out)) {
    interpret(in, out);
    return;
  }
  if (out.errors.empty())
    return;
  // Errors are rare, so their words come from the interpreter.
  row_source variables{in};
  for (std::size_t row = 0; row < in.rows && out.reasons.size() < evaluation::max_reasons; ++row)
    if (out.is_error(row)) {
      variables.move_to(row);
      out.reasons.emplace_back(static_cast<std::uint32_t>(row), expressions::interpret(impl_->root, variables).s);
    }
}

std::string_view evaluation::reason(std::size_t row) const noexcept {
  const auto it = std::lower_bound(reasons.begin(), reasons.end(), row,
                                   [](const auto& r, std::size_t wanted) { return r.first < wanted; });
  if (it != reasons.end() && it->first == row && !it->second.empty())
    return it->second;
  return "the expression has no value";
}

void select_rows(const evaluation& e, std::size_t rows, std::vector<std::uint32_t>& selected,
                 std::vector<std::uint32_t>& failed) {
  const auto& c = e.values;
  if (e.errors.empty() && c.nulls.empty()) {
    // Without a branch: what a filter lets through is rarely predictable.
    const auto start = selected.size();
    selected.resize(start + rows);
    auto* out = selected.data() + start;
    for (std::size_t row = 0; row < rows; ++row) {
      *out = static_cast<std::uint32_t>(row);
      out += c.b8[row];
    }
    selected.resize(static_cast<std::size_t>(out - selected.data()));
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    if (e.is_error(row) || c.is_null(row))
      failed.push_back(static_cast<std::uint32_t>(row));
    else if (c.b8[row] != 0)
      selected.push_back(static_cast<std::uint32_t>(row));
  }
}

} // namespace millrace::expressions
