// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/alerts/support.hpp"

namespace {

using namespace alerts_test;

list findings_of(std::vector<rule_options> rules, std::vector<scope> in = scopes()) {
  std::vector<diagnostic> findings;
  CHECK(make_plan("trades", std::move(rules), std::move(in), findings) == nullptr);
  list out;
  for (const auto& f : findings)
    out.push_back(f.path + (f.offset == 0 ? "" : "@" + std::to_string(f.offset)) + ": " + f.message +
                  (f.hint.empty() ? "" : " (" + f.hint + ")"));
  return out;
}

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

rule_options with_summary(std::string summary) {
  auto r = rule("r", "ohlc", "trades > 1");
  r.summary = std::move(summary);
  return r;
}

} // namespace

TEST_CASE("a plan says what its rules stand on and read") {
  auto r = rule("big", "events", "price > 1.0", "size < 2");
  r.summary = "{{venue}}";
  const auto p = good_plan({r, rule("spike", "ohlc", "change > 0.05")});
  CHECK(p->size() == 2);
  CHECK(p->rule(1).name == "spike");
  CHECK(p->reads_events());
  CHECK(p->reads_windows());
  CHECK(p->fields_read() == list{"price", "size", "symbol", "venue"});
  const auto q = good_plan({rule("spike", "ohlc", "change > 0.05")});
  CHECK_FALSE(q->reads_events());
  CHECK(q->fields_read().empty());
  CHECK(good_plan({})->size() == 0);
}

TEST_CASE("values, key fields, start and end are in the scope of a rule on a window") {
  good_plan({rule("r", "ohlc", "change > 0.0 && symbol == 'A' && end - start == duration('1m')")});
}

TEST_CASE("a value named like a bound of the window hides it") {
  const auto s = ohlc();
  auto fields = std::vector<field>{s->fields().begin(), s->fields().end()};
  fields[7].name = "end";
  std::vector<diagnostic> findings;
  CHECK(make_plan("p", {rule("r", "w", "end > 1")}, {{"w", layout(fields), {"symbol"}}}, findings));
  CHECK(findings.empty());
}

TEST_CASE("every finding about the rules is reported at once") {
  const auto got =
    findings_of({rule("Spike", "ohlc", "change > 0.05"), rule("a", "ohcl", "change > 0.05"),
                 rule("b", "ohlc", "change"), rule("c", "ohlc", "chang > 0.5", "trades"), rule("c", "ohlc", "", "", -1),
                 rule("d", "", "true"), rule("e", "event", "true"), rule("f", "ohlc", "$end > start")});
  REQUIRE(got.size() == 11);
  CHECK(got[0] == "alerts[0].name: `Spike` is not a rule name (names match [a-z][a-z0-9_-]{0,39})");
  CHECK(got[1] == "alerts[1].on: no window named `ohcl` (did you mean `ohlc`?)");
  CHECK(got[2] == "alerts[2].when: `when` must be a bool, this is double (compare it with something)");
  CHECK(begins(got[3], "alerts[3].when: "));
  CHECK(got[3].find("change") != std::string::npos);
  CHECK(begins(got[4], "alerts[3].clear: `clear` must be a bool, this is int"));
  CHECK(begins(got[5], "alerts[4].name: a rule named `c` exists already"));
  CHECK(got[6] == "alerts[4].for: `for` is negative");
  CHECK(begins(got[7], "alerts[4].when: a rule needs `when`"));
  CHECK(begins(got[8], "alerts[5].on: a rule needs `on`"));
  CHECK(got[9] == "alerts[6].on: no window named `event` (did you mean `events`?)");
}

TEST_CASE("a summary's findings point into its text") {
  CHECK(begins(findings_of({with_summary("x {{trades")}).at(0), "alerts[0].summary@2: `{{` is not closed"));
  CHECK(begins(findings_of({with_summary("x }} y")}).at(0), "alerts[0].summary@2: `}}` closes nothing"));
  CHECK(begins(findings_of({with_summary("{{ }}")}).at(0), "alerts[0].summary: `{{}}` holds no expression"));
  CHECK(begins(findings_of({with_summary("ab {{trads}}")}).at(0), "alerts[0].summary@5: "));
  CHECK(findings_of({with_summary("{{trads}} {{chang}} {{")}).size() == 3);
}

TEST_CASE("braces inside a hole's strings and maps do not close it") {
  good_plan({with_summary("{{'}}'}} and {{ {'a': {'b': 1}}['a']['b'] }} {single} }")});
}

TEST_CASE("a rule on events needs the event key") {
  const auto got = findings_of({rule("r", "events", "price > 1.0")}, {{"", trades(), {"account"}}});
  REQUIRE(got.size() == 1);
  CHECK(begins(got[0], "alerts[0].on: a rule on events needs the key field `account`"));
}
