// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/enrich/support.hpp"

namespace {

using namespace enrich_test;

schema_ptr trades() {
  return layout({{"symbol", data_type::string, false},
                 {"price", data_type::float64, false},
                 {"size", data_type::int64, true},
                 {"venue", data_type::string, true}});
}

table_map instruments() {
  return {{"instruments", csv("instruments", "symbol", "symbol,sector,lot,dull-name\nA,tech,1,\nB,,2,\n",
                              {{"lot", data_type::int64}})}};
}

/// `path: message (hint)` of every finding, with `@offset` when it is not 0.
list findings_of(std::vector<step> steps, const std::vector<std::string>& declared = {"instruments"}) {
  options o;
  o.steps = std::move(steps);
  for (const auto& name : declared)
    o.tables.push_back({name, "", "", {}});
  std::vector<diagnostic> findings;
  CHECK(make_plan(o, trades(), instruments(), findings) == nullptr);
  list out;
  for (const auto& f : findings)
    out.push_back(f.path + (f.offset == 0 ? "" : "@" + std::to_string(f.offset)) + ": " + f.message +
                  (f.hint.empty() ? "" : " (" + f.hint + ")"));
  return out;
}

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

} // namespace

TEST_CASE("the output schema follows the steps") {
  const auto p =
    good_plan(trades(),
              {set_step{{{"notional", "price * 2.0"}, {"price", "int(price)"}}},
               lookup_step{"instruments", "symbol", {"sector", "lot"}, missing_policy::keep}, remove_step{{"venue"}}},
              instruments());
  CHECK(*p->output_schema() == schema{{{"symbol", data_type::string, false},
                                       {"price", data_type::int64, false},
                                       {"size", data_type::int64, true},
                                       {"notional", data_type::float64, false},
                                       {"sector", data_type::string, true},
                                       {"lot", data_type::int64, true}}});
  CHECK(*p->input_schema() == *trades());
}

TEST_CASE("a looked up field is nullable unless every event that passes has it") {
  const auto nullable = [](missing_policy m) {
    const auto p = good_plan(trades(), {lookup_step{"instruments", "symbol", {"sector", "lot"}, m}}, instruments());
    return std::pair{(*p->output_schema())[4].nullable, (*p->output_schema())[5].nullable};
  };
  CHECK(nullable(missing_policy::keep) == std::pair{true, true});
  CHECK(nullable(missing_policy::drop) == std::pair{true, false});
  CHECK(nullable(missing_policy::reject) == std::pair{true, false});
}

TEST_CASE("the fields read are those of the input that a step reads or removes") {
  CHECK(good_plan(trades(), {})->fields_read().empty());
  CHECK(good_plan(trades(), {filter_step{"size > 1"}})->fields_read() == list{"size"});
  CHECK(good_plan(trades(), {set_step{{{"size", "2"}}}, filter_step{"size > 1"}})->fields_read().empty());
  CHECK(good_plan(trades(),
                  {lookup_step{"instruments", "symbol", {"lot"}, {}}, filter_step{"lot > 1"}, remove_step{{"venue"}}},
                  instruments())
          ->fields_read() == list{"symbol", "venue"});
}

TEST_CASE("only the kept fields leave the stage") {
  const auto p = good_plan(trades(), {set_step{{{"a", "1"}, {"b", "2"}}}}, {}, list{"b", "price", "nothing"});
  CHECK(*p->output_schema() == schema{{{"price", data_type::float64, false}, {"b", data_type::int64, false}}});
}

TEST_CASE("every finding of a plan is reported at once, with its place") {
  const auto got = findings_of({filter_step{"price"}, filter_step{"prize > 1.0"}, set_step{{{"x", "1 +"}, {"in", "1"}}},
                                lookup_step{"instrument", "symbol", {"sector"}, {}},
                                lookup_step{"instruments", "symbl", {"sector"}, {}}, remove_step{{"venue", "venu"}}});
  REQUIRE(got.size() == 7);
  CHECK(got[0] == "enrich.steps[0].filter: a filter must be a bool, this is double (compare it with something)");
  CHECK(begins(got[1], "enrich.steps[1].filter: "));
  CHECK(got[1].find("price") != std::string::npos);
  CHECK(begins(got[2], "enrich.steps[2].set.x@"));
  CHECK(begins(got[3], "enrich.steps[2].set.in: `in` is not a field name"));
  CHECK(got[4] == "enrich.steps[3].lookup.table: no table named `instrument` (did you mean `instruments`?)");
  CHECK(got[5] == "enrich.steps[4].lookup.on: no field named `symbl` (did you mean `symbol`?)");
  CHECK(begins(got[6], "enrich.steps[5].remove[1]: no field named `venu`"));
}

TEST_CASE("what follows from a finding is not reported again") {
  CHECK(findings_of({set_step{{{"x", "nonsense_ + 1"}}}, filter_step{"x > 1 && price > 0.0"}}).size() == 1);
  CHECK(findings_of({lookup_step{"missing", "symbol", {"m"}, {}}, set_step{{{"n", "m + 1"}}}, filter_step{"n > 1"}})
          .size() == 1);
}

TEST_CASE("a table that could not be loaded is not reported a second time") {
  CHECK(findings_of({lookup_step{"gone", "symbol", {"m"}, {}}, filter_step{"m == 'x'"}}, {"gone"}).empty());
}

TEST_CASE("a lookup checks its key's type and its columns") {
  CHECK(findings_of({lookup_step{"instruments", "size", {"lot"}, {}}}) ==
        list{"enrich.steps[0].lookup.on: `size` is int, but the key `symbol` of table `instruments` is string (convert "
             "it with `set`, or give the column a type under `tables`)"});
  CHECK(findings_of({lookup_step{"instruments", "symbol", {"sectr"}, {}}}) ==
        list{"enrich.steps[0].lookup.add[0]: table `instruments` has no column `sectr` (did you mean `sector`?)"});
  CHECK(begins(findings_of({lookup_step{"instruments", "symbol", {"lot", "symbol"}, {}}}).at(0),
               "enrich.steps[0].lookup.add[1]: a field named `symbol` exists already"));
  CHECK(begins(findings_of({lookup_step{"instruments", "symbol", {"dull-name"}, {}}}).at(0),
               "enrich.steps[0].lookup.add[0]: column `dull-name` cannot be a field"));
}

TEST_CASE("a removed field cannot be read any more") {
  const auto got = findings_of({remove_step{{"venue"}}, filter_step{"venue == 'x'"}});
  REQUIRE(got.size() == 1);
  CHECK(begins(got[0], "enrich.steps[1].filter: "));
}
