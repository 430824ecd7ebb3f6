// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/windows/kinds.hpp"

#include <cmath>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

window_options counted(std::int64_t size, std::int64_t every) {
  window_options w;
  w.name = "w";
  w.key = {"symbol"};
  w.kind = window_kind::count;
  w.aggregates = kind_aggregates;
  w.count = size;
  w.count_every = every;
  return w;
}

std::vector<recorded::record> simulate(const window_options& w, const std::vector<piece>& pieces) {
  struct key {
    std::vector<event> events;
    std::int64_t covered = 0;
    std::int64_t seq = 0;
  };
  std::map<std::string, key> keys;
  std::vector<recorded::record> out;
  const auto emit = [&](const std::string& name, key& k, std::int64_t from, nanoseconds_t due) {
    const std::vector<event> some(k.events.begin() + from, k.events.end());
    const auto [low, high] =
      std::minmax_element(some.begin(), some.end(), [](auto& a, auto& b) { return a.time < b.time; });
    out.push_back({due, text_of({name, low->time, high->time, k.seq++, 0, true, false, values_over(some)})});
    k.covered = static_cast<std::int64_t>(k.events.size());
  };
  nanoseconds_t partition = no_watermark;
  for (const auto& p : pieces) {
    for (const auto& e : p.rows) {
      auto& k = keys[*e.symbol];
      k.events.push_back(e);
      const auto n = static_cast<std::int64_t>(k.events.size());
      if (n >= w.count && (n - w.count) % w.count_every == 0)
        emit(*e.symbol, k, n - w.count, std::max(e.watermark, partition));
    }
    partition = std::max(partition, p.watermark);
  }
  for (auto& [name, k] : keys)
    if (k.covered < static_cast<std::int64_t>(k.events.size()))
      emit(name, k, k.covered, end_watermark);
  return out;
}

const std::vector<std::pair<std::int64_t, std::int64_t>> shapes{{1, 1}, {7, 7},  {1000, 1000}, {5, 1},
                                                                {6, 4}, {10, 5}, {9, 6},       {40, 3}};

event nth(int i, nanoseconds_t watermark = 0) { return {"A", 1.0, i, i * s, watermark}; }

} // namespace

TEST_CASE("every result of a count window is that of the model, whatever the batch size") {
  std::mt19937_64 random{11};
  for (const auto& [size, every] : shapes) {
    const auto w = counted(size, every);
    const auto plan = plan_of({w});
    for (const std::uint32_t shards : {1U, 3U}) {
      const auto stream = random_stream({shards, 300, 10 * s, 4 * s, 2 * s, false}, random);
      const auto want = simulate(w, stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7)}) {
        ledger counters;
        require_same_records(run_pieces(plan, pieces, counters).results, want);
        REQUIRE(counters.late == 0);
        REQUIRE(counters.absorbed == counters.in);
      }
      ledger counters;
      if (shards == 1)
        require_same_records(run_pieces(plan, join(stream), counters).results, want);
    }
  }
}

TEST_CASE("rounding in count windows depends neither on batches nor on snapshots") {
  std::mt19937_64 random{12};
  for (const auto& [size, every] : shapes) {
    auto w = counted(size, every);
    w.aggregates = {{"sum", "sum(price)"}, {"mean", "avg(price)"}, {"v", "variance(price)"}};
    const auto plan = plan_of({w});
    const auto stream = random_stream({1, 400, 10 * s, 4 * s, 2 * s, true}, random);
    ledger counters;
    const auto want = run_pieces(plan, stream, counters).results;
    require_same_records(run_pieces(plan, cut(stream, 1), counters, 30).results, want);
    require_same_records(run_pieces(plan, cut(stream, 3), counters, 50).results, want);
    require_same_records(run_pieces(plan, join(stream), counters).results, want);
  }
}

TEST_CASE("damaged snapshots of count windows never crash") {
  std::mt19937_64 random{13};
  for (const auto& [size, every] : shapes)
    require_sturdy_snapshots(plan_of({counted(size, every)}),
                             random_stream({1, 120, 12 * s, 4 * s, 2 * s, false}, random));
}

TEST_CASE("a count window of 5 by 1 gives its first result with the fifth event, then one with every event") {
  auto w = counted(5, 1);
  w.aggregates = {{"sum", "sum(size)"}};
  auto p = make_processor(plan_of({w}), {});
  recorded out;
  feed(*p, {nth(1), nth(2), nth(3), nth(4)}, 0, out);
  REQUIRE(out.results.empty());
  feed(*p, {nth(5, 3 * s), nth(6, 4 * s)}, 4 * s, out);
  REQUIRE(out.lines() ==
          std::vector<std::string>{
            R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:01.000Z",)"
            R"("end":"1970-01-01T00:00:05.000Z","seq":0,"version":0,"final":true,"values":{"sum":15}})",
            R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:02.000Z",)"
            R"("end":"1970-01-01T00:00:06.000Z","seq":1,"version":0,"final":true,"values":{"sum":20}})"});
  REQUIRE(out.results[0].due == 3 * s);
  // Four events are still needed for the next result.
  REQUIRE(p->counters().retired == 2);
  feed(*p, {}, end_watermark, out);
  REQUIRE(out.results.size() == 2);
  REQUIRE(p->counters().retired == 6);
}

TEST_CASE("what is in no result at the end of input is emitted once") {
  auto w = counted(4, 2);
  w.aggregates = {{"sum", "sum(size)"}};
  const auto few = run({w}, {nth(1), nth(2), nth(3)});
  REQUIRE(few.results.size() == 1);
  REQUIRE(values_of(few.results[0].text) == R"("values":{"sum":6}})");
  const auto odd = run({w}, {nth(1), nth(2), nth(3), nth(4), nth(5)});
  REQUIRE(odd.results.size() == 2);
  REQUIRE(odd.results[1].text.find(R"("seq":1,)") != std::string::npos);
  REQUIRE(values_of(odd.results[1].text) == R"("values":{"sum":5}})");
  REQUIRE(run({w}, {nth(1), nth(2), nth(3), nth(4), nth(5), nth(6)}).results.size() == 2);
}

TEST_CASE("after the end of input a count window takes no more events") {
  auto p = make_processor(plan_of({counted(2, 2)}), {});
  recorded out;
  feed(*p, {nth(1)}, end_watermark, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {nth(2), nth(3)}, end_watermark, out);
  REQUIRE(out.results.size() == 1);
  REQUIRE(p->counters().late == 2);
}

TEST_CASE("the memory of a sliding count window is bounded by its size in accumulators") {
  auto w = counted(1000, 100);
  w.aggregates = {{"sum", "sum(price)"}};
  auto p = make_processor(plan_of({w}), {});
  recorded out;
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<event> rows;
    for (int k = 0; k < 100; ++k)
      rows.push_back(nth(100 * i + k));
    feed(*p, rows, 0, out);
    most = std::max(most, p->state_bytes());
  }
  REQUIRE(out.results.size() == 91);
  // Ten panes and two sums of some 24 bytes, and the key.
  REQUIRE(most < 1500);
}

TEST_CASE("count windows beyond the limit of keys are rejected, known keys go on") {
  auto p = make_processor(plan_of({counted(2, 1)}), limits{1, 1 << 20});
  recorded out;
  feed(*p, {nth(1), {"B", 1.0, 1, 0, 0}, nth(2)}, 1 * s, out);
  REQUIRE(p->counters().absorbed == 2);
  REQUIRE(p->counters().rejected == 1);
  REQUIRE(out.results.size() == 1);
}
