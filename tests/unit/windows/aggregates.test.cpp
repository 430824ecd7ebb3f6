// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/aggregate.hpp"
#include "tests/unit/windows/support.hpp"

#include <limits>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

std::string values(const aggregates& a, const std::vector<event>& events) {
  const auto out = run({tumbling(10 * s, a, 0, {})}, events);
  REQUIRE(out.results.size() == 1);
  return values_of(out.results[0].text);
}

std::string findings_of(window_options w) {
  std::vector<diagnostic> findings;
  const auto p = make_plan({std::move(w)}, event_schema(), findings);
  REQUIRE(!p == !findings.empty());
  return text_of(findings);
}

std::string aggregate_findings(const aggregates& a) { return findings_of(tumbling(10 * s, a)); }

bool has(const std::string& text, std::string_view part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

constexpr auto largest = std::numeric_limits<std::int64_t>::max();

} // namespace

TEST_CASE("sum, min, max, first and last keep the type of their argument") {
  const std::vector<event> events{{"B", 2.5, 3, 5, 0}, {"A", 1.5, 4, 9, 0}, {"C", 4.0, 1, 2, 0}};
  REQUIRE(values({{"a", "sum(size)"}, {"b", "sum(price)"}, {"c", "sum(lot)"}, {"d", "sum(span)"}}, events) ==
          R"("values":{"a":8,"b":8.0,"c":8,"d":"0.000000008s"}})");
  REQUIRE(values({{"a", "min(size)"}, {"b", "max(price)"}, {"c", "min(lot)"}, {"d", "max(span)"}, {"e", "max(symbol)"}},
                 events) == R"("values":{"a":1,"b":4.0,"c":1,"d":"0.000000004s","e":"C"}})");
  REQUIRE(
    values({{"a", "first(size)"}, {"b", "last(symbol)"}, {"c", "first(at)"}, {"d", "last(raw)"}, {"e", "min(big)"}},
           events) == R"("values":{"a":1,"b":"A","c":"1970-01-01T00:00:00.000000002Z","d":{"n":1},"e":false}})");
  REQUIRE(values({{"a", "avg(size)"}, {"b", "avg(price)"}, {"c", "count_if(size > 1)"}, {"d", "count(size)"}},
                 events) == R"("values":{"a":2.6666666666666665,"b":2.6666666666666665,"c":2,"d":3}})");
}

TEST_CASE("first and last go by event time, then shard and position, not by arrival") {
  const std::vector<event> events{
    {"x", 1.0, 1, 5, 0, 1, 7}, {"x", 2.0, 2, 5, 0, 0, 9}, {"x", 3.0, 3, 5, 0, 0, 8}, {"x", 4.0, 4, 5, 0, 1, 6}};
  REQUIRE(values({{"a", "first(size)"}, {"b", "last(size)"}}, events) == R"("values":{"a":3,"b":1}})");
}

TEST_CASE("aggregates skip null and are null over no value") {
  const std::vector<event> events{{"A", std::nullopt, std::nullopt, 1, 0}, {"A", std::nullopt, std::nullopt, 2, 0}};
  REQUIRE(values({{"n", "count()"},
                  {"p", "count(price)"},
                  {"a", "sum(price)"},
                  {"b", "avg(price)"},
                  {"c", "min(price)"},
                  {"d", "last(size)"},
                  {"e", "count_if(size > 1 || true)"}},
                 events)
            .starts_with(R"("values":{"n":2,"p":0,"a":null,"b":null,"c":null,"d":null,"e":)"));
  REQUIRE(values({{"n", "count(price)"}, {"first", "first(price)"}},
                 {{"A", std::nullopt, 1, 1, 0}, {"A", 2.5, 1, 2, 0}}) == R"("values":{"n":1,"first":2.5}})");
}

TEST_CASE("an integer sum beyond its range is an error, whatever the order, and never wraps") {
  REQUIRE(values({{"a", "sum(size)"}}, {{"A", 1.0, largest, 1, 0}, {"A", 1.0, 1, 2, 0}}) ==
          R"("values":{"a":null},"errors":{"a":"sum(size): the sum leaves the range of int"}})");
  REQUIRE(values({{"a", "sum(size)"}}, {{"A", 1.0, largest, 1, 0}, {"A", 1.0, 1, 2, 0}, {"A", 1.0, -1, 2, 0}}) ==
          R"("values":{"a":9223372036854775807}})");
  REQUIRE(values({{"n", "count()"}, {"a", "sum(lot)"}, {"b", "a + 1u"}, {"c", "n + 1"}},
                 {{"A", 1.0, -1, 1, 0}, {"A", 1.0, 1, 2, 0}}) ==
          R"("values":{"n":2,"a":null,"b":null,"c":3},"errors":{"a":"sum(lot): the sum leaves the range of uint",)"
          R"("b":"sum(lot): the sum leaves the range of uint"}})");
}

TEST_CASE("an error in an argument makes that aggregate null with the reason, and no other") {
  const auto text = values({{"n", "count()"}, {"a", "sum(10 / size)"}, {"b", "a * 2"}, {"c", "sum(size)"}},
                           {{"A", 1.0, 0, 1, 0}, {"A", 1.0, 5, 2, 0}});
  REQUIRE(has(text, R"("values":{"n":2,"a":null,"b":null,"c":5},"errors":{"a":"sum(10 / size): )"));
  REQUIRE(has(text, R"(,"b":"sum(10 / size): )"));
}

TEST_CASE("expressions read aggregates, key fields and earlier names") {
  const auto out = run({tumbling(10 * s, {{"volume", "sum(size)"},
                                          {"vwap", "sum(price * double(size)) / double(sum(size))"},
                                          {"twice", "vwap * 2.0"},
                                          {"label", "symbol + '!'"},
                                          {"spread", "max(price) - min(price)"}})},
                       {{"A", 2.0, 1, 1, 0}, {"A", 4.0, 3, 2, 0}});
  REQUIRE(values_of(out.results.at(0).text) ==
          R"("values":{"volume":4,"vwap":3.5,"twice":7.0,"label":"A!","spread":2.0}})");
}

TEST_CASE("an expression over null or with an error is null with its reason") {
  REQUIRE(values({{"a", "sum(price) / 2.0"}}, {{"A", std::nullopt, 1, 1, 0}}) ==
          R"("values":{"a":null},"errors":{"a":"sum(price) is null"}})");
  REQUIRE(values({{"s", "sum(price)"}, {"a", "s / 2.0"}}, {{"A", std::nullopt, 1, 1, 0}}) ==
          R"("values":{"s":null,"a":null},"errors":{"a":"s is null"}})");
  const auto text = values({{"a", "10 / (count() - 1)"}}, {{"A", 1.0, 1, 1, 0}});
  REQUIRE(has(text, R"("values":{"a":null},"errors":{"a":")"));
  REQUIRE(has(values({{"a", "10 / (count() - 1)"}}, {{"A", 1.0, 1, 1, 0}, {"A", 1.0, 1, 1, 0}}), R"({"a":10}})"));
}

TEST_CASE("NaN, infinity and signed zero do not depend on the order") {
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const auto infinity = std::numeric_limits<double>::infinity();
  const aggregates all{{"a", "min(price)"}, {"b", "max(price)"}, {"c", "sum(price)"}};
  std::vector<event> events{{"A", nan, 1, 1, 0}, {"A", 1.0, 1, 1, 0}};
  REQUIRE(values(all, events) == R"("values":{"a":"NaN","b":"NaN","c":"NaN"}})");
  std::swap(events[0].price, events[1].price);
  REQUIRE(values(all, events) == R"("values":{"a":"NaN","b":"NaN","c":"NaN"}})");
  REQUIRE(values(all, {{"A", infinity, 1, 1, 0}, {"A", 1.0, 1, 1, 0}}) ==
          R"("values":{"a":1.0,"b":"Infinity","c":"Infinity"}})");
  REQUIRE(values({{"a", "min(price)"}, {"b", "max(price)"}}, {{"A", 0.0, 1, 1, 0}, {"A", -0.0, 1, 1, 0}}) ==
          R"("values":{"a":-0.0,"b":0.0}})");
}

TEST_CASE("a compensated sum keeps what plain addition loses") {
  REQUIRE(values({{"a", "sum(price)"}}, {{"A", 1e16, 1, 1, 0}, {"A", 1.0, 1, 1, 0}, {"A", -1e16, 1, 1, 0}}) ==
          R"("values":{"a":1.0}})");
}

TEST_CASE("every mistake in a window definition is reported with its path") {
  REQUIRE(has(aggregate_findings({{"a", "smu(size)"}}),
              "windows[0].aggregate.a@0: unknown aggregate or function 'smu' (did you mean sum?)"));

  REQUIRE(has(aggregate_findings({{"a", "price / 2.0"}}), "field 'price' outside of an aggregate call"));
  REQUIRE(has(aggregate_findings({{"a", "sum(max(price))"}}), "an aggregate inside an aggregate"));
  REQUIRE(has(aggregate_findings({{"a", "sum()"}}), "takes exactly 1 argument, not 0"));
  REQUIRE(has(aggregate_findings({{"a", "count(size, size)"}}), "takes at most 1 argument, not 2"));
  REQUIRE(has(aggregate_findings({{"a", "sum(symbol)"}}), "sum() does not accept string"));
  REQUIRE(has(aggregate_findings({{"a", "avg(span)"}}), "avg() does not accept duration"));
  REQUIRE(has(aggregate_findings({{"a", "count_if(size)"}}), "count_if() does not accept int"));
  REQUIRE(has(aggregate_findings({{"a", "min(raw)"}}), "min() does not accept json"));
  REQUIRE(has(aggregate_findings({{"a", "sum(sise)"}}), "windows[0].aggregate.a"));
  REQUIRE(has(aggregate_findings({{"a", "b + 1"}, {"b", "count()"}}), "windows[0].aggregate.a"));
  REQUIRE(has(aggregate_findings({{"a", "count("}}), "windows[0].aggregate.a"));
  REQUIRE(has(aggregate_findings({{"symbol", "count()"}}), "is named like a key field"));
  REQUIRE(has(aggregate_findings({{"a", "count()"}, {"a", "sum(size)"}}), "two aggregates are named 'a'"));
  REQUIRE(has(aggregate_findings({{"1a", "count()"}}), "is not an identifier"));
  REQUIRE(has(aggregate_findings({}), "at least one aggregate"));
}

TEST_CASE("sizes, names, keys and conditions of windows are checked") {
  const aggregates n{{"n", "count()"}};
  auto w = tumbling(0, n);
  REQUIRE(has(findings_of(w), "windows[0].tumbling@0"));
  REQUIRE(has(findings_of(sliding(10 * s, 11 * s, n)), "windows[0].sliding.every"));
  REQUIRE(has(findings_of(sliding(10 * s, 0, n)), "windows[0].sliding.every"));
  REQUIRE(has(findings_of(sliding(10 * s, 10 * s - 1, n)), "more than 100000 slices"));
  REQUIRE(has(findings_of(tumbling(10 * s, n, -1)), "windows[0].lateness"));
  REQUIRE(has(findings_of(tumbling(10 * s, n, 0, {"symbl"})),
              "windows[0].key[0]@0: unknown field 'symbl' (did you mean symbol?)"));
  REQUIRE(has(findings_of(tumbling(10 * s, n, 0, {"symbol", "symbol"})), "windows[0].key[1]"));
  REQUIRE(has(findings_of(tumbling(10 * s, n, 0, {"raw"})), "json"));
  w = tumbling(10 * s, n);
  w.name = "Bad";
  REQUIRE(has(findings_of(w), "windows[0].name"));
  w.name = "events";
  REQUIRE(has(findings_of(w), "windows[0].name"));
  w.name = "w";
  w.where = "size + 1";
  REQUIRE(has(findings_of(w), "windows[0].where@0: `where` must be a condition"));
  w.where = "sizes > 1";
  REQUIRE(has(findings_of(w), "windows[0].where"));
  std::vector<diagnostic> findings;
  REQUIRE(!make_plan({tumbling(s, n), tumbling(s, n)}, event_schema(), findings));
  REQUIRE(has(text_of(findings), "windows[1].name@0: two windows are named 'w'"));
}

TEST_CASE("a plan tells what it reads and how results look") {
  auto w = tumbling(10 * s, {{"n", "count()"}, {"vwap", "sum(price) / double(n)"}});
  w.where = "size > 1";
  const auto p = plan_of({w});
  REQUIRE(p->fields_read() == std::vector<std::string>{"symbol", "price", "size"});
  const auto r = p->result_schema(0);
  std::vector<std::string> names;
  for (const auto& f : r->fields())
    names.push_back(f.name);
  REQUIRE(names == std::vector<std::string>{"symbol", "$start", "$end", "$version", "$final", "$retracted", "n", "vwap",
                                            "$errors"});
  REQUIRE((*r)[7].type == data_type::float64);
  REQUIRE((*r)[7].nullable);
}

TEST_CASE("the registry describes every aggregate") {
  for (const auto& k : aggregate_kinds()) {
    REQUIRE(find_aggregate(k.name) == &k);
    REQUIRE(k.sentence.ends_with("."));
  }
  REQUIRE(find_aggregate("nothing") == nullptr);
}
