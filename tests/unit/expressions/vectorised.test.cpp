// SPDX-License-Identifier: Apache-2.0
// Vectorised programs against the reference interpreter.
#include "actors/expressions/expression.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/expressions/random_expression.hpp"

#include <cmath>
#include <cstring>
#include <sstream>

using namespace millrace;
using namespace millrace::expressions;

namespace {

std::string show(const column& c, std::size_t row) {
  if (c.is_null(row))
    return "null";
  std::ostringstream out;
  switch (c.type) {
  case data_type::boolean: out << (c.b8[row] == 0 ? "false" : c.b8[row] == 1 ? "true" : "bad bool"); break;
  case data_type::float64:
    out.precision(17);
    out << c.f64[row] << (std::signbit(c.f64[row]) && c.f64[row] == 0 ? " negative" : "");
    if (std::isnan(c.f64[row]))
      return "NaN";
    break;
  case data_type::string:
  case data_type::bytes:
  case data_type::json: out << '"' << c.text(row) << '"'; break;
  default: out << c.i64[row];
  }
  return out.str();
}

/// The first difference, or an empty text.
std::string difference(const evaluation& a, const evaluation& b, std::size_t rows) {
  if (a.values.type != b.values.type)
    return "types differ";
  if (a.values.size() != rows || b.values.size() != rows)
    return "sizes differ";
  for (std::size_t row = 0; row < rows; ++row) {
    const auto at = "row " + std::to_string(row) + ": ";
    if (a.is_error(row) != b.is_error(row))
      return at + "error only in " + (a.is_error(row) ? "the vectorised: " : "the interpreted: ") +
             std::string{a.is_error(row) ? a.reason(row) : b.reason(row)};
    if (a.is_error(row)) {
      if (a.reason(row) != b.reason(row))
        return at + "reasons differ: " + std::string{a.reason(row)} + " and " + std::string{b.reason(row)};
      continue;
    }
    if (show(a.values, row) != show(b.values, row))
      return at + show(a.values, row) + " but " + show(b.values, row);
  }
  return {};
}

void compare(const std::string& text, const event_batch& in) {
  std::vector<expression_error> errors;
  const auto e = expression::compile(text, *in.layout, errors);
  std::string message = errors.empty() ? "" : errors[0].message;
  CAPTURE(text, message);
  REQUIRE(e);
  // Dirty results of an earlier evaluation must not shine through.
  static evaluation vectorised;
  static evaluation interpreted;
  e->evaluate(in, vectorised);
  e->interpret(in, interpreted);
  const auto d = difference(vectorised, interpreted, in.rows);
  REQUIRE(d == "");
  std::vector<expression_error> again;
  const auto tree = parse(unparse(e->tree()), again);
  REQUIRE(tree);
  REQUIRE(unparse(*tree) == unparse(e->tree()));
}

} // namespace

TEST_CASE("vectorised programs agree with the interpreter on random expressions and columns") {
  std::mt19937_64 random{20261121};
  expressions::testing::generator generator{random};
  std::vector<event_batch> batches;
  for (const std::size_t rows : {1U, 5U, 64U, 130U})
    batches.push_back(expressions::testing::random_batch(random, rows));
  // A batch whose dictionaries hold more than its rows use.
  batches.push_back(slice(batches.back(), 3, 7));
  for (int round = 0; round < 12'000; ++round) {
    const auto depth = static_cast<unsigned>(round % 5);
    const auto text = round % 2 == 0 ? generator.any(depth) : generator.boolean(depth + 1);
    compare(text, batches[static_cast<std::size_t>(round) % batches.size()]);
  }
}

TEST_CASE("every field alone and every constant alone has a column") {
  std::mt19937_64 random{7};
  const auto in = expressions::testing::random_batch(random, 100);
  for (const auto& f : in.layout->fields())
    compare(f.name, in);
  for (const auto* text : {"1", "1u", "1.5", "'a'", "b'a'", "true", "null", "duration('1s')",
                           "timestamp('2020-01-01T00:00:00Z')", "timestamp('0001-01-01T00:00:00Z')", "[1]", "{'a': 1}",
                           "1 / 0", "1 / 0 > 0 || b", "int", "i2 == null ? 'none' : 'some'"})
    compare(text, in);
}

TEST_CASE("accessors agree with the interpreter in every zone, constant or not") {
  std::mt19937_64 random{13};
  const auto in = expressions::testing::random_batch(random, 300);
  for (const auto* part : {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
                           "getHours", "getMinutes", "getSeconds", "getMilliseconds"})
    for (const auto* zone : {"", "'UTC'", "'+05:30'", "'Europe/Berlin'", "'America/St_Johns'", "'Nowhere/Land'",
                             "b ? 'Asia/Tokyo' : '-01:00'", "s2"}) {
      compare(std::string{"t."} + part + "(" + zone + ")", in);
      compare(std::string{"t2."} + part + "(" + zone + ") > i2", in);
    }
}

TEST_CASE("macros inside an expression agree with the interpreter, whatever is around them") {
  std::mt19937_64 random{17};
  const auto in = expressions::testing::random_batch(random, 200);
  for (const auto* text : {"d > 0.5 && [i, i2].exists(x, x == 1)", "[1, 2].all(x, x > i) || b2",
                           "[i].map(x, [x, i2].filter(y, y == x).size())[0] + i", "s.size() + [s].map(x, size(x))[0]",
                           "[[1], [2]].map(x, x.map(y, y + i)[0])[1] * 2", "[1, 2].map(x, x * 2)[1] + i",
                           "[i].exists(x, [x].exists(y, y == x && x > 0)) ? d : d2",
                           "optional.of(i).optMap(x, x + [x].map(y, y)[0]).orValue(0) > 1", "j.?a.orValue(i2) == i"})
    compare(text, in);
}

TEST_CASE("an empty batch gives an empty column of the right type") {
  std::mt19937_64 random{7};
  const auto in = expressions::testing::random_batch(random, 0);
  std::vector<expression_error> errors;
  evaluation out;
  for (const auto* text : {"i + 1", "s + 'a'", "d > 0.0", "j.a"}) {
    const auto e = expression::compile(text, *in.layout, errors);
    REQUIRE(e);
    e->evaluate(in, out);
    CHECK(out.values.type == e->type());
    CHECK(out.values.size() == 0);
    CHECK(out.errors.empty());
  }
}

TEST_CASE("more errors than reasons are kept") {
  std::mt19937_64 random{7};
  const auto in = expressions::testing::random_batch(random, 3000);
  std::vector<expression_error> errors;
  const auto e = expression::compile("i / 0", *in.layout, errors);
  REQUIRE(e);
  evaluation out;
  e->evaluate(in, out);
  CHECK(out.reasons.size() == evaluation::max_reasons);
  CHECK(out.is_error(2999));
  CHECK(out.reason(5) == "divide by zero");
  CHECK(!out.reason(2999).empty());
}

TEST_CASE("select_rows sends true rows on and rows without a value to the failed") {
  std::mt19937_64 random{11};
  const auto in = expressions::testing::random_batch(random, 200);
  std::vector<expression_error> errors;
  const auto e = expression::compile("i2 > 0", *in.layout, errors);
  REQUIRE(e);
  CHECK(e->is_predicate());
  evaluation out;
  e->evaluate(in, out);
  std::vector<std::uint32_t> selected;
  std::vector<std::uint32_t> failed;
  select_rows(out, in.rows, selected, failed);
  const auto& c = in.columns[1];
  std::size_t s = 0;
  std::size_t f = 0;
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    if (c.is_null(row))
      CHECK(failed.at(f++) == row);
    else if (c.i64[row] > 0)
      CHECK(selected.at(s++) == row);
  }
  CHECK(s == selected.size());
  CHECK(f == failed.size());
}
