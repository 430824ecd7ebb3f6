// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/expression.hpp"
#include "actors/expressions/registry.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

using namespace millrace;
using namespace millrace::expressions;

namespace {

const schema fields{{{"price", data_type::float64, false},
                     {"size", data_type::int64, true},
                     {"symbol", data_type::string, false},
                     {"meta", data_type::json, true},
                     {"at", data_type::timestamp, false}}};

std::shared_ptr<const expression> compiled(std::string_view text) {
  std::vector<expression_error> errors;
  auto e = expression::compile(text, fields, errors);
  CAPTURE(text, errors.empty() ? "" : errors[0].message);
  REQUIRE(e);
  return e;
}

expression_error first_error(std::string_view text) {
  std::vector<expression_error> errors;
  CAPTURE(text);
  REQUIRE(!expression::compile(text, fields, errors));
  REQUIRE(!errors.empty());
  return errors[0];
}

std::string canonical(std::string_view text) {
  std::vector<expression_error> errors;
  const auto tree = parse(text, errors);
  CAPTURE(text, errors.empty() ? "" : errors[0].message);
  REQUIRE(tree);
  return unparse(*tree);
}

} // namespace

TEST_CASE("unparse writes the canonical text, with the parentheses that are needed") {
  CHECK(canonical("1+2*3") == "1 + 2 * 3");
  CHECK(canonical("(1+2)*3") == "(1 + 2) * 3");
  CHECK(canonical("a-(b-c)") == "a - (b - c)");
  CHECK(canonical("(a-b)-c") == "a - b - c");
  CHECK(canonical("-(5)") == "-(5)");
  CHECK(canonical("-5") == "-5");
  CHECK(canonical("--a") == "-(-a)");
  CHECK(canonical("!!a") == "!!a");
  CHECK(canonical("!(a&&b)||c") == "!(a && b) || c");
  CHECK(canonical("(a?b:c)?d:e?f:g") == "(a ? b : c) ? d : e ? f : g");
  CHECK(canonical("a.b[ 'c' ].d( 1u,0x10 )") == "a.b[\"c\"].d(1u, 16)");
  CHECK(canonical("(a+b).size()") == "(a + b).size()");
  CHECK(canonical("has(a.b)&&has(c)") == "has(a.b) && has(c)");
  CHECK(canonical("a.`b-c`") == "a.`b-c`");
  CHECK(canonical("{'a':[1,2.0,],b'\\xff':null}") == "{\"a\": [1, 2.0], b\"\\xff\": null}");
  CHECK(canonical("1e30") == "1e+30");
  CHECK(canonical("'a\\n\\\"\\u00e9'") == "\"a\\n\\\"é\"");
  CHECK(canonical("(a in b) == c") == "a in b == c");
  CHECK(canonical("a in (b == c)") == "a in (b == c)");
}

TEST_CASE("nodes carry the range of their text") {
  std::vector<expression_error> errors;
  const auto tree = parse("aa + bbb(c)", errors);
  REQUIRE(tree);
  CHECK(tree->offset == 0);
  CHECK(tree->length == 11);
  CHECK(tree->args[1]->offset == 5);
  CHECK(tree->args[1]->length == 6);
}

TEST_CASE("the checker knows types, nulls and predicates") {
  CHECK(compiled("price * 2.0")->type() == data_type::float64);
  CHECK(compiled("size")->type() == data_type::int64);
  CHECK(compiled("size")->nullable());
  CHECK(!compiled("size + 1")->nullable());
  CHECK(compiled("meta.a")->type() == data_type::json);
  CHECK(compiled("meta.a")->nullable());
  CHECK(compiled("[price]")->type() == data_type::json);
  CHECK(compiled("at - at")->type() == data_type::duration);
  CHECK(compiled("price > 0.0")->is_predicate());
  CHECK(compiled("price > 0 && size != null")->is_predicate());
  CHECK(compiled("meta.a == 1")->is_predicate());
  CHECK(!compiled("meta.a")->is_predicate());
  CHECK(!compiled("size")->is_predicate());
  CHECK(compiled("size > 1 ? size : null")->type() == data_type::int64);
  CHECK(compiled("size > 1 ? size : null")->nullable());
}

TEST_CASE("the variables read are listed once, ascending") {
  const auto e = compiled("symbol == 'a' && size > 0 && symbol != 'b' && [1].all(price, price > 0)");
  CHECK(std::vector<std::size_t>(e->uses().begin(), e->uses().end()) == std::vector<std::size_t>{1, 2});
}

TEST_CASE("messages say where, what and what to do") {
  const auto unknown = first_error("1.0 + prise");
  CHECK(unknown.offset == 6);
  CHECK(unknown.length == 5);
  CHECK(unknown.message == "undeclared reference to 'prise'");
  CHECK(unknown.hint == "did you mean 'price'?");
  const auto mixed = first_error("size * price");
  CHECK(mixed.message == "found no matching overload for '_*_' applied to '(int, double)'");
  CHECK(mixed.hint == "convert it: double(size)");
  CHECK(first_error("price * 2").hint == "write 2.0");
  CHECK(first_error("price == null").hint == "'price' is not optional, so it is never null");
  CHECK(first_error("symbol.upper()").message == "undeclared reference to 'upper'");
  CHECK(first_error("startsWith(symbol, 'a')").hint == "write value.startsWith(...)");
  CHECK(first_error("price.a").message == "type 'double' does not support field selection");
}

TEST_CASE("every mistake is reported, each once") {
  std::vector<expression_error> errors;
  CHECK(!expression::compile("foo + bar(1) > baz", fields, errors));
  CHECK(errors.size() == 3);
}

TEST_CASE("trees may name variables as no text could") {
  const schema results{{{"sum(size)", data_type::int64, true}, {"$start", data_type::timestamp, false}}};
  std::vector<expression_error> errors;
  auto tree = parse("sum(size) + 1", errors);
  REQUIRE(tree);
  tree = rewrite(tree, [](const node_ptr& n) -> node_ptr {
    if (n->what != node::kind::call || n->name != "sum")
      return nullptr;
    auto id = std::make_shared<node>();
    id->what = node::kind::identifier;
    id->name = unparse(*n);
    return id;
  });
  const auto e = expression::compile(tree, results, errors);
  REQUIRE(e);
  CHECK(e->type() == data_type::int64);
  CHECK(!expression::compile(node_ptr{}, results, errors));
}

TEST_CASE("a null operand is an error that names the field") {
  batch_builder b{std::make_shared<const schema>(fields)};
  b.set_double(0, 1.0);
  b.set_text(2, "a");
  b.set_int(4, 0);
  b.finish_row(0, 0, 0, 0);
  const auto in = b.finish();
  evaluation out;
  compiled("size + 1")->evaluate(in, out);
  REQUIRE(out.is_error(0));
  CHECK(out.reason(0) == "no such overload: '_+_' applied to '(null, int)' (size is null)");
  compiled("size == null && !has(size)")->evaluate(in, out);
  CHECK(!out.is_error(0));
  CHECK(out.values.b8[0] == 1);
}

TEST_CASE("the nearest name is near or there is none") {
  const std::vector<std::string> names{"price", "size", "symbol"};
  CHECK(nearest("prise", names) == "price");
  CHECK(nearest("sizze", names) == "size");
  CHECK(nearest("smybol", names) == "symbol");
  CHECK(nearest("quantity", names).empty());
  CHECK(nearest("x", names).empty());
}

TEST_CASE("the reference page tells of every operator, function and macro") {
  const auto page = reference_page();
  const auto has = [&](std::string_view text) { return page.find(text) != std::string::npos; };
  for (const auto& f : functions()) {
    CAPTURE(std::string{f.name});
    CHECK(has(f.sentence));
    CHECK((f.style == call_style::op || has(f.name)));
  }
  for (const auto& m : macros())
    CHECK(has(m.form));
  CHECK(has("| `a + b` | "));
  CHECK(has("| `-a` | "));
  CHECK(has("| `a \\|\\| b` | "));
  CHECK(has("| `x.orValue()` | `(optional(A), A) -> A` | "));
  CHECK(has("| `x.size(), size()` | "));
  CHECK(has("| depth of an expression | 250 |"));
}

TEST_CASE("every function of the registry has a sentence and readable signatures") {
  for (const auto& f : functions()) {
    CAPTURE(std::string{f.name});
    CHECK(!f.sentence.empty());
    CHECK(f.run != nullptr);
    CHECK(signatures_of(f).size() == f.signatures.size());
    for (const auto& s : signatures_of(f))
      CHECK((!s.arguments.empty() || f.name == "optional.none"));
  }
}

TEST_CASE("docs/expressions.md is the reference page") {
  // After a wanted change run with MILLRACE_UPDATE_GOLDEN=1 and read the difference.
  const auto* source = std::getenv("MILLRACE_SOURCE");
  const auto path = std::string{source != nullptr ? source : "."} + "/docs/expressions.md";
  if (std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary} << reference_page();
  std::ifstream in{path, std::ios::binary};
  std::stringstream text;
  text << in.rdbuf();
  CHECK((text.str() == reference_page()));
}
