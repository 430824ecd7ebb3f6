// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/windows/support.hpp"

#include <random>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

plan_ptr busy_plan() {
  const aggregates all{{"n", "count()"},         {"sum", "sum(price)"},        {"low", "min(symbol)"},
                       {"open", "first(price)"}, {"last", "last(raw)"},        {"mean", "avg(price)"},
                       {"total", "sum(size)"},   {"share", "sum(100 / size)"}, {"bigs", "max(big)"},
                       {"when", "min(at)"},      {"lots", "avg(lot)"},         {"ratio", "sum(price) / double(total)"}};
  auto a = tumbling(10 * s, all, 20 * s);
  a.name = "a";
  auto b = sliding(12 * s, 5 * s, all, 3 * s, {"symbol", "big"});
  b.name = "b";
  b.where = "size > -2";
  auto c = sliding(6 * s, 2 * s, all, 0, {});
  c.name = "c";
  auto d = sliding(30 * s, 1 * s, all, 10 * s);
  d.name = "d";
  a.early = 4 * s;
  d.early = 7 * s;
  return plan_of({a, b, c, d});
}

struct step {
  std::vector<event> rows;
  nanoseconds_t watermark;
};

std::vector<step> make_steps(std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  std::vector<step> steps;
  nanoseconds_t clock = 0;
  nanoseconds_t high = no_watermark;
  std::uint64_t place = 0;
  for (int i = 0; i < 25; ++i) {
    step st;
    for (auto n = below(12); n > 0; --n) {
      event e;
      clock += below(2 * s);
      e.symbol = std::string(static_cast<std::size_t>(below(60)), static_cast<char>('A' + below(3)));
      e.price = static_cast<double>(random() % 1000003) / 7.0;
      e.size = below(9) - 3;
      e.time = clock - below(14 * s);
      e.watermark = high == no_watermark ? high : high - 4 * s;
      e.place = place++;
      high = std::max(high, e.time);
      st.rows.push_back(e);
    }
    st.watermark = high == no_watermark ? high : high - 4 * s;
    steps.push_back(std::move(st));
  }
  steps.push_back({{}, end_watermark});
  return steps;
}

void require_same(const processor& a, const processor& b) {
  REQUIRE(a.snapshot() == b.snapshot());
  REQUIRE(a.counters() == b.counters());
  REQUIRE(a.state_keys() == b.state_keys());
  REQUIRE(a.state_bytes() == b.state_bytes());
}

} // namespace

TEST_CASE("a processor restored at any point goes on exactly as the undisturbed one") {
  std::mt19937_64 random{42};
  const auto plan = busy_plan();
  for (int round = 0; round < 20; ++round) {
    const auto steps = make_steps(random);
    auto calm = make_processor(plan, {});
    auto moved = make_processor(plan, {});
    recorded want;
    recorded got;
    for (const auto& st : steps) {
      if (random() % 3 == 0) {
        auto next = make_processor(plan, {});
        REQUIRE(next->restore(moved->snapshot()));
        require_same(*next, *moved);
        moved = std::move(next);
      }
      feed(*calm, st.rows, st.watermark, want);
      feed(*moved, st.rows, st.watermark, got);
      REQUIRE(got.results == want.results);
      REQUIRE(got.rejected.size() == want.rejected.size());
      require_same(*calm, *moved);
    }
    REQUIRE(want.results.size() > 20);
  }
}

TEST_CASE("equal states give equal bytes whatever way they were reached") {
  const auto plan = plan_of({tumbling(10 * s, {{"n", "count()"}, {"max", "max(symbol)"}}, 5 * s)});
  auto a = make_processor(plan, {});
  auto b = make_processor(plan, {});
  recorded out;
  const std::vector<event> rows{{"A", 1.0, 1, 1 * s, 0}, {"B", 1.0, 1, 2 * s, 0}, {"C", 1.0, 1, 12 * s, 0}};
  feed(*a, rows, 0, out);
  for (const auto i : {2U, 0U, 1U})
    feed(*b, {rows[i]}, 0, out);
  REQUIRE(a->snapshot() == b->snapshot());
}

TEST_CASE("results are the same bytes after a restart, dictionaries included") {
  const auto plan = plan_of({sliding(30 * s, 10 * s, {{"open", "first(symbol)"}, {"n", "count()"}})});
  auto calm = make_processor(plan, {});
  recorded ignored;
  feed(*calm, {{"C", 1.0, 1, 1 * s, 0}, {"A", 1.0, 1, 2 * s, 0}, {"B", 1.0, 1, 3 * s, 0}}, 12 * s, ignored);
  auto next = make_processor(plan, {});
  REQUIRE(next->restore(calm->snapshot()));
  const auto batch = make_batch({{"D", 1.0, 1, 15 * s, 12 * s}, {"A", 1.0, 1, 16 * s, 12 * s}});
  output a;
  output b;
  calm->process(input{"", &batch, 40 * s, 0, 0}, a);
  next->process(input{"", &batch, 40 * s, 0, 0}, b);
  REQUIRE(a.sections.size() == 1);
  REQUIRE(b.sections.size() == 1);
  const auto& x = a.sections[0].batch;
  const auto& y = b.sections[0].batch;
  REQUIRE(x.rows > 5);
  for (std::size_t c = 0; c < x.columns.size(); ++c) {
    REQUIRE(x.columns[c].codes == y.columns[c].codes);
    if (x.columns[c].dict) {
      REQUIRE(x.columns[c].dict->bytes() == y.columns[c].dict->bytes());
    }
  }
}

TEST_CASE("damaged, cut and foreign snapshots are refused") {
  std::mt19937_64 random{1};
  const auto plan = busy_plan();
  auto p = make_processor(plan, {});
  recorded out;
  for (const auto& st : make_steps(random))
    if (st.watermark != end_watermark)
      feed(*p, st.rows, st.watermark, out);
  const auto bytes = p->snapshot();
  for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 300) {
    auto q = make_processor(plan, {});
    const auto r = q->restore(std::string_view{bytes}.substr(0, n));
    REQUIRE(!r);
    REQUIRE(r.error().code == ec::corrupt);
  }
  auto q = make_processor(plan, {});
  REQUIRE(!q->restore(bytes + "x"));
  auto other = make_processor(plan_of({tumbling(10 * s, {{"n", "count()"}})}), {});
  REQUIRE(!other->restore(bytes));
  // Any flipped byte is refused or gives some other state: never a crash, never a huge allocation.
  for (int i = 0; i < 400; ++i) {
    auto broken = bytes;
    broken[random() % broken.size()] ^= static_cast<char>(1 + random() % 255);
    auto r = make_processor(plan, {});
    if (r->restore(broken)) {
      output o;
      const auto batch = make_batch({{"A", 1.0, 1, 50 * s, 40 * s}});
      r->process(input{"", &batch, end_watermark, 0, 0}, o);
    }
  }
}

TEST_CASE("windows next to the beginning and the end of time survive a restart") {
  const auto plan = plan_of({sliding(60 * s, 10 * s, {{"n", "count()"}})});
  const auto last = end_watermark - 1 - 140 * s;
  const auto first = no_watermark + 30 * s;
  for (const auto& [row, watermark] : {std::pair{event{"A", 1.0, 1, last, last - s}, end_watermark - 10 * s},
                                       std::pair{event{"A", 1.0, 1, 0, first}, first}}) {
    auto p = make_processor(plan, {});
    recorded out;
    feed(*p, {row}, watermark, out);
    auto next = make_processor(plan, {});
    REQUIRE(next->restore(p->snapshot()));
    require_same(*next, *p);
    feed(*next, {}, end_watermark, out);
    REQUIRE(out.results.size() == 6);
  }
}

TEST_CASE("the last ticks of time are the same after a restart") {
  window_options w{"w", {"symbol"}, window_kind::global, 0, 3 * s, 0, "", {{"n", "count()"}}};
  const auto plan = plan_of({w});
  const auto tick = end_watermark / (3 * s) * (3 * s);
  auto p = make_processor(plan, {});
  recorded out;
  // The second event shows at the tick after the watermark, the last one that there is.
  feed(*p, {{"A", 1.0, 1, tick - 9 * s, 0}, {"A", 1.0, 1, tick - 8 * s, tick - 2 * s}}, tick - s, out);
  auto next = make_processor(plan, {});
  REQUIRE(next->restore(p->snapshot()));
  recorded rest;
  feed(*p, {}, end_watermark, out);
  feed(*next, {}, end_watermark, rest);
  REQUIRE(rest.results.size() == 2);
  REQUIRE(out.results.size() == 3);
}
