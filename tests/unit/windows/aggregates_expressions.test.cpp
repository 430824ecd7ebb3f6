// SPDX-License-Identifier: Apache-2.0
// Aggregates with parameters, in expressions, through the processor.
#include "actors/windows/aggregate.hpp"
#include "tests/unit/windows/support.hpp"

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

std::string values(const aggregates& a, const std::vector<event>& events) {
  const auto out = run({tumbling(10 * s, a, 0, {})}, events);
  REQUIRE(out.results.size() == 1);
  return values_of(out.results[0].text);
}

std::string findings(const std::string& text) {
  std::vector<diagnostic> found;
  const auto p = make_plan({tumbling(10 * s, {{"a", text}})}, event_schema(), found);
  REQUIRE(!p == !found.empty());
  return text_of(found);
}

bool has(const std::string& text, std::string_view part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

const std::vector<event> four{{"A", 2.0, 1, 1 * s, 0, 0, 4},
                              {"B", 4.0, 2, 2 * s, 0, 0, 1},
                              {"A", 6.0, 3, 3 * s, 0, 0, 2},
                              {"C", 8.0, 4, 4 * s, 0, 0, 3}};

} // namespace

TEST_CASE("statistics come out as doubles") {
  REQUIRE(values({{"a", "variance(size)"}, {"b", "stddev(price)"}, {"c", "slope(price)"}, {"d", "integral(size)"}},
                 four) == R"("values":{"a":1.6666666666666667,"b":2.581988897471611,"c":2.0,"d":7.5}})");
  REQUIRE(values({{"a", "rate(size)"}, {"b", "median(lot)"}, {"c", "quantile(size, 1.0)"}, {"d", "quantile(size, 0)"}},
                 four) == R"("values":{"a":1.0,"b":2.0,"c":4.0,"d":1.0}})");
}

TEST_CASE("lists come out as JSON") {
  REQUIRE(values({{"a", "top(symbol, 2)"}, {"b", "collect(price, 2)"}, {"c", "any(symbol)"}, {"d", "distinct(symbol)"}},
                 four) ==
          R"("values":{"a":[{"value":"A","count":2},{"value":"B","count":1}],"b":[2.0,4.0],"c":"B","d":3}})");
  REQUIRE(values({{"a", "top(at, 1)"}, {"b", "collect(span)"}, {"c", "collect(big, 2)"}, {"d", "collect(raw, 1)"}},
                 four) == R"("values":{"a":[{"value":"1970-01-01T00:00:01.000Z","count":1}],)"
                          R"("b":["0.000000001s","0.000000002s","0.000000003s","0.000000004s"],)"
                          R"("c":[false,false],"d":[{"n":1}]}})");
}

TEST_CASE("aggregates with parameters work inside of expressions, and equal calls are one") {
  REQUIRE(values({{"p99", "quantile(price, 0.99)"},
                  {"ratio", "quantile(price, 1.0) / avg(price)"},
                  {"spread", "max(price) - min(price)"},
                  {"same", "p99 == quantile(price, 0.99)"}},
                 {{"A", 2.0, 1, 1 * s, 0}, {"A", 6.0, 1, 2 * s, 0}}) ==
          R"("values":{"p99":2.0,"ratio":1.5,"spread":4.0,"same":true}})");
  REQUIRE(values({{"a", "ewma(price, duration('10s'))"}}, {{"A", 3.0, 1, 1 * s, 0}}).find("\"a\":3.0") !=
          std::string::npos);
  REQUIRE(values({{"n", "size(top(symbol, 3))"}, {"best", "top(symbol, 1)[0].value"}}, four) ==
          R"("values":{"n":3,"best":"A"}})");
}

TEST_CASE("the new aggregates are null over no value") {
  aggregates all;
  std::string wanted = "\"values\":{";
  for (const auto& kind : aggregate_kinds()) {
    std::string call{kind.name};
    call += kind.name == "count_if" ? "(price > 0.0)" : "(price";
    for (const auto& p : kind.parameters)
      call += p.type == aggregate_parameter::kind::duration ? ", duration('1s')"
              : p.type == aggregate_parameter::kind::number ? ", 0.5"
                                                            : ", 3";
    if (kind.name != "count_if")
      call += ")";
    else
      continue; // a null condition is an error
    wanted += (all.empty() ? "\"" : ",\"") + std::string{kind.name} + "_\":" + (kind.nullable ? "null" : "0");
    all.emplace_back(std::string{kind.name} + "_", call);
  }
  REQUIRE(values(all, {{"A", std::nullopt, 1, 1, 0}, {"A", std::nullopt, 1, 2, 0}}) == wanted + "}}");
}

TEST_CASE("a snapshot in the middle changes no aggregate") {
  aggregates all;
  for (const auto& kind : aggregate_kinds())
    if (kind.parameters.empty() && kind.max_arguments == 1 && kind.name != "count_if")
      all.emplace_back(std::string{kind.name} + "_", std::string{kind.name} + "(price)");
  for (const auto* text :
       {"quantile(price, 0.9)", "top(symbol, 2)", "collect(price, 3)", "ewma(price, duration('2s'))"})
    all.emplace_back("p" + std::to_string(all.size()), text);
  const std::vector<window_options> windows{tumbling(10 * s, all, 0, {}), [&] {
                                              auto w = sliding(4 * s, 2 * s, all, 0, {});
                                              w.name = "v";
                                              return w;
                                            }()};
  recorded whole;
  recorded parts;
  auto p = make_processor(plan_of(windows), {});
  feed(*p, {four[0], four[2]}, 0, whole);
  const auto snapshot = p->snapshot();
  auto q = make_processor(plan_of(windows), {});
  REQUIRE(q->restore(snapshot));
  REQUIRE(q->snapshot() == snapshot);
  feed(*p, {four[1], four[3]}, end_watermark, whole);
  feed(*q, {four[1], four[3]}, end_watermark, parts);
  REQUIRE(whole.results.size() > 3);
  REQUIRE(parts.lines() == whole.lines());
}

TEST_CASE("a snapshot is refused when a parameter or the type of an argument has changed") {
  const auto restores = [](const std::string& before, const std::string& after) {
    auto p = make_processor(plan_of({tumbling(10 * s, {{"a", before}})}), {});
    recorded out;
    feed(*p, four, 0, out);
    return make_processor(plan_of({tumbling(10 * s, {{"a", after}})}), {})->restore(p->snapshot());
  };
  REQUIRE(restores("top(size, 3)", "top(size, 3)"));
  REQUIRE(!restores("top(size, 3)", "top(size, 4)"));
  REQUIRE(!restores("top(size, 3)", "top(price, 3)"));
  const auto over = [](data_type type) {
    std::vector<diagnostic> found;
    const auto layout = std::make_shared<const schema>(std::vector<field>{{"x", type, true}});
    auto p = make_plan({tumbling(10 * s, {{"a", "distinct(x)"}}, 0, {})}, layout, found);
    REQUIRE(p);
    return make_processor(std::move(p), {});
  };
  const auto snapshot = over(data_type::int64)->snapshot();
  REQUIRE(over(data_type::int64)->restore(snapshot));
  REQUIRE(!over(data_type::float64)->restore(snapshot));
}

TEST_CASE("parameters are checked when the pipeline is read, at their place in the text") {
  REQUIRE(has(findings("quantile(price)"), "windows[0].aggregate.a@0: quantile() takes exactly 2 arguments, not 1"));
  REQUIRE(has(findings("quantile(price)"), "quantile(x, rank)"));
  REQUIRE(has(findings("1.0 + quantile(price, 1.5)"),
              "a@22: rank of quantile() is out of range (it is a number from 0 to 1"));
  REQUIRE(has(findings("quantile(price, -0.1)"), "a@16: rank of quantile() is out of range"));
  REQUIRE(has(findings("quantile(price, 0.0 / 0.0)"), "a@"));
  REQUIRE(has(findings("quantile(price, 'x')"), "rank of quantile() must not be string"));
  REQUIRE(has(findings("quantile(price, price)"), "a@16: rank of quantile() must be a constant"));
  REQUIRE(has(findings("quantile(price, max(price))"), "must be a constant"));
  REQUIRE(has(findings("quantile(price, prise)"), "windows[0].aggregate.a@16"));
  REQUIRE(has(findings("quantile(price, 1 / 0)"), "has no value"));
  REQUIRE(has(findings("quantile(symbol, 0.5)"), "quantile() does not accept string (it accepts int, uint or double)"));
  REQUIRE(has(findings("top(symbol, 0)"), "k of top() is out of range (it is an int from 1 to 1000: top(x, k))"));
  REQUIRE(has(findings("top(symbol, 2.0)"), "k of top() must not be double"));
  REQUIRE(has(findings("top(symbol, 1, 2)"), "top() takes at most 2 arguments, not 3"));
  REQUIRE(has(findings("top()"), "top() takes at least 1 argument, not 0"));
  REQUIRE(has(findings("collect(symbol, 10001)"), "limit of collect() is out of range"));
  REQUIRE(has(findings("ewma(price, 10)"), "half-life of ewma() must not be int"));
  REQUIRE(
    has(findings("ewma(price, duration('0s'))"), "half-life of ewma() is out of range (it is a duration above zero"));
  REQUIRE(has(findings("stddev(symbol)"), "stddev() does not accept string"));
  REQUIRE(has(findings("medain(price)"), "did you mean median?"));
}
