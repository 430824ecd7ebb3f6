// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/stage_core.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/fixture.hpp"

#include <random>

using namespace millrace;
using namespace millrace::runtime;

namespace {

constexpr std::uint64_t definition = 42;

std::vector<input_frame> make_inputs(std::uint64_t seed, std::size_t n) {
  std::mt19937_64 random{seed};
  test::input_log log;
  std::vector<input_frame> out;
  std::int64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<std::int64_t> values(random() % 40);
    for (auto& v : values)
      v = ++value;
    out.push_back(log.next(values, value));
  }
  return out;
}

/// What stands on the outputs, as a log would keep it.
struct outputs {
  std::vector<std::int64_t> rows;
  std::vector<std::string> rejects;
  checkpoint last;
  reject_mark mark;

  void store(const frame& tick) {
    REQUIRE(tick.sections.empty());
    last = {tick.origin, tick.watermark, tick.high_time, tick.counters};
  }
  void store(stage_output&& o, std::size_t fail_after_rejects = SIZE_MAX) {
    for (auto& r : o.rejects) {
      if (fail_after_rejects-- == 0)
        return;
      REQUIRE(r.mark > mark);
      mark = r.mark;
      rejects.push_back(r.event.body);
    }
    if (o.frames.empty() || fail_after_rejects == 0)
      return;
    REQUIRE(o.frames.size() == 1);
    const auto& f = o.frames.front().content;
    test::append_values(rows, f.sections);
    REQUIRE(f.origin.sequence >= last.covered.sequence);
    REQUIRE(f.watermark >= last.watermark);
    last = {f.origin, f.watermark, f.high_time, f.counters};
  }
};

std::unique_ptr<stage_core> make_core() {
  return std::make_unique<stage_core>(std::make_unique<test::summing_processor>(), std::vector<std::string>{"in"},
                                      definition);
}

outputs undisturbed(const std::vector<input_frame>& inputs) {
  outputs out;
  auto core = make_core();
  for (auto in : inputs)
    REQUIRE(core->accept(std::move(in)));
  while (core->has_output())
    out.store(core->next(1 << 20));
  for (auto& t : core->ticks())
    out.store(t.content);
  return out;
}

} // namespace

TEST_CASE("crashes at any point, with any frame size, leave outputs as an undisturbed run writes them") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const auto inputs = make_inputs(seed, 30);
    const auto expected = undisturbed(inputs);
    std::mt19937_64 random{seed * 7919};
    outputs out;
    std::optional<stage_state> durable;
    for (int crashes = 0; crashes < 12; ++crashes) {
      auto core = make_core();
      if (durable)
        REQUIRE(core->restore(durable->bytes));
      core->resume({out.last}, out.mark);
      auto steps = random() % 60;
      if (crashes == 11)
        steps = SIZE_MAX;
      const std::size_t frame_bytes = 1 + random() % 2000;
      for (auto i = core->position(); i < inputs.size() && steps > 0; ++i, --steps) {
        auto in = inputs[i];
        REQUIRE(core->accept(std::move(in)));
        if (random() % 3 == 0)
          while (core->has_output() && random() % 4 != 0)
            out.store(core->next(frame_bytes));
        // A snapshot counts only when everything before it is stored (rule 6.2).
        if (!core->has_output() && random() % 5 == 0)
          durable = core->snapshot();
      }
      while (crashes == 11 && core->has_output())
        out.store(core->next(frame_bytes));
      for (auto& t : core->ticks())
        out.store(t.content);
      if (crashes < 11 && core->has_output() && random() % 2 == 0)
        out.store(core->next(frame_bytes), random() % 3);
    }
    INFO("seed " << seed);
    REQUIRE(out.rows == expected.rows);
    REQUIRE(out.rejects == expected.rejects);
    REQUIRE(out.last.covered.sequence == expected.last.covered.sequence);
    REQUIRE(out.last.counters == expected.last.counters);
  }
}

TEST_CASE("a tick is due once after progress without output") {
  auto core = make_core();
  test::input_log log;
  REQUIRE(core->accept(log.next({}, 5)));
  auto t = core->ticks();
  REQUIRE(t.size() == 1);
  CHECK(t.front().content.kind == frame_kind::tick);
  CHECK(t.front().content.origin.sequence == 1);
  CHECK(t.front().content.watermark == 5);
  CHECK(core->ticks().empty());
}

TEST_CASE("an input that is not the one the output was computed from is refused") {
  auto core = make_core();
  checkpoint written;
  written.covered = {1, 12345, 0};
  core->resume({written}, {});
  test::input_log log;
  auto r = core->accept(log.next({1, 2}));
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::corrupt);
}

TEST_CASE("missing numbers halt the reader") {
  auto core = make_core();
  test::input_log log;
  REQUIRE(core->accept(log.next({1})));
  (void)log.next({2});
  auto r = core->accept(log.next({3}));
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::gap);
}

TEST_CASE("an older epoch after a newer claim is corruption") {
  auto core = make_core();
  test::input_log log;
  REQUIRE(core->accept(log.next({1}, 1, 3)));
  auto r = core->accept(log.next({2}, 1, 2));
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::corrupt);
}

TEST_CASE("the watermark of several writers is the smallest, and unset until each has said something") {
  input_state in{{"a", "b"}};
  test::input_log a{"a"};
  test::input_log b{"b"};
  REQUIRE(in.accept(a.next({}, 10)));
  CHECK(in.watermark() == no_watermark);
  REQUIRE(in.accept(b.next({}, 4)));
  CHECK(in.watermark() == 4);
  REQUIRE(in.accept(b.next({}, end_watermark)));
  CHECK(in.watermark() == 10);
  REQUIRE(in.accept(a.next({}, end_watermark)));
  CHECK(in.watermark() == end_watermark);
  test::input_log stranger{"c"};
  CHECK_FALSE(in.accept(stranger.next({}, 1)));
}

TEST_CASE("log time neither goes back nor leaps, and the state survives saving") {
  input_state in{{"in"}};
  test::input_log log;
  auto at = [&](std::int64_t stamp) {
    auto f = log.next({});
    f.stamp = stamp;
    REQUIRE(in.accept(f));
    return in.log_time();
  };
  const std::int64_t hour = std::int64_t{3600} * 1'000'000'000;
  CHECK(at(100) == 100);
  CHECK(at(50) == 100);
  CHECK(at(60) == 110);
  CHECK(at(60 + 100 * hour) == 110 + hour);
  input_state copy{{"in"}};
  REQUIRE(copy.load(in.save()));
  CHECK(copy.save() == in.save());
  CHECK_FALSE(copy.load(in.save().substr(1)));
}
