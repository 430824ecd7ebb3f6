// SPDX-License-Identifier: Apache-2.0
// Windows in two steps over several partitions give what one step over one partition gives, whatever the interleaving.
#include "tests/unit/windows/support.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <random>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

constexpr std::uint32_t partitions = 4;

/// One shard; times around a clock, prices that add up exactly.
std::vector<piece> make_stream(std::mt19937_64& random, int events, nanoseconds_t disorder) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  std::vector<piece> out;
  nanoseconds_t clock = 0;
  nanoseconds_t high = no_watermark;
  std::uint64_t place = 1;
  const auto watermark = [&] { return high == no_watermark ? no_watermark : high - 4 * s; };
  while (events > 0) {
    piece p;
    for (auto n = 1 + below(20); n > 0; --n, --events) {
      clock += below(2 * s);
      event e;
      e.symbol = std::string(1, static_cast<char>('A' + below(6)));
      if (below(10) != 0)
        e.price = static_cast<double>(below(1000)) / 4.0;
      e.size = below(4);
      e.time = clock - below(disorder + 1);
      if (below(2) == 0)
        e.time -= ((e.time % s) + s) % s;
      e.watermark = watermark();
      e.place = place++;
      high = std::max(high, e.time);
      p.rows.push_back(e);
    }
    p.watermark = watermark();
    out.push_back(std::move(p));
  }
  out.push_back({{}, end_watermark});
  return out;
}

const aggregates all{{"n", "count()"},
                     {"sum", "sum(size)"},
                     {"low", "min(price)"},
                     {"high", "max(price)"},
                     {"open", "first(price)"},
                     {"last", "last(symbol)"},
                     {"mean", "avg(price)"},
                     {"some", "any(symbol)"},
                     {"more", "count_if(size > 2)"},
                     {"kinds", "distinct(size)"},
                     {"p90", "quantile(price, 0.9)"},
                     {"few", "collect(symbol, 3)"},
                     {"top", "top(symbol, 2)"},
                     {"range", "max(price) - min(price)"}};

recorded in_one_step(const plan_ptr& plan, const std::vector<piece>& stream) {
  auto p = make_processor(plan, {});
  recorded out;
  for (const auto& x : stream)
    feed(*p, x.rows, x.watermark, out);
  return out;
}

/// What a frame brings to the second step.
struct message {
  std::vector<section> sections;
  nanoseconds_t watermark = no_watermark;
};

/// The second step of one partition with the progress of its writers.
struct second {
  std::unique_ptr<processor> stage;
  std::array<std::deque<message>, partitions> waiting;
  std::array<nanoseconds_t, partitions> said{};
  nanoseconds_t watermark = no_watermark;

  void take(std::size_t from, recorded& into) {
    auto m = std::move(waiting[from].front());
    waiting[from].pop_front();
    said[from] = m.watermark;
    const auto low = *std::min_element(said.begin(), said.end());
    output out;
    for (const auto& x : m.sections)
      stage->process(input{x.name, &x.batch, watermark, no_watermark, 0}, out);
    const auto none = event_batch::make(std::make_shared<schema>());
    watermark = std::max(watermark, low);
    stage->process(input{"", &none, watermark, no_watermark, 0}, out);
    record_output(out, into);
  }
};

struct two_steps {
  plan_ptr plan;
  std::mt19937_64& random;
  bool restart = false;
  ledger counters = {};

  recorded run(const std::vector<piece>& stream) {
    std::vector<std::unique_ptr<processor>> first;
    std::vector<second> merge(partitions);
    for (std::uint32_t i = 0; i < partitions; ++i) {
      first.push_back(make_processor(plan, {}, partitions));
      merge[i].stage = make_merge_processor(plan, {});
      merge[i].said.fill(no_watermark);
    }
    recorded out;
    for (const auto& x : stream) {
      for (std::uint32_t p = 0; p < partitions; ++p)
        send(*first[p], p, x, merge, out);
      deliver(merge, static_cast<int>(random() % 8), out);
    }
    deliver(merge, 1 << 30, out);
    for (const auto& p : first) {
      counters += p->counters();
      CHECK(p->state_bytes() == 0);
    }
    for (const auto& m : merge)
      CHECK(m.stage->state_keys() == 0);
    return out;
  }

private:
  void send(processor& p, std::uint32_t index, const piece& x, std::vector<second>& merge, recorded& into) {
    std::vector<event> rows;
    for (const auto& e : x.rows)
      if (static_cast<std::uint32_t>(e.symbol->front()) % partitions == index)
        rows.push_back(e);
    const auto batch = make_batch(rows);
    output out;
    p.process(input{"", &batch, x.watermark, no_watermark, 0}, out);
    REQUIRE(p.counters().imbalance() == 0);
    std::vector<message> to(partitions);
    for (auto& section : out.sections) {
      REQUIRE(section.lane >= 1);
      REQUIRE(section.lane <= partitions);
      to[section.lane - 1].sections.push_back(std::move(section));
    }
    for (std::uint32_t q = 0; q < partitions; ++q) {
      to[q].watermark = x.watermark;
      merge[q].waiting[index].push_back(std::move(to[q]));
    }
    out.sections.clear();
    record_output(out, into);
  }

  void deliver(std::vector<second>& merge, int most, recorded& out) {
    for (; most > 0; --most) {
      std::vector<std::pair<std::size_t, std::size_t>> ready;
      for (std::size_t q = 0; q < merge.size(); ++q)
        for (std::size_t p = 0; p < partitions; ++p)
          if (!merge[q].waiting[p].empty())
            ready.emplace_back(q, p);
      if (ready.empty())
        return;
      const auto [q, p] = ready[random() % ready.size()];
      if (restart) {
        auto fresh = make_merge_processor(plan, {});
        REQUIRE(fresh->restore(merge[q].stage->snapshot()));
        REQUIRE(fresh->snapshot() == merge[q].stage->snapshot());
        merge[q].stage = std::move(fresh);
      }
      merge[q].take(p, out);
    }
  }
};

std::vector<window_options> merged_windows() {
  std::vector<window_options> out;
  for (const auto& key : {std::vector<std::string>{}, {"lot"}, {"lot", "big"}})
    for (const nanoseconds_t lateness : {0 * s, 6 * s}) {
      out.push_back(tumbling(5 * s, all, lateness, key));
      out.push_back(sliding(9 * s, 3 * s, all, lateness, key));
    }
  for (auto& w : out)
    w.merged = true;
  return out;
}

} // namespace

TEST_CASE("a merged window gives the results and versions of one step") {
  std::mt19937_64 random{20261121};
  for (const auto& w : merged_windows()) {
    const auto plan = plan_of({w});
    for (const auto disorder : {1 * s, 12 * s}) {
      const auto stream = make_stream(random, 250, disorder);
      const auto want = in_one_step(plan, stream);
      two_steps two{plan, random};
      const auto got = two.run(stream);
      require_equal(sorted(got.results), sorted(want.results));
      REQUIRE(got.rejected.size() == want.rejected.size());
      REQUIRE(two.counters.late == want.rejected.size());
      REQUIRE(two.counters.absorbed == two.counters.retired);
    }
  }
}

TEST_CASE("a merged window survives snapshots at every step") {
  std::mt19937_64 random{5};
  auto w = sliding(9 * s, 3 * s, all, 6 * s, {"lot"});
  w.merged = true;
  const auto plan = plan_of({w});
  const auto stream = make_stream(random, 200, 12 * s);
  two_steps two{plan, random, true};
  require_equal(sorted(two.run(stream).results), sorted(in_one_step(plan, stream).results));
}

TEST_CASE("merged and ordinary windows stand side by side") {
  std::mt19937_64 random{6};
  auto w = tumbling(5 * s, all, 0, {"lot"});
  w.merged = true;
  auto own = tumbling(5 * s, all);
  own.name = "own";
  const auto plan = plan_of({own, w});
  auto p = make_processor(plan, {}, partitions);
  output out;
  const auto batch = make_batch({event{"A", 1.0, 1, 1 * s}});
  p->process(input{"", &batch, 10 * s, no_watermark, 0}, out);
  REQUIRE(out.sections.size() == 2);
  CHECK(out.sections[0].name == "own");
  CHECK(out.sections[0].lane == 0);
  CHECK(out.sections[1].name == "w");
  CHECK(out.sections[1].lane >= 1);
}

TEST_CASE("damaged partial rows are rejected or give an error value") {
  auto w = tumbling(5 * s, {{"n", "count()"}}, 0, {});
  w.merged = true;
  auto p = make_merge_processor(plan_of({w}), {});
  output out;
  const auto events = make_batch({event{"A", 1.0, 1, 1 * s}});
  p->process(input{"w", &events, no_watermark, no_watermark, 0}, out);
  REQUIRE(out.rejected.size() == 1);
  CHECK(out.rejected[0].reason == "malformed");
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"$partial", data_type::bytes, false}})};
  b.set_text(0, "xyz");
  b.finish_row(1 * s, no_watermark, 0, 0);
  const auto bad = b.finish();
  p->process(input{"w", &bad, end_watermark, no_watermark, 0}, out);
  recorded r;
  record_output(out, r);
  REQUIRE(r.results.size() == 1);
  CHECK(r.results[0].text.find("a partial result is damaged") != std::string::npos);
}
