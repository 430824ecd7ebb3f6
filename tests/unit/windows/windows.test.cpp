// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/windows/support.hpp"

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

TEST_CASE("a tumbling window counts per key and closes at its end") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}, {"volume", "sum(size)"}})}), {});
  recorded out;
  feed(*p, {{"B", 1.0, 2, 1 * s, 0}, {"A", 1.0, 3, 2 * s, 0}, {"A", 1.0, 4, 9 * s, 0}}, 9 * s, out);
  REQUIRE(out.results.empty());
  REQUIRE(p->state_keys() == 2);
  feed(*p, {{"A", 1.0, 5, 10 * s, 9 * s}}, 10 * s, out);
  REQUIRE(out.lines() ==
          std::vector<std::string>{
            R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:00.000Z",)"
            R"("end":"1970-01-01T00:00:10.000Z","version":0,"final":true,"values":{"n":2,"volume":7}})",
            R"({"kind":"window","window":"w","key":{"symbol":"B"},"start":"1970-01-01T00:00:00.000Z",)"
            R"("end":"1970-01-01T00:00:10.000Z","version":0,"final":true,"values":{"n":1,"volume":2}})"});
  REQUIRE(p->counters().absorbed == 4);
  REQUIRE(p->counters().retired == 3);
  REQUIRE(p->state_keys() == 1);
  feed(*p, {}, end_watermark, out);
  REQUIRE(out.results.size() == 3);
  REQUIRE(p->counters().retired == 4);
  REQUIRE(p->state_keys() == 0);
  feed(*p, {{"A", 1.0, 5, 100 * s, 9 * s}}, end_watermark, out);
  REQUIRE(p->counters().late == 1);
}

TEST_CASE("an event at a window's end belongs to the next window, also before the epoch") {
  const auto out =
    run({tumbling(10 * s, {{"n", "count()"}}, 0, {})},
        {{"A", 1.0, 1, -10 * s, no_watermark}, {"A", 1.0, 1, -1, no_watermark}, {"A", 1.0, 1, 0, no_watermark}});
  REQUIRE(out.results.size() == 2);
  REQUIRE(
    out.results[0].text ==
    R"({"kind":"window","window":"w","key":{},"start":"1969-12-31T23:59:50.000Z","end":"1970-01-01T00:00:00.000Z",)"
    R"("version":0,"final":true,"values":{"n":2}})");
  REQUIRE(out.results[0].due == 0);
  REQUIRE(values_of(out.results[1].text) == R"("values":{"n":1}})");
}

TEST_CASE("sliding windows start at multiples of every and overlap") {
  const auto out = run({sliding(10 * s, 4 * s, {{"n", "count()"}}, 0, {})}, {{"A", 1.0, 1, 9 * s, no_watermark}});
  // Starts 0, 4, 8 contain 9; -4 ends at 6.
  REQUIRE(out.results.size() == 3);
  REQUIRE(out.results[0].due == 10 * s);
  REQUIRE(out.results[1].due == 14 * s);
  REQUIRE(out.results[2].due == 18 * s);
}

TEST_CASE("a late event within lateness re-emits its window with the next version") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}}, 5 * s)}), {});
  recorded out;
  feed(*p,
       {{"A", 1.0, 1, 1 * s, 0},
        {"A", 1.0, 1, 2 * s, 10 * s},
        {"B", 1.0, 1, 3 * s, 11 * s},
        {"A", 1.0, 1, 3 * s, 14 * s},
        {"A", 1.0, 1, 4 * s, 15 * s}},
       15 * s, out);
  REQUIRE(out.results.size() == 4);
  REQUIRE(out.results[0].due == 10 * s);
  REQUIRE(values_of(out.results[0].text) == R"("values":{"n":1}})");
  REQUIRE(out.results[1].due == 10 * s);
  REQUIRE(values_of(out.results[1].text) == R"("values":{"n":2}})");
  REQUIRE(out.results[1].text.find(R"("version":1,"final":true)") != std::string::npos);
  // A key without events when the window closed starts with version 0.
  REQUIRE(out.results[2].due == 11 * s);
  REQUIRE(out.results[2].text.find(R"("symbol":"B")") != std::string::npos);
  REQUIRE(out.results[2].text.find(R"("version":0)") != std::string::npos);
  REQUIRE(out.results[3].text.find(R"("version":2)") != std::string::npos);
  REQUIRE(p->counters().late == 1);
  REQUIRE(p->counters().absorbed == 4);
  REQUIRE(p->counters().retired == 4);
  REQUIRE(out.rejected.size() == 1);
  REQUIRE(out.rejected[0].reason == "late");
  REQUIRE(out.rejected[0].stage == "window");
  REQUIRE(out.rejected[0].is_json);
  REQUIRE(out.rejected[0].detail.find("'w'") != std::string::npos);
  REQUIRE(out.rejected[0].detail.find("1970-01-01T00:00:15.000Z") != std::string::npos);
  REQUIRE(out.rejected[0].detail.find("5s") != std::string::npos);
}

TEST_CASE("a window closes only when the slowest shard has passed its end") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), {});
  recorded out;
  feed(*p, {{"A", 1.0, 1, 1 * s, no_watermark, 0}, {"A", 1.0, 1, 25 * s, 20 * s, 0}}, no_watermark, out);
  REQUIRE(out.results.empty());
  feed(*p, {{"A", 1.0, 1, 2 * s, no_watermark, 1}, {"A", 1.0, 1, 12 * s, 10 * s, 1}}, 10 * s, out);
  REQUIRE(out.results.size() == 1);
  REQUIRE(values_of(out.results[0].text) == R"("values":{"n":2}})");
}

TEST_CASE("an event late for one sliding window counts in later ones only, whoever comes after it") {
  // Shard 0 is ahead: its event at 9s is late for [0,10) but not for [5,15). Shard 1 then adds to [0,10).
  auto p = make_processor(plan_of({sliding(10 * s, 5 * s, {{"n", "count()"}}, 0, {})}), {});
  recorded out;
  feed(*p, {{"A", 1.0, 1, 9 * s, 10 * s, 0}}, no_watermark, out);
  feed(*p, {{"A", 1.0, 1, 8 * s, 1 * s, 1}}, no_watermark, out);
  feed(*p, {}, end_watermark, out);
  REQUIRE(out.results.size() == 2);
  REQUIRE(values_of(out.results[0].text) == R"("values":{"n":1}})");
  REQUIRE(values_of(out.results[1].text) == R"("values":{"n":2}})");
}

TEST_CASE("an event counts once in the ledger whatever many windows do with it") {
  auto early = tumbling(10 * s, {{"n", "count()"}});
  early.name = "early";
  early.where = "size > 5";
  auto patient = tumbling(10 * s, {{"n", "count()"}}, 100 * s);
  patient.name = "patient";
  patient.where = "size > 8";
  auto p = make_processor(plan_of({early, patient}), {});
  recorded out;
  feed(*p,
       {{"A", 1.0, 1, 1 * s, 20 * s},
        {"A", 1.0, 7, 1 * s, 20 * s},
        {"A", 1.0, 9, 1 * s, 20 * s},
        {"A", 1.0, std::nullopt, 1 * s, 20 * s}},
       20 * s, out);
  REQUIRE(p->counters().filtered == 1);
  REQUIRE(p->counters().late == 1);
  REQUIRE(p->counters().absorbed == 1);
  REQUIRE(p->counters().rejected == 1);
  REQUIRE(p->counters().retired == 0);
  REQUIRE(out.rejected.size() == 2);
  REQUIRE(out.rejected[0].reason == "late");
  REQUIRE(out.rejected[0].detail.find("patient") == std::string::npos);
  REQUIRE(out.rejected[1].reason == "expression");
  REQUIRE(out.rejected[1].detail.find("patient") != std::string::npos);
  feed(*p, {}, 110 * s, out);
  REQUIRE(p->counters().retired == 1);
}

TEST_CASE("keys beyond the limit are rejected and nothing is evicted") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), limits{2, 1U << 30});
  recorded out;
  feed(*p, {{"A", 1.0, 1, 1 * s, 0}, {"B", 1.0, 1, 1 * s, 0}, {"C", 1.0, 1, 1 * s, 0}, {"A", 1.0, 1, 1 * s, 0}}, 0,
       out);
  REQUIRE(p->state_keys() == 2);
  REQUIRE(p->counters().rejected == 1);
  REQUIRE(out.rejected.at(0).reason == "limit");
  REQUIRE(out.rejected.at(0).body.find("\"C\"") != std::string::npos);
  feed(*p, {{"C", 1.0, 1, 11 * s, 10 * s}}, 10 * s, out);
  REQUIRE(p->counters().rejected == 1);
  REQUIRE(p->state_keys() == 1);
  auto q = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), limits{1000, 200});
  feed(*q, {{"A", 1.0, 1, 1 * s, 0}, {"B", 1.0, 1, 1 * s, 0}, {"C", 1.0, 1, 1 * s, 0}, {"A", 1.0, 1, 1 * s, 0}}, 0,
       out);
  REQUIRE(q->counters().rejected > 0);
  REQUIRE(q->counters().absorbed >= 2);
}

TEST_CASE("an event time that no window can hold is rejected, not wrapped") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), {});
  recorded out;
  feed(*p, {{"A", 1.0, 1, end_watermark - 5, 0}, {"A", 1.0, 1, no_watermark + 5, no_watermark}}, 0, out);
  REQUIRE(p->counters().rejected == 2);
  REQUIRE(out.rejected[0].reason == "limit");
}

TEST_CASE("a batch of another layout is rejected whole") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), {});
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", data_type::int64, false}})};
  b.set_int(0, 1);
  b.finish_row(1, 0, 0, 0);
  const auto batch = b.finish();
  output out;
  p->process(input{"", &batch, 0, 0, 0}, out);
  REQUIRE(p->counters().rejected == 1);
  REQUIRE(out.rejected.at(0).body == R"({"x":1})");
}

TEST_CASE("a null key is a key of its own") {
  const auto out = run({tumbling(10 * s, {{"n", "count()"}})}, {{std::nullopt, 1.0, 1, 1, 0}, {"", 1.0, 1, 1, 0}});
  REQUIRE(out.results.size() == 2);
  REQUIRE(out.results[0].text.find(R"("key":{"symbol":""})") != std::string::npos);
  REQUIRE(out.results[1].text.find(R"("key":{"symbol":null})") != std::string::npos);
}

TEST_CASE("keys of several fields keep their order and types") {
  const auto out = run({tumbling(10 * s, {{"n", "count()"}}, 0, {"size", "big", "symbol", "lot", "price", "at"})},
                       {{"A", 1.5, 7, 1, 0}, {"A", 1.5, 7, 1, 0}, {"A", 2.5, 7, 1, 0}});
  REQUIRE(out.results.size() == 2);
  REQUIRE(out.results[0].text.find(R"("key":{"size":7,"big":true,"symbol":"A","lot":7,"price":1.5,)"
                                   R"("at":"1970-01-01T00:00:00.000000001Z"})") != std::string::npos);
  REQUIRE(values_of(out.results[0].text) == R"("values":{"n":2}})");
}

TEST_CASE("a number that was a key before its windows were gone is a key again after") {
  auto p = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}}, 0, {"size"})}), {});
  recorded out;
  feed(*p, {{"A", 1.0, 1, 1 * s, 0}, {"A", 1.0, 2, 1 * s, 0}}, 20 * s, out);
  feed(*p, {{"A", 1.0, 3, 21 * s, 20 * s}, {"A", 1.0, 1, 21 * s, 20 * s}, {"A", 1.0, 2, 22 * s, 20 * s}}, 30 * s, out);
  std::string keys;
  for (const auto& r : out.results)
    keys += r.text.substr(r.text.find("\"size\":") + 7, 1);
  REQUIRE(keys == "12123");
}

TEST_CASE("whether a time is out of range does not depend on the event before it") {
  // Within one slice at either end of the range.
  for (const auto edge : {end_watermark - 1 - 40 * s, no_watermark + 1 + 40 * s}) {
    const auto start = edge - ((edge % (10 * s)) + 10 * s) % (10 * s);
    const auto plan = plan_of({tumbling(10 * s, {{"n", "count()"}})});
    const std::vector<event> rows{{"A", 1.0, 1, start, no_watermark},
                                  {"A", 1.0, 1, start + 10 * s - 1, no_watermark},
                                  {"A", 1.0, 1, start, no_watermark}};
    auto one = make_processor(plan, {});
    auto each = make_processor(plan, {});
    recorded out;
    feed(*one, rows, no_watermark, out);
    for (const auto& row : rows)
      feed(*each, {row}, no_watermark, out);
    const bool same = one->snapshot() == each->snapshot();
    REQUIRE(same);
    REQUIRE(one->counters().rejected % rows.size() == 0);
  }
}
