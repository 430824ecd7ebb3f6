// SPDX-License-Identifier: Apache-2.0
// The reference page, from what the checker itself works with.
#include "actors/expressions/interpreter.hpp"
#include "actors/expressions/lexer.hpp"
#include "actors/expressions/registry.hpp"

#include <algorithm>

namespace millrace::expressions {

namespace {

/// Operators that are no functions: not all of their operands are computed.
constexpr macro_info lazy_operators[] = {
  {"_&&_", "a && b", "Whether both are true; a false side decides, whatever the other one is, also an error."},
  {"_||_", "a || b", "Whether one is true; a true side decides, whatever the other one is, also an error."},
  {"_?_:_", "condition ? a : b", "The first value if the condition is true, else the second one."},
};

/// `a + b` of `_+_`.
std::string operator_form(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> odd[] = {
    {"@in", "a in b"}, {"_[_]", "a[b]"}, {"_[?_]", "a[?b]"}, {"_?._", "a.?field"}};
  for (const auto& [n, form] : odd)
    if (n == name)
      return std::string{form};
  const bool infix = name.starts_with('_');
  const auto symbol = name.substr(infix ? 1 : 0, name.find_last_not_of('_') + (infix ? 0 : 1));
  return infix ? "a " + std::string{symbol} + " b" : std::string{symbol} + "a";
}

std::string form_of(const function_info& f) {
  if (f.style == call_style::op)
    return operator_form(f.name);
  std::string form{f.name};
  if (f.style == call_style::member)
    form.insert(0, "x.");
  if (f.style == call_style::both)
    form = "x." + form + "(), " + form;
  return form + "()";
}

/// A row of a table; `|` in code needs an escape there.
void append_row(std::string& out, std::string_view form, std::string_view types, std::string_view sentence) {
  std::string row = "| `" + std::string{form} + "` | ";
  if (!types.empty())
    row += "`" + std::string{types} + "` | ";
  for (std::size_t i = 2; (i = row.find("||", i)) != std::string::npos; i += 4)
    row.replace(i, 2, "\\|\\|");
  out += row + std::string{sentence} + " |\n";
}

void append_functions(std::string& out, bool operators) {
  for (const auto& f : functions()) {
    if ((f.style == call_style::op) != operators)
      continue;
    std::string types;
    for (const auto s : f.signatures)
      types += (types.empty() ? "" : "`<br>`") + std::string{s};
    append_row(out, form_of(f), types, f.sentence);
  }
}

} // namespace

std::span<const limit_info> limits() {
  static constexpr limit_info all[] = {
    {"bytes of an expression", max_text_bytes},
    {"depth of an expression", max_depth},
    {"depth of a dynamic value", max_value_depth},
    {"bytes of a text that a function makes", max_result_bytes},
    {"items of a list that a function makes", max_result_items},
    {"steps of all macros in one evaluation", max_iterations},
    {"bytes of the texts that one evaluation puts into lists and maps", max_collected_bytes},
  };
  return all;
}

std::string reference_page() {
  std::string out = "# Expressions\n\n"
                    "The operators, functions and macros of the expression language, which is "
                    "[CEL](https://cel.dev) without messages. A function written `x.f()` takes `x` as its first "
                    "argument.\n\n## Operators\n\n| form | types | meaning |\n|---|---|---|\n";
  append_functions(out, true);
  for (const auto& l : lazy_operators)
    append_row(out, l.form, l.name == "_?_:_" ? "(bool, A, A) -> A" : "(bool, bool) -> bool", l.sentence);
  out += "\n## Functions\n\n| form | types | meaning |\n|---|---|---|\n";
  append_functions(out, false);
  out += "\n## Macros\n\n| form | meaning |\n|---|---|\n";
  for (const auto& m : macros())
    append_row(out, m.form, {}, m.sentence);
  out += "\n## Limits\n\n| limit | value |\n|---|---|\n";
  for (const auto& l : limits())
    out += "| " + std::string{l.what} + " | " + std::to_string(l.value) + " |\n";
  return out;
}

} // namespace millrace::expressions
