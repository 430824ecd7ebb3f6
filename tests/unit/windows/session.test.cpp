// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/windows/kinds.hpp"

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

window_options session(nanoseconds_t gap, nanoseconds_t lateness = 0, nanoseconds_t max = 0, nanoseconds_t early = 0) {
  window_options w;
  w.name = "w";
  w.key = {"symbol"};
  w.kind = window_kind::session;
  w.lateness = lateness;
  w.aggregates = kind_aggregates;
  w.gap = gap;
  w.max = max;
  w.early = early;
  return w;
}

struct model_session {
  std::vector<event> events;
  std::int64_t emitted = 0;
  bool closed = false;
  bool changed = true;

  nanoseconds_t first() const {
    return std::min_element(events.begin(), events.end(), [](auto& a, auto& b) { return a.time < b.time; })->time;
  }
  nanoseconds_t last() const {
    return std::max_element(events.begin(), events.end(), [](auto& a, auto& b) { return a.time < b.time; })->time;
  }
};

/// What the definition says, event by event, with the exact partition watermark.
class session_model {
public:
  explicit session_model(const window_options& w) : w_{w} {}

  void run(const std::vector<piece>& pieces) {
    for (const auto& p : pieces) {
      for (const auto& e : p.rows) {
        advance(std::min(e.watermark, p.watermark));
        take(e);
      }
      advance(p.watermark);
    }
    advance(end_watermark);
  }

  std::vector<recorded::record> results;
  std::uint64_t late = 0;

private:
  nanoseconds_t end(const model_session& x) const { return x.last() + w_.gap; }

  void emit(const std::string& key, model_session& x, nanoseconds_t due, bool final) {
    const window_record r{key, x.first(), end(x), -1, x.emitted++, final, false, values_over(x.events)};
    results.push_back({due, text_of(r)});
    x.changed = false;
  }

  void retract(const std::string& key, const model_session& x, nanoseconds_t due) {
    if (x.emitted > 0)
      results.push_back({due, text_of({key, x.first(), end(x), -1, x.emitted, x.closed, true})});
  }

  void close(nanoseconds_t to) {
    for (auto& [key, list] : state_) {
      for (auto& x : list) {
        if (x.closed || end(x) > to)
          continue;
        x.closed = true;
        emit(key, x, end(x), true);
      }
      std::erase_if(list, [&](auto& x) { return end(x) + w_.lateness <= to; });
    }
  }

  nanoseconds_t tick_of(const model_session& x) const {
    auto tick = -1000 * w_.early;
    while (tick <= std::max(partition_, x.first()))
      tick += w_.early;
    return tick;
  }

  void advance(nanoseconds_t to) {
    while (w_.early > 0) {
      auto tick = end_watermark;
      for (const auto& [key, list] : state_)
        for (const auto& x : list)
          if (x.changed && !x.closed)
            tick = std::min(tick, tick_of(x));
      if (tick > to || tick == end_watermark)
        break;
      close(tick);
      for (auto& [key, list] : state_)
        for (auto& x : list)
          if (x.changed && !x.closed && x.first() < tick)
            emit(key, x, tick, false);
      partition_ = tick;
    }
    close(to);
    partition_ = std::max(partition_, to);
  }

  bool fits(nanoseconds_t first, nanoseconds_t last) const { return w_.max == 0 || last - first <= w_.max; }

  void take(const event& e) {
    auto& list = state_[*e.symbol];
    model_session* left = nullptr;
    model_session* right = nullptr;
    for (auto& x : list) {
      if (e.watermark >= end(x) + w_.lateness)
        continue;
      if (x.first() <= e.time && (!left || x.first() >= left->first()))
        left = &x;
      if (x.first() > e.time && (!right || x.first() < right->first()))
        right = &x;
    }
    if (left && (e.time >= end(*left) || !fits(left->first(), std::max(left->last(), e.time))))
      left = nullptr;
    if (right && (right->first() - e.time >= w_.gap || !fits(e.time, right->last())))
      right = nullptr;
    if (left && right && !fits(left->first(), std::max(left->last(), right->last())))
      right = nullptr;
    if (!left && !right && e.watermark != no_watermark && e.watermark >= e.time + w_.gap + w_.lateness) {
      ++late;
      return;
    }
    model_session all;
    if (right)
      retract(*e.symbol, *right, e.watermark);
    if (left)
      all = *left;
    if (right)
      all.events.insert(all.events.end(), right->events.begin(), right->events.end());
    all.events.push_back(e);
    all.closed = end(all) <= partition_;
    all.changed = true;
    if (right)
      list.erase(list.begin() + (right - list.data()));
    if (left && right && left > right)
      --left;
    auto& x = left ? *left : list.emplace_back();
    x = all;
    if (x.closed)
      emit(*e.symbol, x, e.watermark, true);
  }

  const window_options w_;
  std::map<std::string, std::vector<model_session>> state_;
  nanoseconds_t partition_ = no_watermark;
};

std::vector<window_options> shapes() {
  std::vector<window_options> all;
  for (const nanoseconds_t lateness : {0 * s, 7 * s, 60 * s})
    for (const nanoseconds_t max : {0 * s, 12 * s})
      for (const nanoseconds_t early : {0 * s, 3 * s}) {
        all.push_back(session(4 * s, lateness, max, early));
        all.push_back(session(9 * s, lateness, max, early));
      }
  return all;
}

recorded run_events(const window_options& w, const std::vector<event>& events,
                    nanoseconds_t watermark = end_watermark) {
  return run({w}, events, watermark);
}

event at(nanoseconds_t time, nanoseconds_t watermark = no_watermark) { return {"A", 1.0, 1, time, watermark}; }

window_options counting(window_options w) {
  w.aggregates = {{"n", "count()"}};
  return w;
}

} // namespace

TEST_CASE("one shard: every session emission is that of the model, whatever the batch size") {
  std::mt19937_64 random{20261121};
  std::size_t retracted = 0;
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    for (int round = 0; round < 3; ++round) {
      const auto stream = random_stream({1, 250, (2 + 8 * round) * s, 4 * s, 2 * s, false}, random);
      session_model want{w};
      want.run(stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7), join(stream)}) {
        ledger counters;
        const auto got = run_pieces(plan, pieces, counters);
        INFO(pieces.size() << " batches, lateness " << w.lateness << ", max " << w.max << ", gap " << w.gap);
        require_same_records(got.results, want.results);
        REQUIRE(counters.late == want.late);
      }
      for (const auto& r : want.results)
        retracted += r.text.find("retracted") != std::string::npos ? 1 : 0;
    }
  }
  REQUIRE(retracted > 50);
}

TEST_CASE("several shards: every session emission is that of the model, whatever the batch size") {
  std::mt19937_64 random{7};
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    for (int round = 0; round < 3; ++round) {
      const auto stream =
        random_stream({static_cast<std::uint32_t>(2 + round), 300, 8 * s, 4 * s, 2 * s, false}, random);
      session_model want{w};
      want.run(stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7)}) {
        ledger counters;
        const auto got = run_pieces(plan, pieces, counters);
        require_same_records(got.results, want.results);
        REQUIRE(counters.late == want.late);
      }
    }
  }
}

TEST_CASE("sessions restored at any point go on exactly as undisturbed ones") {
  std::mt19937_64 random{5};
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    const auto stream = random_stream({2, 300, 12 * s, 4 * s, 2 * s, true}, random);
    ledger calm;
    ledger moved;
    const auto want = run_pieces(plan, stream, calm);
    REQUIRE((run_pieces(plan, stream, moved, 40).results == want.results));
    REQUIRE(calm == moved);
    REQUIRE((run_pieces(plan, cut(stream, 2), moved, 20).results.size() == want.results.size()));
    require_same_records(run_pieces(plan, cut(stream, 3), moved, 20).results, want.results);
  }
}

TEST_CASE("damaged snapshots of sessions never crash") {
  std::mt19937_64 random{9};
  for (const auto& w : {session(4 * s, 60 * s, 12 * s, 3 * s), session(4 * s, 60 * s)})
    require_sturdy_snapshots(plan_of({w}), random_stream({1, 300, 12 * s, 4 * s, 2 * s, false}, random));
}

TEST_CASE("a gap of exactly the silence starts a new session") {
  const auto joined = run_events(counting(session(10 * s)), {at(0), at(10 * s - 1)});
  REQUIRE(joined.results.size() == 1);
  REQUIRE(values_of(joined.results[0].text) == R"("values":{"n":2}})");
  REQUIRE(joined.results[0].due == 20 * s - 1);
  REQUIRE(run_events(counting(session(10 * s)), {at(0), at(10 * s)}).results.size() == 2);
}

TEST_CASE("an event between two sessions merges them, and what was published of the later one is retracted") {
  const auto w = session(10 * s, 100 * s);
  const auto out = run_events(w, {at(0), at(15 * s), at(9 * s, 30 * s)}, 30 * s);
  REQUIRE(out.results.size() == 4);
  REQUIRE(out.results[0].due == 10 * s);
  REQUIRE(out.results[1].due == 25 * s);
  REQUIRE(out.results[2].text.find(R"("start":"1970-01-01T00:00:00.000Z","end":"1970-01-01T00:00:25.000Z","version":1,)"
                                   R"("final":true,"values":{"n":3,)") != std::string::npos);
  REQUIRE(out.results[3].text ==
          R"({"kind":"window","window":"w","key":{"symbol":"A"},"start":"1970-01-01T00:00:15.000Z",)"
          R"("end":"1970-01-01T00:00:25.000Z","version":1,"final":true,"retracted":true,"values":{}})");
  REQUIRE(out.results[3].due == 30 * s);
}

TEST_CASE("an event before a published session moves its start under a new identity") {
  const auto out = run_events(counting(session(10 * s, 100 * s)), {at(20 * s), at(15 * s, 30 * s)}, 30 * s);
  REQUIRE(out.results.size() == 3);
  REQUIRE(out.results[0].text.find(
            R"("start":"1970-01-01T00:00:15.000Z","end":"1970-01-01T00:00:30.000Z","version":0)") != std::string::npos);
  REQUIRE(out.results[2].text.find(R"("version":1,"final":true,"retracted":true,"values":{}})") != std::string::npos);
}

TEST_CASE("a late event that opens a session again is emitted when it closes again") {
  auto p = make_processor(plan_of({counting(session(10 * s, 20 * s))}), {});
  recorded out;
  feed(*p, {at(0)}, 12 * s, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {at(5 * s, 12 * s)}, 14 * s, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {}, 15 * s, out);
  REQUIRE(out.results.size() == 2);
  REQUIRE(out.results[1].text.find(R"("version":1,"final":true,"values":{"n":2}})") != std::string::npos);
  // At 35 s the session is gone; a second before it is not.
  feed(*p, {at(1 * s, 34 * s), at(1 * s, 35 * s)}, 35 * s, out);
  REQUIRE(out.results.size() == 3);
  REQUIRE(out.results[2].due == 34 * s);
  REQUIRE(p->counters().late == 1);
  REQUIRE(out.rejected.at(0).detail.find("its last window ends at 1970-01-01T00:00:11.000Z") != std::string::npos);
  REQUIRE(p->counters().retired == 3);
  REQUIRE(p->state_keys() == 0);
}

TEST_CASE("a session never gets longer than max") {
  const auto out = run_events(counting(session(10 * s, 0, 15 * s)), {at(0), at(8 * s), at(15 * s), at(16 * s)});
  REQUIRE(out.results.size() == 2);
  REQUIRE(values_of(out.results[0].text) == R"("values":{"n":3}})");
  REQUIRE(out.results[1].text.find(R"("start":"1970-01-01T00:00:16.000Z")") != std::string::npos);
  // 8 s could join both sides, which together are too long: the earlier one takes it.
  const auto apart = run_events(counting(session(10 * s, 0, 15 * s)), {at(0), at(16 * s), at(8 * s)});
  REQUIRE(values_of(apart.results.at(0).text) == R"("values":{"n":2}})");
  REQUIRE(values_of(apart.results.at(1).text) == R"("values":{"n":1}})");
}

TEST_CASE("early results come at multiples of early, only if something changed, and count as versions") {
  auto p = make_processor(plan_of({counting(session(10 * s, 0, 0, 2 * s))}), {});
  recorded out;
  feed(*p, {at(1 * s, 0)}, 1 * s, out);
  REQUIRE(out.results.empty());
  feed(*p, {}, 7 * s, out);
  REQUIRE(out.results.size() == 1);
  REQUIRE(out.results[0].due == 2 * s);
  REQUIRE(out.results[0].text.find(R"("version":0,"final":false,"values":{"n":1}})") != std::string::npos);
  feed(*p, {}, 9 * s, out);
  REQUIRE(out.results.size() == 1);
  feed(*p, {}, 11 * s, out);
  REQUIRE(out.results.size() == 2);
  REQUIRE(out.results[1].text.find(R"("version":1,"final":true)") != std::string::npos);
}

TEST_CASE("sessions beyond the limit of keys and times out of range are rejected") {
  auto p = make_processor(plan_of({counting(session(10 * s))}), limits{1, 1 << 20});
  recorded out;
  feed(*p, {at(0), {"B", 1.0, 1, 0, no_watermark}, at(5 * s), at(end_watermark - s), at(no_watermark + 1)}, 1 * s, out);
  REQUIRE(p->counters().absorbed == 2);
  REQUIRE(out.rejected.size() == 3);
  REQUIRE(out.rejected[0].detail.find("a new key beyond the limits") != std::string::npos);
  REQUIRE(out.rejected[1].detail.find("leaves the range") != std::string::npos);
}

TEST_CASE("a session that a late event opens again has closed once for alert rules, also after a restart") {
  window_options w;
  w.name = "w";
  w.key = {"symbol"};
  w.kind = window_kind::session;
  w.gap = 10 * s;
  w.lateness = 60 * s;
  w.aggregates = {{"n", "count()"}};
  const auto plan = plan_of({w});
  for (const bool restart : {false, true}) {
    auto p = make_processor(plan, {});
    std::vector<std::int64_t> closings;
    std::size_t finals = 0;
    const auto take = [&](const std::vector<event>& events, nanoseconds_t watermark) {
      const auto batch = make_batch(events);
      output out;
      p->process(input{"", &batch, watermark, no_watermark, 0}, out);
      for (const auto& x : out.sections)
        for (std::size_t row = 0; row < x.batch.rows; ++row)
          if (x.batch.columns[0].text(row) == "A") {
            ++finals;
            if (x.batch.shard[row] == row_closing)
              closings.push_back(x.batch.time[row] / s);
          }
      if (restart) {
        auto next = make_processor(plan, {});
        REQUIRE(next->restore(p->snapshot()));
        p = std::move(next);
      }
    };
    take({event{"A", 1.0, 1, 0 * s, no_watermark}}, 0);
    take({event{"B", 1.0, 1, 15 * s, 0 * s}}, 15 * s);
    take({event{"A", 1.0, 1, 9 * s, 15 * s}}, 15 * s);
    take({event{"B", 1.0, 1, 24 * s, 15 * s}}, 24 * s);
    take({}, end_watermark);
    CHECK(finals == 2);
    CHECK(closings == std::vector<std::int64_t>{10});
  }
}
