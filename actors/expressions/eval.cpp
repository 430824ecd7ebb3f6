// SPDX-License-Identifier: Apache-2.0
// `millrace eval`: one expression on the members of a JSON object.
#include "actors/expressions/expression.hpp"
#include "actors/expressions/interpreter.hpp"

#include <algorithm>
#include <utility>

namespace millrace::expressions {

namespace {

class fixed_source : public variable_source {
public:
  explicit fixed_source(std::vector<value> values) : values_{std::move(values)} {}
  value load(std::size_t index) override { return values_[index]; }

private:
  std::vector<value> values_;
};

type type_of_member(const value& v) {
  switch (v.what) {
  case value_kind::boolean: return type_kind::boolean;
  case value_kind::int64: return type_kind::int64;
  case value_kind::uint64: return type_kind::uint64;
  case value_kind::float64: return type_kind::float64;
  case value_kind::string: return type_kind::string;
  default: {
    // Objects, lists and null may be anything.
    type t;
    t.nullable = true;
    return t;
  }
  }
}

/// `line:column`, both from 1; columns count code points.
std::string position(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto start = before.rfind('\n');
  const auto current = start == std::string_view::npos ? before : before.substr(start + 1);
  const auto column = std::count_if(current.begin(), current.end(),
                                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  return std::to_string(line) + ":" + std::to_string(column + 1);
}

eval_outcome rejected(std::string_view text, const std::vector<expression_error>& errors) {
  eval_outcome out{2, {}};
  for (const auto& e : errors) {
    if (!out.text.empty())
      out.text += '\n';
    out.text += "error: " + position(text, e.offset) + ": " + e.message;
    if (!e.hint.empty())
      out.text += " (" + e.hint + ")";
  }
  return out;
}

} // namespace

eval_outcome eval(std::string_view text, std::string_view json_object) {
  std::vector<variable> names;
  std::vector<value> values;
  if (!json_object.empty()) {
    const auto object = parse_json(json_object);
    if (object.is_error())
      return {2, "error: --json: " + object.s};
    if (!object.is(value_kind::map))
      return {2, "error: --json: not an object"};
    for (std::size_t i = 0; i + 1 < object.items->size(); i += 2) {
      names.push_back({(*object.items)[i].s, type_of_member((*object.items)[i + 1])});
      values.push_back((*object.items)[i + 1]);
    }
  }
  std::vector<expression_error> errors;
  const auto tree = parse(text, errors);
  if (!tree)
    return rejected(text, errors);
  const auto root = check(*tree, names, errors);
  if (!root)
    return rejected(text, errors);
  fixed_source source{std::move(values)};
  const auto v = interpret(*root, source);
  if (v.is_error())
    return {3, v.i > 0 ? "error: " + position(text, static_cast<std::size_t>(v.i - 1)) + ": " + v.s : "error: " + v.s};
  eval_outcome out;
  append_json(out.text, v);
  return out;
}

} // namespace millrace::expressions
