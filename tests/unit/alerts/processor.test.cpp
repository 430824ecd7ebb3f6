// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/alerts/support.hpp"

#include <algorithm>
#include <random>

namespace {

using namespace alerts_test;

list all(const std::vector<event_batch>& parts) {
  list out;
  for (const auto& b : parts)
    for (auto& s : briefs(b))
      out.push_back(std::move(s));
  return out;
}

const std::string a = R"({"symbol":"A"})";

} // namespace

TEST_CASE("a rule on a window is evaluated when the window closes, at its end") {
  const auto p = make_processor(good_plan({rule("spike", "ohlc", "change > 0.05")}));
  CHECK(briefs(feed_windows(*p, {{"A", 60, 0.1}, {"B", 60, 0.01}}, 70)) == list{"spike " + a + " firing@60/60"});
  CHECK(briefs(feed_windows(*p, {{"A", 120, 0.1}}, 120)).empty());
  CHECK(briefs(feed_windows(*p, {{"A", 180, 0.01}}, 185)) == list{"spike " + a + " resolved@180/60"});
}

TEST_CASE("late updates and early results never change an alert") {
  const auto p = make_processor(good_plan({rule("spike", "ohlc", "change > 0.05")}));
  CHECK(briefs(feed_windows(*p, {{"A", 60, 0.9, 0, false, 30}}, 40)).empty());
  CHECK(briefs(feed_windows(*p, {{"A", 60, 0.01}}, 60)).empty());
  CHECK(briefs(feed_windows(*p, {{"A", 60, 0.9, 1, true, 60}, {"A", 60, 0.9, 2, true, 80}}, 80)).empty());
  // A window that only a late event brought into being never closed.
  CHECK(briefs(feed_windows(*p, {{"C", 60, 0.9, 0, true, 80}}, 80)).empty());
  CHECK(p->counters().absorbed == 5);
}

TEST_CASE("with `for` a window's alert is pending first and fires once the watermark reaches since plus for") {
  const auto plan = good_plan({rule("spike", "ohlc", "change > 0.05", "change < 0.02", 90 * second)});
  SECTION("by progress alone") {
    const auto p = make_processor(plan);
    CHECK(briefs(feed_windows(*p, {{"A", 60, 0.1}}, 149)) == list{"spike " + a + " pending@60/60"});
    CHECK(briefs(feed_windows(*p, {}, 150)) == list{"spike " + a + " firing@150/60"});
  }
  SECTION("before a later window resolves it") {
    const auto p = make_processor(plan);
    CHECK(all({feed_windows(*p, {{"A", 60, 0.1}, {"A", 120, 0.06}, {"A", 180, 0.03}, {"A", 240, 0.01}}, 240)}) ==
          list{"spike " + a + " pending@60/60", "spike " + a + " firing@150/60", "spike " + a + " resolved@240/60"});
  }
  SECTION("unless a window is false before") {
    const auto p = make_processor(plan);
    CHECK(all({feed_windows(*p, {{"A", 60, 0.1}, {"A", 120, 0.04}}, 240)}) ==
          list{"spike " + a + " pending@60/60", "spike " + a + " resolved@120/60"});
  }
}

TEST_CASE("a null condition leaves the alert as it was and is counted") {
  const auto p = make_processor(good_plan({rule("spike", "ohlc", "change > 0.05")}));
  feed_windows(*p, {{"A", 60, {}}, {"B", 60, 0.1}}, 60);
  CHECK(briefs(feed_windows(*p, {{"A", 120, {}}, {"B", 120, {}}}, 120)).empty());
  CHECK(p->rule(0) == rule_counters{0, 1, 0, 3});
  CHECK(p->state_keys() == 1);
}

TEST_CASE("a rule on events is evaluated per event at its event time") {
  const auto p = make_processor(good_plan({rule("big", "events", "price > 100.0")}));
  CHECK(briefs(feed_events(*p, {{"A", 10, 150.0, 5}, {"B", 11, 1.0, 6}, {"A", 12, 1.0, 7}}, 8)) ==
        list{"big " + a + " firing@10/10!5", "big " + a + " resolved@12/10!7"});
  CHECK(p->counters().absorbed == 3);
}

TEST_CASE("with `for` on events an alert that was due before an event fires before it") {
  const auto p = make_processor(good_plan({rule("big", "events", "price > 100.0", "", 10 * second)}));
  CHECK(briefs(feed_events(*p, {{"A", 10, 150.0, 5}, {"A", 30, 1.0, 25}}, 26, 30)) ==
        list{"big " + a + " pending@10/10!5", "big " + a + " firing@20/10", "big " + a + " resolved@30/10!25"});
}

TEST_CASE("at the end of input holds advance to the largest event time and no further") {
  const auto plan = good_plan({rule("big", "events", "price > 100.0", "", 10 * second)});
  const auto none = event_batch::make(trades());
  for (const int high : {19, 20}) {
    const auto p = make_processor(plan);
    feed_events(*p, {{"A", 10, 150.0, 5}}, 9, 10);
    feed_events(*p, {{"B", high, 1.0, 5}}, 9, high);
    const auto last = briefs(feed(*p, "", none, end_watermark, high * second));
    CHECK(last == (high == 20 ? list{"big " + a + " firing@20/10"} : list{}));
  }
}

TEST_CASE("windows that only the end of input closes fire what is due by the largest event time") {
  const auto plan = good_plan({rule("spike", "ohlc", "change > 0.05", "", 45 * second)});
  const auto rows = results({{"A", 60, 0.1}, {"A", 120, 0.01}});
  auto p = make_processor(plan);
  CHECK(briefs(feed(*p, "ohlc", rows, end_watermark, 90 * second)) ==
        list{"spike " + a + " pending@60/60", "spike " + a + " resolved@120/60"});
  p = make_processor(plan);
  CHECK(briefs(feed(*p, "ohlc", rows, end_watermark, 110 * second)) ==
        list{"spike " + a + " pending@60/60", "spike " + a + " firing@105/60", "spike " + a + " resolved@120/60"});
}

TEST_CASE("a section given with the watermark before the step waits for the step's progress") {
  const auto p = make_processor(good_plan({rule("spike", "ohlc", "change > 0.05", "", 45 * second)}));
  const auto first = feed(*p, "ohlc", results({{"A", 60, 0.1}, {"A", 120, 0.01}}), 50 * second, 125 * second);
  const auto other = feed(*p, "other", results({{"A", 120, 0.9}}), 120 * second, 125 * second);
  CHECK(all({first, other}) ==
        list{"spike " + a + " pending@60/60", "spike " + a + " firing@105/60", "spike " + a + " resolved@120/60"});
}

TEST_CASE("transitions come in the order of when they are due, then rule, then key") {
  const auto p = make_processor(good_plan({rule("z", "ohlc", "change > 0.05"), rule("b", "ohlc", "change > 0.05"),
                                           rule("b2", "ohlc", "change > 0.05", "", 30 * second)}));
  CHECK(briefs(feed_windows(*p, {{"B", 60, 0.1}, {"A", 60, 0.1}, {"A", 120, 0.1}}, 120)).size() == 8);
  const auto q = make_processor(good_plan({rule("z", "ohlc", "change > 0.05"), rule("b", "ohlc", "change > 0.05")}));
  const std::string b = R"({"symbol":"B"})";
  CHECK(briefs(feed_windows(*q, {{"B", 60, 0.1}, {"A", 60, 0.1}}, 60)) ==
        list{"b " + a + " firing@60/60", "b " + b + " firing@60/60", "z " + a + " firing@60/60",
             "z " + b + " firing@60/60"});
}

TEST_CASE("rows of sections no rule stands on are filtered") {
  const auto p = make_processor(good_plan({rule("spike", "ohlc", "change > 0.05")}));
  feed_events(*p, {{"A", 10, 150.0, 5}}, 9);
  feed_windows(*p, {{"A", 60, 0.1}}, 60);
  CHECK(p->counters().in == 2);
  CHECK(p->counters().filtered == 1);
  CHECK(p->counters().absorbed == 1);
}

namespace {

list records(const event_batch& b) {
  list out;
  for (std::size_t i = 0; i < b.rows; ++i) {
    out.emplace_back();
    codec::append_alert_record(out.back(), b, i);
    const auto id = out.back().find("\"id\":\"");
    REQUIRE(id != std::string::npos);
    out.back().replace(id + 6, 32, "ID");
  }
  return out;
}

} // namespace

TEST_CASE("an alert on a window shows severity, labels, summary and all values of the window") {
  auto r = rule("spike", "ohlc", "change > 0.05", "", 30 * second);
  r.severity = "critical";
  r.labels = {{"team", "markets"}, {"a", "\"b\""}};
  r.summary = "{{symbol}} moved {{change}} by {{end}}, {{trades / 0}} {{[1,'x']}}!";
  const auto p = make_processor(good_plan({r}));
  const auto got = records(feed_windows(*p, {{"A", 60, 0.1}}, 90));
  const std::string rest =
    R"("severity":"critical","labels":{"team":"markets","a":"\"b\""},"summary":"A moved 0.1 by 1970-01-01T00:01:00.000Z,  [1,\"x\"]!","values":{"change":0.1,"trades":3}})";
  const std::string since = R"("since":"1970-01-01T00:01:00.000Z",)";
  REQUIRE(got.size() == 2);
  CHECK(got[0] == R"({"kind":"alert","rule":"spike","id":"ID","key":{"symbol":"A"},"state":"pending",)"
                  R"("at":"1970-01-01T00:01:00.000Z",)" +
                    since + rest);
  CHECK(got[1] == R"({"kind":"alert","rule":"spike","id":"ID","key":{"symbol":"A"},"state":"firing",)"
                  R"("at":"1970-01-01T00:01:30.000Z",)" +
                    since + rest);
}

TEST_CASE("an alert on events shows the fields that `when` uses") {
  auto r = rule("big", "events", "size > 0 && price > 100.0");
  r.summary = "{{venue}}";
  const auto p = make_processor(good_plan({r}));
  const auto got = records(feed_events(*p, {{"A", 10, 150.0, 5}}, 9));
  REQUIRE(got.size() == 1);
  CHECK(got[0].find(R"("severity":null,"labels":{},"summary":"null","values":{"price":150.0,"size":1}})") !=
        std::string::npos);
}

TEST_CASE("a firing alert shows its latest true evaluation before the deadline") {
  auto r = rule("spike", "ohlc", "change > 0.05", "", 90 * second);
  r.summary = "{{change}}";
  const auto p = make_processor(good_plan({r}));
  const auto b = feed_windows(*p, {{"A", 60, 0.1}, {"A", 120, 0.2}, {"A", 180, 0.3}, {"A", 240, 0.01}}, 240);
  list shown;
  for (std::size_t i = 0; i < b.rows; ++i)
    shown.emplace_back(b.columns[8].text(i));
  CHECK(shown == list{"0.1", "0.2", "0.01"});
}

TEST_CASE("one episode has one id, another has another") {
  const auto run = [](const std::string& name) {
    const auto p = make_processor(good_plan({rule(name, "ohlc", "change > 0.05", "", second)}));
    const auto b = feed_windows(*p, {{"A", 60, 0.1}, {"A", 120, 0.0}, {"A", 180, 0.1}, {"B", 180, 0.1}}, 180);
    list ids;
    for (std::size_t i = 0; i < b.rows; ++i)
      ids.emplace_back(b.columns[1].text(i));
    return ids;
  };
  const auto ids = run("x");
  REQUIRE(ids.size() == 5);
  CHECK(ids[0].size() == 32);
  CHECK(ids[0] == ids[1]);
  CHECK(ids[0] == ids[2]);
  CHECK(ids[0] != ids[3]);
  CHECK(ids[3] != ids[4]);
  CHECK(run("x") == ids);
  CHECK(run("y")[0] != ids[0]);
}

TEST_CASE("foreign state is refused") {
  const auto p = make_processor(good_plan({rule("big", "events", "price > 100.0")}));
  feed_events(*p, {{"A", 10, 150.0, 5}}, 9);
  const auto bytes = p->snapshot();
  for (const auto& bad : {std::string{}, std::string{"\x09"}, bytes + "x", bytes.substr(0, bytes.size() - 1)}) {
    const auto r = p->restore(bad);
    REQUIRE(!r);
    CHECK(r.error().code == ec::corrupt);
  }
  const auto two = make_processor(good_plan({rule("x", "events", "size > 0"), rule("y", "events", "size > 0")}));
  CHECK(!two->restore(bytes));
}

namespace {

std::string whole(const event_batch& b, std::size_t row) {
  std::string out = std::to_string(b.watermark[row]) + " ";
  codec::append_alert_record(out, b, row);
  return out;
}

struct history {
  std::vector<event_row> rows;
  /// The watermark after each row, seconds.
  std::vector<int> after;
  int high = 0;
};

history draw_history(std::mt19937_64& random) {
  history h;
  const auto delay = static_cast<int>(random() % 8);
  int watermark = -100;
  for (auto n = 1 + random() % 60; n > 0; --n) {
    const auto t = std::max(0, h.high - 6 + static_cast<int>(random() % 12));
    const auto price = random() % 8 == 0 ? std::optional<double>{} : std::optional{static_cast<double>(random() % 200)};
    h.rows.push_back({std::string(1, "ABC"[random() % 3]), t, price, watermark});
    h.high = std::max(h.high, t);
    watermark = std::max(watermark, h.high - delay);
    h.after.push_back(watermark);
  }
  return h;
}

/// Sorted: rows due at one watermark may stand in another order when a cut separates them.
list outcome_of(const plan_ptr& plan, const history& h, std::mt19937_64* cuts, std::string& state) {
  auto p = make_processor(plan);
  list out;
  const auto take_rows = [&](const event_batch& b) {
    for (std::size_t i = 0; i < b.rows; ++i)
      out.push_back(whole(b, i));
  };
  const auto all_rows = events(h.rows);
  int high = 0;
  for (std::size_t first = 0; first < h.rows.size();) {
    auto last = h.rows.size();
    if (cuts != nullptr)
      last = std::min(last, first + 1 + (*cuts)() % 7);
    for (auto i = first; i < last; ++i)
      high = std::max(high, h.rows[i].time);
    take_rows(feed(*p, "", slice(all_rows, first, last), h.after[last - 1] * second, high * second));
    if (cuts != nullptr && (*cuts)() % 2 == 0) {
      const auto bytes = p->snapshot();
      p = make_processor(plan);
      REQUIRE(p->restore(bytes));
      REQUIRE(p->snapshot() == bytes);
    }
    first = last;
  }
  take_rows(feed(*p, "", event_batch::make(trades()), end_watermark, h.high * second));
  state = p->snapshot();
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace

TEST_CASE("however events are cut, and wherever a snapshot is restored, the transitions and the state are the same") {
  auto shown = rule("shown", "events", "price > 100.0", "price < 50.0", 5 * second);
  shown.summary = "{{symbol}} {{price}}";
  const auto plan =
    good_plan({rule("now", "events", "price > 100.0"), shown, rule("long", "events", "price > 20.0", "", 9 * second)});
  std::mt19937_64 random{17};
  for (int round = 0; round < 150; ++round) {
    const auto h = draw_history(random);
    std::string state;
    const auto want = outcome_of(plan, h, nullptr, state);
    std::string cut_state;
    const auto got = outcome_of(plan, h, &random, cut_state);
    INFO("round " << round);
    REQUIRE(got == want);
    REQUIRE(cut_state == state);
  }
}
