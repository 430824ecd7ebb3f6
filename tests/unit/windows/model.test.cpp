// SPDX-License-Identifier: Apache-2.0
// Random streams against a model that keeps every event and recomputes every window from scratch.
#include "tests/unit/windows/support.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

struct scenario {
  std::uint32_t shards = 1;
  int events = 200;
  nanoseconds_t disorder = 10 * s;
  nanoseconds_t max_delay = 5 * s;
  /// Chance in percent that an event went to another partition and only shows in watermarks.
  int elsewhere = 20;
};

std::vector<piece> make_stream(const scenario& c, std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  std::vector<nanoseconds_t> high(c.shards, no_watermark);
  std::vector<nanoseconds_t> clock(c.shards, -50 * s);
  std::vector<std::uint64_t> place(c.shards, 1);
  const auto watermark = [&](std::uint32_t shard) {
    return high[shard] == no_watermark ? no_watermark : high[shard] - c.max_delay;
  };
  std::vector<piece> pieces;
  for (int done = 0; done < c.events;) {
    piece p;
    const auto shard = static_cast<std::uint32_t>(below(c.shards));
    for (auto n = 1 + below(30); n > 0; --n, ++done) {
      clock[shard] += below(2 * s) * (below(40) == 0 ? 20 : 1);
      event e;
      e.symbol = std::string(1, static_cast<char>('A' + below(4)));
      if (below(10) == 0)
        e.symbol.reset();
      if (below(10) != 0)
        e.price = static_cast<double>(below(1000)) / 4.0;
      if (below(10) != 0)
        e.size = below(20) - 5;
      // Times on a coarse grid half of the time: window edges and ties.
      e.time = clock[shard] - below(c.disorder + 1);
      if (below(2) == 0)
        e.time -= ((e.time % s) + s) % s;
      e.watermark = watermark(shard);
      e.shard = shard;
      e.place = place[shard]++;
      high[shard] = std::max(high[shard], e.time);
      if (below(100) >= c.elsewhere)
        p.rows.push_back(e);
    }
    p.watermark = end_watermark;
    for (std::uint32_t i = 0; i < c.shards; ++i)
      p.watermark = std::min(p.watermark, watermark(i));
    pieces.push_back(std::move(p));
  }
  return pieces;
}

/// Cuts every piece into chunks of at most `most` rows; the partition watermark between them follows the shard.
std::vector<piece> cut(const std::vector<piece>& pieces, std::size_t most) {
  std::vector<piece> out;
  nanoseconds_t before = no_watermark;
  for (const auto& p : pieces) {
    for (std::size_t i = 0; i < p.rows.size(); i += most) {
      const auto n = std::min(most, p.rows.size() - i);
      piece q;
      q.rows.assign(p.rows.begin() + static_cast<std::ptrdiff_t>(i),
                    p.rows.begin() + static_cast<std::ptrdiff_t>(i + n));
      const bool last = i + n == p.rows.size();
      q.watermark = last ? p.watermark : std::max(before, std::min(p.rows[i + n].watermark, p.watermark));
      out.push_back(std::move(q));
    }
    if (p.rows.empty())
      out.push_back(p);
    before = std::max(before, p.watermark);
  }
  return out;
}

/// One batch of everything; only for a single shard.
std::vector<piece> join(const std::vector<piece>& pieces) {
  piece all;
  for (const auto& p : pieces) {
    all.rows.insert(all.rows.end(), p.rows.begin(), p.rows.end());
    all.watermark = p.watermark;
  }
  return {all};
}

/// Window ends that cover `t`, by search and not by arithmetic of slices.
std::vector<nanoseconds_t> ends_over(const window_options& w, nanoseconds_t t) {
  std::vector<nanoseconds_t> ends;
  auto start = (t / w.every - w.size / w.every - 3) * w.every;
  for (; start <= t; start += w.every)
    if (t < start + w.size)
      ends.push_back(start + w.size);
  return ends;
}

std::string number(double v) {
  std::string text;
  codec::append_double(text, v);
  return text;
}

/// The record of a window from its raw events; the aggregates are those of `model_aggregates`.
std::string record_of(const window_options& w, const std::optional<std::string>& key, nanoseconds_t end,
                      std::int64_t version, bool final, std::vector<event> events) {
  std::sort(events.begin(), events.end(), [](const event& a, const event& b) {
    return std::tie(a.time, a.shard, a.place) < std::tie(b.time, b.shard, b.place);
  });
  std::int64_t sum = 0;
  std::int64_t sizes = 0;
  std::optional<double> low;
  std::optional<double> high;
  std::optional<double> open;
  double prices = 0;
  std::int64_t priced = 0;
  std::string last = "null";
  for (const auto& e : events) {
    if (e.size) {
      sum += *e.size;
      ++sizes;
    }
    if (e.symbol)
      last = "\"" + *e.symbol + "\"";
    if (!e.price)
      continue;
    low = std::min(low.value_or(*e.price), *e.price);
    high = std::max(high.value_or(*e.price), *e.price);
    if (!open)
      open = e.price;
    prices += *e.price;
    ++priced;
  }
  const auto maybe = [](const std::optional<double>& v) { return v ? number(*v) : std::string{"null"}; };
  std::string text = R"({"kind":"window","window":"w","key":{)";
  if (!w.key.empty())
    text += "\"symbol\":" + (key ? "\"" + *key + "\"" : "null");
  text += R"(},"start":)";
  codec::append_timestamp(text, end - w.size);
  text += R"(,"end":)";
  codec::append_timestamp(text, end);
  text += R"(,"version":)" + std::to_string(version) + R"(,"final":)" + (final ? "true" : "false");
  text += R"(,"values":{"n":)" + std::to_string(events.size());
  text += R"(,"sum":)" + (sizes != 0 ? std::to_string(sum) : "null");
  text += R"(,"low":)" + maybe(low) + R"(,"high":)" + maybe(high) + R"(,"open":)" + maybe(open) + R"(,"last":)" + last;
  text += R"(,"mean":)" + (priced != 0 ? number(prices / static_cast<double>(priced)) : "null");
  text += R"(,"range":)" + (priced != 0 ? number(*high - *low) : "null") + "}";
  if (priced == 0)
    text += R"(,"errors":{"range":"min(price) is null"})";
  return text + "}";
}

const aggregates model_aggregates{
  {"n", "count()"},         {"sum", "sum(size)"},     {"low", "min(price)"},  {"high", "max(price)"},
  {"open", "first(price)"}, {"last", "last(symbol)"}, {"mean", "avg(price)"}, {"range", "max(price) - min(price)"}};

struct expected {
  /// In order of due watermark for one shard.
  std::vector<recorded::record> results;
  std::uint64_t late = 0;
  std::uint64_t absorbed = 0;
};

using window_id = std::pair<std::optional<std::string>, nanoseconds_t>;

/// What the definition says, event by event, with the exact partition watermark.
class model {
public:
  explicit model(const window_options& w) : w_{w} {}

  expected run(const std::vector<piece>& pieces) {
    for (const auto& p : pieces) {
      for (const auto& e : p.rows) {
        advance(std::min(e.watermark, p.watermark));
        take(e);
      }
      advance(p.watermark);
    }
    advance(end_watermark);
    std::sort(x_.results.begin(), x_.results.end());
    return std::move(x_);
  }

private:
  void emit(const window_id& id, nanoseconds_t due, bool final) {
    x_.results.push_back({due, record_of(w_, id.first, id.second, versions_[id]++, final, state_[id])});
    changed_.erase(id);
  }

  void take(const event& e) {
    bool taken = false;
    for (const auto end : ends_over(w_, e.time)) {
      if (e.watermark >= end + w_.lateness)
        continue;
      taken = true;
      const window_id id{w_.key.empty() ? std::nullopt : e.symbol, end};
      state_[id].push_back(e);
      if (end <= partition_)
        emit(id, e.watermark, true);
      else
        changed_.insert(id);
    }
    ++(taken ? x_.absorbed : x_.late);
  }

  /// Everything due in (partition, to], one point in time after the other.
  void advance(nanoseconds_t to) {
    if (to <= partition_)
      return;
    std::set<nanoseconds_t> points;
    std::set<nanoseconds_t> ticks;
    nanoseconds_t newest = no_watermark;
    for (const auto& [id, events] : state_) {
      newest = std::max(newest, id.second);
      if (id.second > partition_ && id.second <= to)
        points.insert(id.second);
    }
    if (w_.early > 0 && !state_.empty()) {
      const auto before = [&](nanoseconds_t t) { return t - ((t % w_.early) + w_.early) % w_.early; };
      // The first watermark has passed its last multiple only.
      auto tick = partition_ == no_watermark ? before(to) : before(partition_) + w_.early;
      for (; tick <= to && tick < newest; tick += w_.early)
        ticks.insert(tick);
      points.insert(ticks.begin(), ticks.end());
    }
    for (const auto at : points) {
      for (const auto& [id, events] : state_)
        if (id.second == at)
          emit(id, at, true);
      if (ticks.contains(at)) {
        const auto changed = changed_;
        for (const auto& id : changed)
          if (id.second > at)
            emit(id, at, false);
      }
    }
    partition_ = to;
  }

  const window_options& w_;
  expected x_;
  std::map<window_id, std::vector<event>> state_;
  std::map<window_id, std::int64_t> versions_;
  std::set<window_id> changed_;
  nanoseconds_t partition_ = no_watermark;
};

expected simulate(const window_options& w, const std::vector<piece>& pieces) { return model{w}.run(pieces); }

/// The last version of every window, version left out.
std::set<std::string> final_results(const std::vector<recorded::record>& records) {
  std::map<std::string, std::pair<long, std::string>> best;
  for (const auto& r : records) {
    const auto at = r.text.find(R"("version":)");
    const auto value = r.text.find(R"("values")");
    const auto version = std::stol(r.text.substr(at + 10));
    auto& b = best[r.text.substr(0, at)];
    if (b.second.empty() || version > b.first)
      b = {version, r.text.substr(value)};
  }
  std::set<std::string> out;
  for (const auto& [id, b] : best)
    out.insert(id + b.second);
  return out;
}

std::vector<window_options> shapes() {
  std::vector<window_options> all;
  for (const nanoseconds_t lateness : {0 * s, 7 * s, 60 * s}) {
    all.push_back(tumbling(10 * s, model_aggregates, lateness));
    all.push_back(tumbling(3 * s, model_aggregates, lateness, {}));
    all.push_back(sliding(12 * s, 4 * s, model_aggregates, lateness));
    all.push_back(sliding(10 * s, 4 * s, model_aggregates, lateness, {}));
    all.push_back(sliding(7 * s, 7 * s, model_aggregates, lateness));
  }
  return all;
}

} // namespace

TEST_CASE("one shard: every emission is that of the model, whatever the batch size") {
  std::mt19937_64 random{20261121};
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    for (int round = 0; round < 4; ++round) {
      const auto stream = make_stream({1, 250, (2 + 6 * round) * s, 4 * s, 20}, random);
      const auto want = simulate(w, stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7), join(stream)}) {
        ledger counters;
        const auto got = run_pieces(plan, pieces, counters);
        require_equal(sorted(got.results), want.results);
        REQUIRE(counters.late == want.late);
        REQUIRE(counters.absorbed == want.absorbed);
        REQUIRE(got.rejected.size() == want.late);
      }
    }
  }
}

TEST_CASE("several shards: every emission is that of the model, whatever the batch size") {
  std::mt19937_64 random{7};
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    for (int round = 0; round < 4; ++round) {
      const auto stream = make_stream({static_cast<std::uint32_t>(2 + round), 300, 8 * s, 4 * s, 20}, random);
      const auto want = simulate(w, stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7)}) {
        ledger counters;
        const auto got = run_pieces(plan, pieces, counters);
        require_equal(sorted(got.results), want.results);
        REQUIRE(counters.late == want.late);
        REQUIRE(counters.absorbed == want.absorbed);
      }
    }
  }
}

TEST_CASE("windows of many slices and early results are those of the model, also after restarts") {
  std::mt19937_64 random{11};
  std::vector<window_options> all;
  for (const nanoseconds_t lateness : {0 * s, 7 * s, 90 * s}) {
    for (const nanoseconds_t early : {0 * s, 3 * s, 20 * s}) {
      all.push_back(sliding(40 * s, 1 * s, model_aggregates, lateness));
      all.push_back(sliding(25 * s, 4 * s, model_aggregates, lateness, {}));
      all.push_back(sliding(24 * s, 3 * s, model_aggregates, lateness));
      all.push_back(tumbling(10 * s, model_aggregates, lateness));
      for (auto i = all.size() - 4; i < all.size(); ++i)
        all[i].early = early;
    }
  }
  for (const auto& w : all) {
    const auto plan = plan_of({w});
    for (std::uint32_t shards = 1; shards < 3; ++shards) {
      const auto stream =
        make_stream({shards, 120, static_cast<nanoseconds_t>(5 + random() % 25) * s, 4 * s, 20}, random);
      const auto want = simulate(w, stream);
      for (const auto& pieces : {stream, cut(stream, 1), cut(stream, 7)}) {
        ledger counters;
        const auto got = run_pieces(plan, pieces, counters, 20);
        require_equal(sorted(got.results), want.results);
        REQUIRE(counters.late == want.late);
        REQUIRE(counters.absorbed == want.absorbed);
      }
    }
  }
}

TEST_CASE("batches that mix shards give the same final results") {
  std::mt19937_64 random{99};
  for (const auto& w : shapes()) {
    const auto plan = plan_of({w});
    const auto stream = make_stream({3, 300, 8 * s, 4 * s, 20}, random);
    const auto want = simulate(w, stream);
    ledger counters;
    const auto got = run_pieces(plan, join(stream), counters);
    REQUIRE((final_results(got.results) == final_results(want.results)));
    REQUIRE(counters.late == want.late);
    // So does any other interleaving of the shards.
    auto shuffled = stream;
    std::stable_sort(shuffled.begin(), shuffled.end(), [](const piece& a, const piece& b) {
      return !a.rows.empty() && !b.rows.empty() && a.rows[0].shard < b.rows[0].shard;
    });
    for (auto& p : shuffled)
      p.watermark = no_watermark;
    const auto other = run_pieces(plan, shuffled, counters);
    REQUIRE((final_results(other.results) == final_results(want.results)));
    REQUIRE(counters.late == want.late);
  }
}

TEST_CASE("results of one step are ordered by due watermark, key text and start") {
  std::mt19937_64 random{3};
  auto w = sliding(12 * s, 4 * s, model_aggregates, 60 * s);
  const auto plan = plan_of({w});
  const auto stream = make_stream({1, 300, 20 * s, 4 * s, 0}, random);
  ledger counters;
  const auto got = run_pieces(plan, join(stream), counters);
  // Records start with window and key, then start: text order is the order within a watermark.
  const auto order = [](const recorded::record& r) {
    const auto at = r.text.find(R"(,"version":)");
    return std::make_pair(r.due, r.text.substr(0, at));
  };
  REQUIRE(std::is_sorted(got.results.begin(), got.results.end() - 1,
                         [&](const auto& a, const auto& b) { return order(a) < order(b); }));
}
