// SPDX-License-Identifier: Apache-2.0
// Texts that nobody would write: they may be refused, never harm.
#include "actors/expressions/checker.hpp"
#include "actors/expressions/expression.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/expressions/random_expression.hpp"

#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::expressions;

namespace {

/// Parses, and sends what parses through everything else.
void try_out(const std::string& text, const schema& fields, std::size_t& trees) {
  std::vector<expression_error> errors;
  const auto tree = parse(text, errors);
  if (!tree) {
    REQUIRE(!errors.empty());
    for (const auto& e : errors)
      REQUIRE(e.offset <= text.size());
    return;
  }
  ++trees;
  const auto canonical = unparse(*tree);
  std::vector<expression_error> again;
  const auto copy = parse(canonical, again);
  CAPTURE(text, canonical);
  REQUIRE(copy);
  REQUIRE(unparse(*copy) == canonical);
  if (expression::compile(tree, fields, errors) == nullptr)
    REQUIRE(!errors.empty());
  (void)eval(text, R"({"a": 1, "s": "text", "j": {"a": [1, null]}})");
}

} // namespace

TEST_CASE("random bytes are refused or parsed, and never crash the parser") {
  std::mt19937_64 random{20261121};
  const auto fields = expressions::testing::random_schema();
  std::size_t trees = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string text(random() % 24, '\0');
    for (auto& c : text)
      c = static_cast<char>(random() % 256);
    try_out(text, *fields, trees);
  }
}

TEST_CASE("random tokens are refused or parsed, and never crash what comes after the parser") {
  constexpr std::string_view tokens[] = {"a",       "i",     "s",        "j",        "1",        "2u",     "0.5",
                                         "'t'",     "b'y'",  "true",     "null",     "(",        ")",      "[",
                                         "]",       "{",     "}",        ",",        ":",        "?",      ".",
                                         ".?",      "[?",    "-",        "!",        "+",        "*",      "/",
                                         "%",       "==",    "<",        "&&",       "||",       "in",     "has(",
                                         ".all(x,", ".map(", ".size()",  "optMap",   ".first()", "size(",  "`q`",
                                         "\"",      "'",     "0x",       "\\",       "//\n",     "dyn(",   "x",
                                         ")",       ")",     "]",        "}",        " ",        "format", "math.",
                                         "type(",   "e9",    "\xc3\xa9", "duration("};
  std::mt19937_64 random{20261122};
  const auto fields = expressions::testing::random_schema();
  std::size_t trees = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string text;
    for (auto left = random() % 10 + 1; left > 0; --left)
      text += tokens[random() % std::size(tokens)];
    try_out(text, *fields, trees);
  }
  // Some of them must get past the parser, or this tests only half of what it says.
  CHECK(trees > 300);
}

TEST_CASE("an expression with a few bytes changed is refused or evaluated") {
  std::mt19937_64 random{20261123};
  expressions::testing::generator generator{random};
  const auto fields = expressions::testing::random_schema();
  std::size_t trees = 0;
  for (int round = 0; round < 3000; ++round) {
    auto text = generator.any(2);
    for (auto left = random() % 3 + 1; left > 0 && !text.empty(); --left)
      switch (const auto at = random() % text.size(); random() % 3) {
      case 0: text.erase(at, 1); break;
      case 1: text.insert(at, 1, static_cast<char>(random() % 128)); break;
      default: text[at] = static_cast<char>(random() % 128);
      }
    try_out(text, *fields, trees);
  }
  CHECK(trees > 300);
}
