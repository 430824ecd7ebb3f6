// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tables of conformance cases: an expression and the JSON or the error that `eval` must answer.
#pragma once

#include "actors/expressions/expression.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::expressions::testing {

/// An expression over `variables` and what it gives.
struct example {
  std::string_view text;
  /// JSON of the value; `!` for an evaluation error, `?` for a parse or check error, each with a part of the message.
  std::string_view expected;
};

inline constexpr std::string_view variables = R"({"x": 123, "i": -3, "d": 2.5, "s": "hello", "b": true, "n": null,
  "u": 18446744073709551615, "l": [1, 2, 3], "m": {"a": 1, "b": {"c": "deep"}, "e": null}})";

inline void run(const std::vector<example>& examples) {
  for (const auto& e : examples) {
    CAPTURE(e.text);
    const auto out = eval(e.text, variables);
    CAPTURE(out.text);
    const bool is_failure = e.expected.front() == '!' || e.expected.front() == '?';
    if (is_failure) {
      CHECK(out.exit_code == (e.expected.front() == '!' ? 3 : 2));
      CHECK(out.text.find(e.expected.substr(1)) != std::string::npos);
    } else {
      CHECK(out.exit_code == 0);
      CHECK(out.text == e.expected);
    }
  }
}

} // namespace millrace::expressions::testing
