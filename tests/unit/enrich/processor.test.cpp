// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/enrich/support.hpp"

#include <array>
#include <functional>
#include <map>
#include <random>

namespace {

using namespace enrich_test;
using std::string;

schema_ptr small() {
  return layout({{"s", data_type::string, true}, {"a", data_type::int64, true}, {"b", data_type::int64, false}});
}

table_map tables() {
  return {{"t", csv("t", "k", "k,name,num\nx,ex,1\ny,,2\nz,zed,\n", {{"num", data_type::int64}})},
          {"n", csv("n", "id", "id,label\n1,one\n2,two\n", {{"id", data_type::int64}})},
          {"none", csv("none", "k", "k,name\n")}};
}

const std::vector<row> rows{{string{"x"}, 1, 10}, {string{"q"}, {}, 20}, {{}, 3, 30}, {string{"y"}, 2, 40}};

list reasons(const outcome& o) {
  list out;
  for (const auto& r : o.rejected)
    out.push_back(r.reason + " " + r.origin + " " + r.detail);
  return out;
}

} // namespace

TEST_CASE("without steps events pass as they are") {
  const auto got = run(small(), {}, rows);
  CHECK(got.rows == lines(events(small(), rows)));
  CHECK(got.ledger.forwarded == 4);
}

TEST_CASE("a filter lets true events pass and counts the others as filtered") {
  const auto got = run(small(), {filter_step{"b > 10"}, filter_step{"b < 40"}}, rows);
  CHECK(got.rows == list{R"({"s":"q","a":null,"b":20})", R"({"s":null,"a":3,"b":30})"});
  CHECK(got.ledger.filtered == 2);
  CHECK(got.rejected.empty());
}

TEST_CASE("a filter that is null or an error rejects the event with its place and body") {
  const auto got = run(small(), {filter_step{"a / (b - 10) >= 0"}}, rows);
  REQUIRE(got.rejected.size() == 2);
  CHECK(got.rejected[0].origin == "1:100:2");
  CHECK(got.rejected[0].body == R"({"s":"x","a":1,"b":10})");
  CHECK(got.rejected[0].stage == "enrich");
  CHECK(got.rejected[0].reason == "expression");
  CHECK(got.rejected[0].watermark == -5);
  CHECK(got.rejected[0].position == make_position(100, 2));
  CHECK(got.rejected[0].shard == 1);
  CHECK(got.rejected[0].detail.rfind("enrich.steps[0].filter: ", 0) == 0);
  CHECK(got.rejected[0].detail.find("zero") != string::npos);
  CHECK(got.rejected[1].origin == "1:101:2");
  CHECK(got.ledger.rejected == 2);
  CHECK(got.rows.size() == 2);
}

TEST_CASE("a set adds and replaces fields, and a later one sees the earlier ones") {
  const auto got = run(small(), {set_step{{{"c", "b + 1"}, {"b", "string(b)"}, {"d", "b + '/' + string(c)"}}}},
                       {{string{"x"}, 1, 10}});
  CHECK(got.rows == list{R"({"s":"x","a":1,"b":"10","c":11,"d":"10/11"})"});
}

TEST_CASE("a set that fails rejects the event and names the field") {
  const auto got = run(small(), {set_step{{{"c", "100 / (b - 20)"}, {"d", "c + 1"}}}}, rows);
  REQUIRE(got.rejected.size() == 1);
  CHECK(got.rejected[0].detail.rfind("enrich.steps[0].set.c: ", 0) == 0);
  CHECK(got.rejected[0].body == R"({"s":"q","a":null,"b":20})");
  CHECK(got.rows.size() == 3);
  CHECK(got.rows[1] == R"({"s":null,"a":3,"b":30,"c":10,"d":11})");
}

TEST_CASE("a set may copy a nullable field") {
  const auto got = run(small(), {set_step{{{"c", "a"}}}}, {rows[1]});
  CHECK(got.rows == list{R"({"s":"q","a":null,"b":20,"c":null})"});
}

TEST_CASE("rejects come in the order of the events, whichever step found them") {
  const auto got = run(small(), {set_step{{{"c", "1 / (b - 30)"}}}, set_step{{{"d", "1 / (b - 10)"}}}}, rows);
  REQUIRE(got.rejected.size() == 2);
  CHECK(got.rejected[0].detail.find("set.d") != string::npos);
  CHECK(got.rejected[1].detail.find("set.c") != string::npos);
}

TEST_CASE("an event that is not in the table keeps nulls, is dropped or is rejected") {
  const auto with = [](missing_policy m) {
    return run(small(), {lookup_step{"t", "s", {"name", "num"}, m}, remove_step{{"a"}}}, rows, tables());
  };
  const list found{R"({"s":"x","b":10,"name":"ex","num":1})", R"({"s":"y","b":40,"name":null,"num":2})"};
  const auto kept = with(missing_policy::keep);
  CHECK(kept.rows == list{found[0], R"({"s":"q","b":20,"name":null,"num":null})",
                          R"({"s":null,"b":30,"name":null,"num":null})", found[1]});
  const auto dropped = with(missing_policy::drop);
  CHECK(dropped.rows == found);
  CHECK(dropped.ledger.filtered == 2);
  const auto rejected = with(missing_policy::reject);
  CHECK(rejected.rows == found);
  CHECK(rejected.ledger.rejected == 2);
  CHECK(reasons(rejected) == list{"lookup 1:101:2 enrich.steps[0].lookup: `s` \"q\" is not in table `t`",
                                  "lookup 1:102:2 enrich.steps[0].lookup: `s` null is not in table `t`"});
}

TEST_CASE("a lookup by a number finds its row") {
  const auto got = run(small(), {lookup_step{"n", "a", {"label"}, {}}, remove_step{{"s", "b"}}}, rows, tables());
  CHECK(got.rows == list{R"({"a":1,"label":"one"})", R"({"a":null,"label":null})", R"({"a":3,"label":null})",
                         R"({"a":2,"label":"two"})"});
}

TEST_CASE("a lookup that adds nothing only selects") {
  const auto got = run(small(), {lookup_step{"t", "s", {}, missing_policy::drop}}, rows, tables());
  CHECK(got.rows.size() == 2);
}

TEST_CASE("nothing is found in an empty table") {
  const auto got = run(small(), {lookup_step{"none", "s", {"name"}, {}}}, {rows[0]}, tables());
  CHECK(got.rows == list{R"({"s":"x","a":1,"b":10,"name":null})"});
}

TEST_CASE("a looked up field can be looked up again and computed with") {
  const auto got = run(small(),
                       {lookup_step{"t", "s", {"num"}, missing_policy::drop},
                        lookup_step{"n", "num", {"label"}, missing_policy::drop}, filter_step{"label != 'one'"}},
                       rows, tables());
  CHECK(got.rows == list{R"({"s":"y","a":2,"b":40,"num":2,"label":"two"})"});
}

TEST_CASE("looked up texts share the table's dictionary") {
  const auto all = tables();
  const auto plan = good_plan(small(), {lookup_step{"t", "s", {"name"}, missing_policy::drop}}, all);
  const auto p = make_processor(plan, all);
  const auto in = events(small(), rows);
  output out;
  input step;
  step.batch = &in;
  p->process(step, out);
  CHECK(out.sections.at(0).batch.columns.back().dict == all.at("t")->values(1).dict);
}

TEST_CASE("rows keep their envelope") {
  const auto plan = good_plan(small(), {filter_step{"b >= 30"}});
  const auto p = make_processor(plan, {});
  const auto in = events(small(), rows);
  output out;
  input step;
  step.batch = &in;
  p->process(step, out);
  const auto& b = out.sections.at(0).batch;
  CHECK(b.rows == 2);
  CHECK(b.time == std::vector<std::int64_t>{2, 3});
  CHECK(b.watermark == std::vector<std::int64_t>{-3, -2});
  CHECK(b.position == std::vector<std::int64_t>{make_position(102, 2), make_position(103, 2)});
  CHECK(b.shard == std::vector<std::uint32_t>{1, 1});
  CHECK(*b.layout == *plan->output_schema());
}

TEST_CASE("a step that leaves no event emits nothing") {
  const auto plan = good_plan(small(), {filter_step{"b > 1000"}, set_step{{{"c", "b"}}}});
  const auto p = make_processor(plan, {});
  const auto got = run(*p, events(small(), rows));
  CHECK(got.rows.empty());
  CHECK(got.ledger.filtered == 4);
  CHECK(run(*p, events(small(), {})).ledger.in == 4);
}

TEST_CASE("the state is the counters, and foreign bytes are refused") {
  const auto plan = good_plan(small(), {filter_step{"1 / (b - 10) >= 0 && b > 20"}});
  const auto p = make_processor(plan, {});
  run(*p, events(small(), rows));
  const auto q = make_processor(plan, {});
  REQUIRE(q->restore(p->snapshot()));
  CHECK(q->counters() == p->counters());
  CHECK(q->snapshot() == p->snapshot());
  for (const string& bad : {string{}, string{"x"}, p->snapshot() + "x", string(33, '\2')}) {
    const auto r = q->restore(bad);
    REQUIRE(!r);
    CHECK(r.error().code == ec::corrupt);
  }
}

namespace {

/// Steps row by row on maps: what the vectorised processor must equal.
using naive_row = std::map<string, cell>;

struct naive {
  naive_row values;
  bool gone = false;
  bool rejected = false;

  std::optional<int> number(const string& name) const {
    const auto* n = std::get_if<int>(&values.at(name));
    return n == nullptr ? std::nullopt : std::optional{*n};
  }
  void fail() { gone = rejected = true; }
};

struct random_step {
  step what;
  std::function<void(naive&)> apply;
};

random_step draw_filter(std::mt19937_64& random) {
  const int k = static_cast<int>(random() % 6);
  const string name = random() % 2 == 0 ? "a" : "b";
  return {filter_step{name + " > " + std::to_string(k)}, [k, name](naive& r) {
            const auto n = r.number(name);
            if (!n)
              r.fail();
            else if (*n <= k)
              r.gone = true;
          }};
}

random_step draw_set(std::mt19937_64& random) {
  const auto names = std::array<string, 3>{"a", "b", "c"};
  const auto to = names[random() % 3];
  const auto from = names[random() % 2];
  const int k = static_cast<int>(random() % 4);
  return {set_step{{{to, "12 / (" + from + " - " + std::to_string(k) + ")"}}}, [=](naive& r) {
            const auto n = r.number(from);
            if (!n || *n == k)
              r.fail();
            else
              r.values[to] = 12 / (*n - k);
          }};
}

random_step draw_lookup(std::mt19937_64& random, const string& suffix) {
  const auto m = static_cast<missing_policy>(random() % 3);
  return {lookup_step{"t" + suffix, "s", {"name" + suffix, "num" + suffix}, m}, [=](naive& r) {
            r.values["name" + suffix] = r.values["num" + suffix] = cell{};
            const auto* s = std::get_if<string>(&r.values.at("s"));
            if (s != nullptr && *s == "x") {
              r.values["name" + suffix] = string{"ex"};
              r.values["num" + suffix] = 1;
            } else if (s != nullptr && *s == "y") {
              r.values["num" + suffix] = 2;
            } else if (m != missing_policy::keep) {
              r.gone = true;
              r.rejected = m == missing_policy::reject;
            }
          }};
}

string text(const schema& s, const naive_row& r) {
  string out = "{";
  for (const auto& f : s.fields()) {
    out += out.size() > 1 ? "," : "";
    out += '"' + f.name + "\":";
    const auto& v = r.at(f.name);
    if (const auto* n = std::get_if<int>(&v))
      out += std::to_string(*n);
    else if (const auto* t = std::get_if<string>(&v))
      out += '"' + *t + '"';
    else
      out += "null";
  }
  return out + "}";
}

} // namespace

TEST_CASE("random steps give what they give row by row, however the events are cut") {
  std::mt19937_64 random{5};
  const auto s = small();
  table_map all;
  for (const string suffix : {"0", "1"})
    all["t" + suffix] = csv("t" + suffix, "k", "k,name" + suffix + ",num" + suffix + "\nx,ex,1\ny,,2\n",
                            {{"num" + suffix, data_type::int64}});
  for (int round = 0; round < 300; ++round) {
    std::vector<random_step> steps;
    unsigned lookups = 0;
    for (auto n = random() % 5; n > 0; --n) {
      const auto kind = random() % 3;
      if (kind == 0)
        steps.push_back(draw_filter(random));
      else if (kind == 1 || lookups == 2)
        steps.push_back(draw_set(random));
      else
        steps.push_back(draw_lookup(random, std::to_string(lookups++)));
    }
    std::vector<step> whats;
    for (const auto& x : steps)
      whats.push_back(x.what);
    const auto plan = good_plan(s, whats, all);

    std::vector<row> in;
    list want;
    std::size_t rejected = 0;
    for (auto n = random() % 150; n > 0; --n) {
      const auto texts = std::array<cell, 4>{cell{}, string{"x"}, string{"y"}, string{"q"}};
      in.push_back({texts[random() % 4], random() % 4 == 0 ? cell{} : cell{static_cast<int>(random() % 10)},
                    static_cast<int>(random() % 10)});
      naive r{{{"s", in.back()[0]}, {"a", in.back()[1]}, {"b", in.back()[2]}}};
      for (const auto& x : steps)
        if (!r.gone)
          x.apply(r);
      rejected += r.rejected ? 1U : 0U;
      if (!r.gone)
        want.push_back(text(*plan->output_schema(), r.values));
    }
    const auto batch = events(s, in);
    const auto p = make_processor(plan, all);
    list got;
    std::size_t got_rejected = 0;
    for (std::size_t first = 0; first < batch.rows;) {
      const auto last = std::min(batch.rows, first + 1 + random() % 100);
      auto piece = run(*p, slice(batch, first, last));
      got.insert(got.end(), piece.rows.begin(), piece.rows.end());
      got_rejected += piece.rejected.size();
      first = last;
    }
    INFO("round " << round);
    REQUIRE(got == want);
    REQUIRE(got_rejected == rejected);
    REQUIRE(p->counters().rejected == rejected);
    REQUIRE(p->counters().forwarded == want.size());
  }
}
