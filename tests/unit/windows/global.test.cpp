// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/windows/kinds.hpp"

#include <set>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

window_options global(nanoseconds_t every) {
  window_options w;
  w.name = "w";
  w.key = {"symbol"};
  w.kind = window_kind::global;
  w.every = every;
  w.aggregates = kind_aggregates;
  return w;
}

window_options counting(nanoseconds_t every) {
  auto w = global(every);
  w.aggregates = {{"n", "count()"}};
  return w;
}

/// Looks at every tick, one after the other.
class global_model {
public:
  explicit global_model(const window_options& w) : every_{w.every} {}

  void run(const std::vector<piece>& pieces) {
    for (const auto& p : pieces) {
      for (const auto& e : p.rows) {
        advance(std::min(e.watermark, p.watermark));
        auto& k = keys_[*e.symbol];
        k.events.push_back(e);
        if (partition_ != no_watermark && e.time < floor(partition_))
          k.changed = true;
        newest_ = std::max(newest_, e.time);
      }
      advance(p.watermark);
    }
    advance(newest_ + 100 * every_);
    for (auto& [name, k] : keys_) {
      nanoseconds_t last = no_watermark;
      for (const auto& e : k.events)
        last = std::max(last, e.time);
      results.push_back(
        {end_watermark, text_of({name, 0, floor(last) + every_, -1, k.emitted, true, false, values_over(k.events)})});
    }
  }

  std::vector<recorded::record> results;

private:
  struct key {
    std::vector<event> events;
    bool changed = false;
    std::int64_t emitted = 0;
  };

  nanoseconds_t floor(nanoseconds_t t) const { return (t + 10000 * every_) / every_ * every_ - 10000 * every_; }

  void advance(nanoseconds_t to) {
    if (to <= partition_)
      return;
    // Before the first known watermark, ticks start with the first event that is anywhere.
    auto tick = partition_ == no_watermark ? -1000 * every_ : floor(partition_) + every_;
    for (; tick <= to; tick += every_) {
      for (auto& [name, k] : keys_) {
        std::vector<event> in;
        for (const auto& e : k.events) {
          if (e.time >= tick)
            continue;
          in.push_back(e);
          k.changed = k.changed || e.time >= tick - every_;
        }
        if (k.changed && !in.empty()) {
          results.push_back({tick, text_of({name, 0, tick, -1, k.emitted++, false, false, values_over(in)})});
          k.changed = false;
        }
      }
    }
    partition_ = to;
  }

  const nanoseconds_t every_;
  std::map<std::string, key> keys_;
  nanoseconds_t partition_ = no_watermark;
  nanoseconds_t newest_ = no_watermark;
};

event at(nanoseconds_t time, nanoseconds_t watermark = no_watermark) { return {"A", 1.0, 1, time, watermark}; }

} // namespace

TEST_CASE("every emission of a global window is that of the model, whatever the batch size") {
  std::mt19937_64 random{21};
  for (const nanoseconds_t every : {1 * s, 5 * s, 30 * s}) {
    const auto w = global(every);
    const auto plan = plan_of({w});
    for (const std::uint32_t shards : {1U, 1U, 3U}) {
      const auto stream = random_stream({shards, 300, 15 * s, 4 * s, 2 * s, false}, random);
      global_model want{w};
      want.run(stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7)}) {
        ledger counters;
        require_same_records(run_pieces(plan, pieces, counters).results, want.results);
        REQUIRE(counters.absorbed == counters.in);
      }
      ledger counters;
      if (shards == 1)
        require_same_records(run_pieces(plan, join(stream), counters).results, want.results);
    }
  }
}

TEST_CASE("global windows restored at any point go on exactly as undisturbed ones") {
  std::mt19937_64 random{22};
  for (const nanoseconds_t every : {1 * s, 7 * s}) {
    auto w = global(every);
    w.aggregates = {{"sum", "sum(price)"}, {"mean", "avg(price)"}, {"last", "last(raw)"}};
    const auto plan = plan_of({w});
    const auto stream = random_stream({1, 400, 15 * s, 4 * s, 2 * s, true}, random);
    ledger counters;
    const auto want = run_pieces(plan, stream, counters).results;
    REQUIRE((run_pieces(plan, stream, counters, 50).results == want));
    require_same_records(run_pieces(plan, cut(stream, 1), counters, 20).results, want);
    require_same_records(run_pieces(plan, cut(stream, 5), counters, 50).results, want);
  }
}

TEST_CASE("damaged snapshots of global windows never crash") {
  std::mt19937_64 random{23};
  require_sturdy_snapshots(plan_of({global(2 * s)}), random_stream({1, 120, 15 * s, 9 * s, 2 * s, false}, random));
}

TEST_CASE("a global window is emitted at every tick that changed it, and finally at the end of input") {
  auto p = make_processor(plan_of({counting(10 * s)}), {});
  recorded out;
  feed(*p, {at(3 * s, 0), at(12 * s, 0)}, 9 * s, out);
  REQUIRE(out.results.empty());
  feed(*p, {}, 10 * s, out);
  REQUIRE(out.lines().at(0) ==
          R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:00.000Z",)"
          R"("end":"1970-01-01T00:00:10.000Z","version":0,"final":false,"values":{"n":1}})");
  // An event older than the last tick shows at the next one.
  feed(*p, {at(4 * s, 10 * s)}, 19 * s, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {}, 45 * s, out);
  REQUIRE(out.results.size() == 2);
  REQUIRE(out.results[1].due == 20 * s);
  REQUIRE(values_of(out.results[1].text) == R"("values":{"n":3}})");
  REQUIRE(p->counters().retired == 0);
  feed(*p, {}, end_watermark, out);
  REQUIRE(out.lines().at(2) ==
          R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:00.000Z",)"
          R"("end":"1970-01-01T00:00:20.000Z","version":2,"final":true,"values":{"n":3}})");
  REQUIRE(p->counters().retired == 3);
  REQUIRE(p->state_keys() == 0);
  feed(*p, {at(50 * s)}, end_watermark, out);
  REQUIRE(p->counters().late == 1);
}

TEST_CASE("a watermark that jumps years over empty ticks costs nothing") {
  constexpr nanoseconds_t year = nanoseconds_t{365} * 24 * 3600 * s;
  auto p = make_processor(plan_of({counting(1'000)}), {});
  recorded out;
  feed(*p, {at(0, 0), at(80 * year, 0)}, 79 * year, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {at(1, 79 * year)}, 200 * year, out);
  REQUIRE(out.results.size() == 3);
  REQUIRE(out.results[1].due == 79 * year + 1'000);
  REQUIRE(out.results[2].due == 80 * year + 1'000);
}

TEST_CASE("global windows beyond the limit of keys and times out of range are rejected") {
  auto p = make_processor(plan_of({counting(10 * s)}), limits{1, 1 << 20});
  recorded out;
  feed(*p, {at(0), {"B", 1.0, 1, 0, no_watermark}, at(5 * s), at(end_watermark - s), at(no_watermark + 1)}, 1 * s, out);
  REQUIRE(p->counters().absorbed == 2);
  REQUIRE(out.rejected.size() == 3);
}
