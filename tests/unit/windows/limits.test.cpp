// SPDX-License-Identifier: Apache-2.0
// What state costs, what it says it costs, and what happens at its limits.
#include "tests/unit/windows/support.hpp"

#include <cstdlib>
#include <malloc.h>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool can_measure = false;
#else
constexpr bool can_measure = true;
#endif

std::size_t allocated() {
  const auto m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

const aggregates count_and_sum{{"n", "count()"}, {"total", "sum(price)"}};

/// One event of each of `keys` keys at `time`; nothing is late and nothing closes.
void add_keys(processor& p, std::int64_t keys, nanoseconds_t time, nanoseconds_t watermark = 0) {
  output out;
  for (std::int64_t key = 0; key < keys;) {
    batch_builder b{event_schema()};
    for (int i = 0; i < 8192 && key < keys; ++i, ++key) {
      b.set_text(0, "customer-" + std::to_string(key));
      b.set_double(1, 0.5);
      b.set_int(2, key);
      b.set_uint(3, 0);
      b.set_int(4, 0);
      b.set_int(5, 0);
      b.set_bool(6, false);
      b.finish_row(time, watermark, make_position(static_cast<std::uint64_t>(key), 0), 0);
    }
    const auto batch = b.finish();
    p.process(input{"", &batch, watermark, time, 0}, out);
  }
  REQUIRE(out.rejected.empty());
}

/// Fills a processor and compares what it takes with what it says.
template <class Fill>
void require_truth(const window_options& w, Fill&& fill) {
  const auto plan = plan_of({w});
  (void)event_schema();
  const auto before = allocated();
  auto p = make_processor(plan, limits{~0ULL, ~0ULL});
  fill(*p);
  const auto real = static_cast<double>(allocated() - before);
  const auto said = static_cast<double>(p->state_bytes());

  INFO(real << " bytes in use, " << said << " said, " << p->state_keys() << " keys");
  if (can_measure) {
    REQUIRE(said > 0.8 * real);
    REQUIRE(said < 1.2 * real);
  }
}

} // namespace

TEST_CASE("a million keys take what state_bytes says, and less than 200 bytes each") {
  constexpr std::int64_t many = 1'000'000;
  for (const auto* key : {"size", "symbol"})
    require_truth(tumbling(60 * s, count_and_sum, 0, {key}), [&](processor& p) {
      const auto before = allocated();
      add_keys(p, many, 1 * s);
      REQUIRE(p.state_keys() == many);
      if (can_measure)
        REQUIRE(allocated() - before < 200 * static_cast<std::size_t>(many));
    });
}

TEST_CASE("state_bytes counts the slices and the stacks of sliding windows, and what waits for early results") {
  auto w = sliding(60 * s, 10 * s, count_and_sum, 30 * s, {"size"});
  const auto fill = [](processor& p) {
    for (nanoseconds_t at = 5 * s; at < 100 * s; at += 10 * s)
      add_keys(p, 30'000, at, at - 1 * s);
  };
  require_truth(w, fill);
  w.early = 7 * s;
  require_truth(w, fill);
}

TEST_CASE("state_bytes goes back when windows are gone") {
  auto p = make_processor(plan_of({sliding(60 * s, 10 * s, count_and_sum)}), {});
  const auto empty = p->state_bytes();
  add_keys(*p, 1000, 1 * s);
  REQUIRE(p->state_bytes() > empty + 1000 * 50);
  recorded out;
  feed(*p, {}, 200 * s, out);
  REQUIRE(p->state_bytes() == empty);
}

TEST_CASE("beyond the limit of bytes new keys are refused, and known ones go on") {
  const std::uint64_t most = 100'000;
  auto p = make_processor(plan_of({tumbling(60 * s, count_and_sum, 0, {"size"})}), limits{1'000'000, most});
  recorded out;
  std::vector<event> rows;
  for (std::int64_t i = 0; i < 4000; ++i)
    rows.push_back({"A", 1.0, i, 1 * s, 0});
  feed(*p, rows, 0, out);
  const auto known = p->state_keys();
  REQUIRE(known > 500);
  REQUIRE(known < 2000);
  REQUIRE(p->counters().rejected == 4000 - known);
  REQUIRE(p->state_bytes() >= most);
  REQUIRE(p->state_bytes() < most + 1000);
  REQUIRE(out.rejected.front().reason == "limit");
  REQUIRE(out.rejected.front().detail.find("100000 bytes") != std::string::npos);
  out.rejected.clear();
  // Those that came first are taken again; the others still are not.
  feed(*p, rows, 0, out);
  REQUIRE(p->state_keys() == known);
  REQUIRE(p->counters().absorbed == 2 * known);
  feed(*p, {}, end_watermark, out);
  REQUIRE(out.results.size() == known);
  REQUIRE(values_of(out.results.front().text) == R"("values":{"n":2,"total":2.0}})");
}

TEST_CASE("a key limit counts the keys of all windows") {
  auto a = tumbling(10 * s, count_and_sum);
  auto b = tumbling(20 * s, count_and_sum, 0, {"size"});
  b.name = "b";
  auto p = make_processor(plan_of({a, b}), limits{3, 1U << 30});
  recorded out;
  feed(*p, {{"A", 1.0, 1, 1 * s, 0}, {"B", 1.0, 2, 1 * s, 0}, {"A", 1.0, 3, 1 * s, 0}}, 0, out);
  REQUIRE(p->state_keys() == 3);
  // An event that one of the windows took is absorbed.
  REQUIRE(p->counters().absorbed == 3);
  feed(*p, {{"C", 1.0, 4, 1 * s, 0}}, 0, out);
  REQUIRE(p->counters().rejected == 1);
}

TEST_CASE("a key whose windows are gone makes room for another within a batch as between batches") {
  auto w = tumbling(10 * s, count_and_sum, 20 * s);
  w.where = "size > 0";
  const auto plan = plan_of({w});
  // The third event lets time pass, but no window of the plan takes it.
  const std::vector<event> rows{{"A", 1.0, 1, 1 * s, no_watermark},
                                {"C", 1.0, 1, 16 * s, 15 * s},
                                {"A", 1.0, 0, 100 * s, 16 * s},
                                {"B", 1.0, 1, 101 * s, 100 * s}};
  recorded one;
  recorded each;
  auto p = make_processor(plan, limits{1, 1U << 30});
  feed(*p, rows, 101 * s, one);
  feed(*p, {}, end_watermark, one);
  p = make_processor(plan, limits{1, 1U << 30});
  for (std::size_t i = 0; i < rows.size(); ++i)
    feed(*p, {rows[i]}, i + 1 < rows.size() ? rows[i + 1].watermark : 101 * s, each);
  feed(*p, {}, end_watermark, each);
  REQUIRE(each.rejected.size() == 1);
  REQUIRE(one.rejected.size() == 1);
  REQUIRE(one.results == each.results);
}
