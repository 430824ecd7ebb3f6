// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_contents.hpp"

#include "tests/unit/enrich/support.hpp"

namespace {

using namespace enrich_test;

schema_ptr trades() { return layout({{"symbol", data_type::string, false}, {"n", data_type::int64, false}}); }

struct fixture {
  explicit fixture(missing_policy missing = missing_policy::keep) {
    options o;
    o.tables.push_back({"a", "a.csv", "symbol", {{"lot", data_type::int64}}});
    o.tables.push_back({"unused", "b.csv", "k", {}});
    o.steps = {lookup_step{"a", "symbol", {"lot"}, missing}};
    tables.emplace("a", csv("a", "symbol", "symbol,lot\nA,1\nB,2\n", {{"lot", data_type::int64}}));
    tables.emplace("unused", csv("unused", "k", "k\nx\n"));
    std::vector<diagnostic> findings;
    plan = make_plan(o, trades(), tables, findings);
    REQUIRE(plan);
    p = make_processor(plan, tables);
  }
  list lots() { return run(*p, events(trades(), {{"A", 1}, {"B", 2}, {"C", 3}})).rows; }
  std::string contents(std::string_view text) const {
    auto c = contents_of_csv(plan->tables()[0], plan->table_columns("a"), text);
    REQUIRE(c);
    return *c;
  }

  table_map tables;
  plan_ptr plan;
  std::unique_ptr<enrich_processor> p;
};

std::string row_text(const std::string& symbol, int n, const std::string& lot) {
  return "{\"symbol\":\"" + symbol + "\",\"n\":" + std::to_string(n) + ",\"lot\":" + lot + "}";
}

} // namespace

TEST_CASE("lookups see new contents from the next batch on") {
  fixture f;
  CHECK(f.lots() == list{row_text("A", 1, "1"), row_text("B", 2, "2"), row_text("C", 3, "null")});
  REQUIRE(f.p->control("a", f.contents("lot,symbol\n9,C\n,A\n")));
  CHECK(f.lots() == list{row_text("A", 1, "null"), row_text("B", 2, "null"), row_text("C", 3, "9")});
  CHECK(f.p->table_in_use("a")->rows() == 2);
  CHECK(f.p->control("unused", "\"k\"\n"));
}

TEST_CASE("a snapshot holds the tables that were replaced") {
  fixture f;
  const auto before = f.p->snapshot();
  REQUIRE(f.p->control("a", f.contents("symbol,lot\nC,9\n")));
  f.lots();
  const auto bytes = f.p->snapshot();
  CHECK(bytes != before);
  fixture g;
  REQUIRE(g.p->restore(bytes));
  CHECK(g.p->snapshot() == bytes);
  CHECK(g.lots() == f.lots());
  CHECK(g.p->snapshot() == f.p->snapshot());
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    CHECK(!fixture{}.p->restore(std::string_view{bytes}.substr(0, cut)));
}

TEST_CASE("contents that do not fit are refused and change nothing") {
  fixture f{missing_policy::reject};
  const auto before = f.p->snapshot();
  CHECK(f.p->control("b", "").error().code == ec::not_found);
  CHECK(f.p->control("a", "\"symbol\"\n\"A\"\n").error().message ==
        "table `a`: the columns are not those that the pipeline was loaded with");
  CHECK(!f.p->control("a", "\"symbol\",\"lot\"\n\"A\",\"x\"\n"));
  CHECK(f.p->control("a", "\"symbol\",\"lot\"\n\"A\",\n").error().message ==
        "table `a`: the row of key `A`: `lot` has no value");
  CHECK(f.p->snapshot() == before);
}

TEST_CASE("hits and misses are counted by table, through restarts") {
  fixture f;
  CHECK(f.p->lookups().size() == 1);
  f.lots();
  f.lots();
  CHECK(f.p->lookups().at("a").hits == 4);
  CHECK(f.p->lookups().at("a").misses == 2);
  const lookup_totals& totals = *f.p;
  REQUIRE(totals.lookup_tables().size() == 1);
  CHECK(totals.lookup_tables()[0].name == "a");
  CHECK(totals.lookup_tables()[0].misses == 2);
  CHECK(totals.lookup_tables()[0].rows == 2);
  fixture g;
  REQUIRE(g.p->restore(f.p->snapshot()));
  CHECK(g.p->lookups().at("a").hits == 4);
  CHECK(g.p->lookups().at("a").misses == 2);
}
