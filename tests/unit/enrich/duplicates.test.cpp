// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/enrich/support.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <unordered_map>

namespace {

using namespace enrich_test;

struct event {
  std::string key;
  std::optional<std::string> id;
  nanoseconds_t time = 0;
  nanoseconds_t watermark = no_watermark;
  int number = 0;
};

schema_ptr fields() {
  return layout({{"key", data_type::string, true}, {"id", data_type::string, true}, {"n", data_type::int64, false}});
}

event_batch batch_of(const std::vector<event>& all, std::size_t first, std::size_t last) {
  batch_builder b{fields()};
  for (auto i = first; i < last; ++i) {
    b.set_text(0, all[i].key);
    if (all[i].id)
      b.set_text(1, *all[i].id);
    b.set_int(2, all[i].number);
    b.finish_row(all[i].time, all[i].watermark, make_position(i + 1, 0), 0);
  }
  return b.finish();
}

plan_ptr plan_of(nanoseconds_t within, state_limits limits = {}, std::vector<step> steps = {}) {
  options o;
  o.duplicates = duplicates_options{within, {"key"}, "id", limits};
  o.steps = std::move(steps);
  std::vector<diagnostic> findings;
  auto p = make_plan(o, fields(), {}, findings);
  REQUIRE(findings.empty());
  return p;
}

struct seen {
  /// Numbers of the events that went on, and of those rejected.
  std::vector<int> kept;
  std::vector<std::string> rejected;
  millrace::ledger ledger;
  std::string state;
  std::size_t most_keys = 0;
};

/// Runs `all` in batches of `size`; with `restart` the processor is made anew from its snapshot after each.
seen run_in(const plan_ptr& p, const std::vector<event>& all, std::size_t size, bool restart = false) {
  auto x = make_processor(p, {});
  seen out;
  for (std::size_t i = 0; i < all.size(); i += size) {
    const auto end = std::min(i + size, all.size());
    const auto rows = batch_of(all, i, end);
    input in;
    in.batch = &rows;
    // One source: the watermark behind the rows is that before the next.
    in.watermark = end < all.size() ? all[end].watermark : end_watermark - 1;
    if (end == all.size())
      in.watermark = all.back().watermark;
    output o;
    x->process(in, o);
    for (const auto& s : o.sections)
      for (const auto n : s.batch.columns[2].i64)
        out.kept.push_back(static_cast<int>(n));
    for (const auto& r : o.rejected)
      out.rejected.push_back(r.reason + " " + r.origin);
    out.most_keys = std::max(out.most_keys, x->state_keys());
    if (restart) {
      const auto bytes = x->snapshot();
      x = make_processor(p, {});
      REQUIRE(x->restore(bytes));
      REQUIRE(x->snapshot() == bytes);
    }
  }
  out.ledger = x->counters();
  out.state = x->snapshot();
  CHECK(out.ledger.imbalance() == 0);
  return out;
}

/// The rule as it is written, forgetting nothing.
seen naive(const std::vector<event>& all, nanoseconds_t within) {
  seen out;
  std::vector<const event*> accepted;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& e = all[i];
    ++out.ledger.in;
    if (e.id && e.watermark != no_watermark && e.time < e.watermark - within) {
      out.rejected.push_back("late 0:" + std::to_string(i + 1) + ":0");
      ++out.ledger.late;
      continue;
    }
    const auto same = [&](const event* a) {
      return a->key == e.key && a->id == e.id && std::abs(a->time - e.time) <= within;
    };
    if (e.id && std::any_of(accepted.begin(), accepted.end(), same)) {
      ++out.ledger.duplicate;
      continue;
    }
    if (e.id)
      accepted.push_back(&e);
    ++out.ledger.forwarded;
    out.kept.push_back(e.number);
  }
  return out;
}

std::vector<event> stream(std::uint64_t seed, std::size_t n, nanoseconds_t disorder, nanoseconds_t max_delay) {
  std::mt19937_64 random{seed};
  std::vector<event> all;
  nanoseconds_t high = no_watermark;
  nanoseconds_t now = -200; // times below zero too: cells are cut by floor
  for (std::size_t i = 0; i < n; ++i) {
    now += static_cast<nanoseconds_t>(random() % 4);
    event e;
    e.key = std::string(1, static_cast<char>('a' + random() % 3));
    if (random() % 20 != 0)
      e.id = std::string(1 + random() % 2, static_cast<char>('a' + random() % 6));
    e.time = now - static_cast<nanoseconds_t>(random() % static_cast<std::uint64_t>(disorder + 1));
    if (random() % 50 == 0)
      e.time += 100; // far ahead of the others, and of the watermark soon
    e.watermark = high == no_watermark ? no_watermark : high - max_delay;
    e.number = static_cast<int>(i);
    high = std::max(high, e.time);
    all.push_back(e);
  }
  return all;
}

} // namespace

TEST_CASE("an id seen within the stated event time is a duplicate, to the nanosecond") {
  const auto p = plan_of(10);
  const std::vector<event> all{{"a", "x", 100, no_watermark, 0},         {"a", "x", 110, no_watermark, 1},
                               {"a", "x", 111, no_watermark, 2},         {"a", "x", 90, no_watermark, 3},
                               {"a", "x", 89, no_watermark, 4},          {"b", "x", 100, no_watermark, 5},
                               {"a", "y", 100, no_watermark, 6},         {"a", std::nullopt, 100, no_watermark, 7},
                               {"a", std::nullopt, 100, no_watermark, 8}};
  const auto got = run_in(p, all, 100);
  CHECK(got.kept == std::vector<int>{0, 2, 4, 5, 6, 7, 8});
  CHECK(got.ledger.duplicate == 2);
  CHECK(got.ledger.forwarded == 7);
}

TEST_CASE("a duplicate of a duplicate is measured from what was accepted") {
  const auto got = run_in(plan_of(10),
                          {{"a", "x", 100, no_watermark, 0},
                           {"a", "x", 108, no_watermark, 1},
                           {"a", "x", 116, no_watermark, 2},
                           {"a", "x", 124, no_watermark, 3}},
                          1);
  CHECK(got.kept == std::vector<int>{0, 2});
}

TEST_CASE("an event too old to be compared is rejected as late, and the record says why") {
  const auto p = plan_of(10);
  auto x = make_processor(p, {});
  const auto rows = batch_of({{"a", "x", 90, 100, 0}, {"a", "x", 89, 100, 1}, {"a", std::nullopt, 1, 100, 2}}, 0, 3);
  const auto got = run(*x, rows);
  CHECK(got.rows.size() == 2);
  REQUIRE(got.rejected.size() == 1);
  CHECK(got.rejected[0].reason == "late");
  CHECK(got.rejected[0].stage == "enrich");
  CHECK(got.rejected[0].detail ==
        "enrich.duplicates: the event time 1970-01-01T00:00:00.000000089Z is more than `within` (0.00000001s) older "
        "than the watermark 1970-01-01T00:00:00.000000100Z, so whether the event is a duplicate is no longer known; "
        "raise `enrich.duplicates.within` or `event.max_delay`");
  CHECK(got.ledger.late == 1);
  CHECK(got.ledger.rejected == 0);
}

TEST_CASE("duplicates are those of a naive memory, whatever the disorder, the batches and the restarts") {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const auto within = static_cast<nanoseconds_t>(std::vector<int>{0, 1, 7, 30}[seed % 4]);
    const auto all =
      stream(seed, 600, static_cast<nanoseconds_t>(seed % 5 * 12), static_cast<nanoseconds_t>(seed % 3 * 8));
    const auto want = naive(all, within);
    std::string state;
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{1024}}) {
      const auto got = run_in(plan_of(within), all, size);
      CAPTURE(seed, size, within);
      CHECK(got.kept == want.kept);
      CHECK(got.rejected == want.rejected);
      CHECK(got.ledger == want.ledger);
      CHECK((state.empty() || state == got.state));
      state = got.state;
    }
    const auto restarted = run_in(plan_of(within), all, 13, true);
    CHECK(restarted.kept == want.kept);
    CHECK(restarted.state == state);
  }
}

TEST_CASE("ids are forgotten when no duplicate of them can come") {
  std::vector<event> all;
  for (int i = 0; i < 20'000; ++i)
    all.push_back({"a", std::to_string(i), i, i - 1, i});
  const auto got = run_in(plan_of(100), all, 50);
  CHECK(got.kept.size() == all.size());
  CHECK(got.most_keys <= 4 * 101 + 50);
  auto x = make_processor(plan_of(100), {});
  REQUIRE(x->restore(got.state));
  input end;
  const auto none = batch_of({}, 0, 0);
  end.batch = &none;
  end.watermark = end_watermark;
  output out;
  x->process(end, out);
  CHECK(x->state_keys() == 0);
  CHECK(x->state_bytes() == 0);
}

TEST_CASE("new ids beyond the limits are rejected, known ones are still duplicates") {
  const auto p = plan_of(10, {2, 1U << 20});
  auto x = make_processor(p, {});
  const auto rows = batch_of({{"a", "x", 100, no_watermark, 0},
                              {"a", "y", 100, no_watermark, 1},
                              {"a", "z", 100, no_watermark, 2},
                              {"a", "x", 100, no_watermark, 3}},
                             0, 4);
  const auto got = run(*x, rows);
  CHECK(got.ledger.forwarded == 2);
  CHECK(got.ledger.duplicate == 1);
  CHECK(got.ledger.rejected == 1);
  REQUIRE(got.rejected.size() == 1);
  CHECK(got.rejected[0].reason == "limit");
  CHECK(x->state_keys() == 2);

  auto y = make_processor(plan_of(10, {1000, x->state_bytes() / 2}), {});
  CHECK(run(*y, rows).ledger.rejected == 2); // y and z
}

TEST_CASE("duplicates go before the steps see them") {
  const auto got =
    run_in(plan_of(10, {}, {filter_step{"n > 0"}, set_step{{{"n", "n + 100"}}}}),
           {{"a", "x", 0, no_watermark, 0}, {"a", "x", 1, no_watermark, 1}, {"a", "y", 1, no_watermark, 2}}, 8);
  // The first one is what counts, though the filter drops it.
  CHECK(got.kept == std::vector<int>{102});
  CHECK(got.ledger.filtered == 1);
  CHECK(got.ledger.duplicate == 1);
}

TEST_CASE("ids are compared by their bytes, not by a hash, and may be long or empty") {
  std::vector<event> all;
  std::mt19937_64 random{5};
  for (int i = 0; i < 3000; ++i)
    all.push_back(
      {"k", i == 7 ? "" : std::string(i % 500 == 0 ? 70'000 : 3, 'x') + std::to_string(i / 2), 5, no_watermark, i});
  const auto want = naive(all, 10);
  const auto got = run_in(plan_of(10), all, 100, true);
  CHECK(got.kept == want.kept);
}

TEST_CASE("the times at both ends of the range are compared rightly") {
  constexpr auto most = std::numeric_limits<nanoseconds_t>::max();
  constexpr auto least = std::numeric_limits<nanoseconds_t>::min();
  const std::vector<event> all{{"a", "x", most - 5, no_watermark, 0},
                               {"a", "x", least + 5, no_watermark, 1},
                               {"a", "x", most - 4, no_watermark, 2},
                               {"a", "x", least + 9, least + 10, 3}};
  for (const nanoseconds_t within : {nanoseconds_t{10}, nanoseconds_t{1} << 62})
    CHECK(run_in(plan_of(within), all, 4).kept == std::vector<int>{0, 1});
}

TEST_CASE("a damaged state of duplicates is refused") {
  const auto p = plan_of(10);
  const auto good = run_in(p, {{"a", "x", 100, no_watermark, 0}, {"a", "y", 100, no_watermark, 1}}, 2).state;
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK(!make_processor(p, {})->restore(std::string_view{good}.substr(0, cut)));
  CHECK(!make_processor(p, {})->restore(good + "x"));
}

TEST_CASE("a field that duplicates need and nobody has is reported") {
  options o;
  o.duplicates = duplicates_options{10, {"kee"}, "id", {}};
  std::vector<diagnostic> findings;
  CHECK(make_plan(o, fields(), {}, findings) == nullptr);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].path == "enrich.duplicates");
  CHECK(findings[0].message == "no field named `kee`");
  CHECK(findings[0].hint == "did you mean `key`?");
}
