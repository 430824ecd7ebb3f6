// SPDX-License-Identifier: Apache-2.0
// A stage with several output subjects and with controls: what crashes leave behind, compared with a model that knows
// nothing of frames, lanes' checkpoints or logs.
#include "actors/runtime/stage_core.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/runtime/fixture.hpp"

#include <random>

using namespace millrace;
using namespace millrace::runtime;

namespace {

using values = std::vector<std::int64_t>;

control_record make_control(std::uint64_t serial, std::uint64_t position, std::int64_t factor) {
  auto c = std::make_shared<control>();
  c->name = "factor";
  c->contents = std::to_string(factor);
  c->hash = static_cast<std::uint64_t>(factor);
  return {c, serial, position};
}

/// What stands on the logs.
struct durable {
  std::vector<values> lanes;
  std::vector<checkpoint> tails;
  std::vector<control_record> controls;
  std::optional<stage_state> snapshot;

  explicit durable(std::size_t n) : lanes(n), tails(n) {}

  void store(const lane_frame& f) {
    const auto& x = f.content;
    auto& tail = tails[f.lane];
    REQUIRE(x.origin.sequence >= tail.covered.sequence);
    REQUIRE(x.watermark >= tail.watermark);
    test::append_values(lanes[f.lane], x.sections);
    tail = {x.origin, x.origin_watermark, x.high_time, x.counters, x.watermark};
  }
};

std::unique_ptr<stage_core> start(const durable& d) {
  const auto n = d.lanes.size();
  auto core = std::make_unique<stage_core>(std::make_unique<test::routing_processor>(static_cast<std::uint32_t>(n)),
                                           std::vector<std::string>{"in"}, 42, n);
  if (d.snapshot)
    REQUIRE(core->restore(d.snapshot->bytes));
  core->resume(d.tails, {}, d.controls);
  return core;
}

/// The rows of each lane, straight from the inputs and from where the factor changed.
std::vector<values> model(const std::vector<values>& inputs, const std::vector<control_record>& controls,
                          std::size_t lanes) {
  std::vector<values> out(lanes);
  std::int64_t factor = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const auto& c : controls)
      if (c.position == i)
        factor = std::stoll(c.what->contents);
    for (auto v : inputs[i])
      out[static_cast<std::size_t>(v) % lanes].push_back(v * factor);
  }
  return out;
}

} // namespace

TEST_CASE("crashes between lanes, and around the record of a control, leave every lane as an undisturbed run does") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random{seed};
    const std::size_t lanes = 1 + seed % 5;
    std::vector<values> raw(40);
    std::vector<input_frame> inputs;
    test::input_log log;
    std::int64_t value = 0;
    for (auto& r : raw) {
      r.resize(random() % 30);
      for (auto& v : r)
        v = ++value;
      inputs.push_back(log.next(r, value));
    }
    durable out{lanes};
    constexpr int crashes = 10;
    for (int crash = 0; crash <= crashes; ++crash) {
      const bool last = crash == crashes;
      auto core = start(out);
      std::optional<stage_state> taken;
      auto steps = last ? SIZE_MAX : random() % 40;
      const std::size_t frame_bytes = 1 + random() % 1500;
      const auto drain = [&](bool all) {
        while (core->has_output() && (all || random() % 4 != 0))
          for (auto& f : core->next(frame_bytes).frames)
            out.store(f);
        if (random() % 3 == 0)
          for (auto& f : core->ticks(random() % 2 == 0))
            out.store(f);
        if (taken && core->settled(taken->position))
          out.snapshot = std::exchange(taken, {});
      };
      for (auto i = core->position(); i < inputs.size() && steps > 0; ++i, --steps) {
        bool crashed = false;
        while (core->replayed() && random() % 6 == 0) {
          const auto c = make_control(core->controls() + 1, core->position(), static_cast<std::int64_t>(random() % 9));
          if (random() % 5 == 0 && !last) {
            crashed = true; // before the record is stored
            break;
          }
          out.controls.push_back(c);
          if (random() % 5 == 0 && !last) {
            crashed = true; // stored, not applied
            break;
          }
          REQUIRE(core->apply(c));
        }
        if (crashed)
          break;
        auto in = inputs[i];
        REQUIRE(core->accept(std::move(in)));
        if (random() % 5 == 0)
          taken = core->snapshot();
        drain(false);
      }
      if (last) {
        drain(true);
        for (auto& f : core->ticks())
          out.store(f);
      } else if (core->has_output()) {
        // Frames of several lanes are on their way at once: some arrive.
        for (auto& f : core->next(frame_bytes).frames)
          if (random() % 2 == 0)
            out.store(f);
      }
    }
    INFO("seed " << seed);
    REQUIRE(out.lanes == model(raw, out.controls, lanes));
    for (const auto& t : out.tails) {
      REQUIRE(t.covered.sequence == inputs.size());
      REQUIRE(t.covered.rows == 0);
      REQUIRE(t.watermark == value);
    }
  }
}

TEST_CASE("a state tells which controls it contains: those are not applied again, the others at their places") {
  test::input_log log;
  durable d{1};
  auto core = start(d);
  REQUIRE(core->accept(log.next({1})));
  const auto two = make_control(1, 1, 2);
  const auto three = make_control(2, 1, 3);
  REQUIRE(core->apply(two));
  const auto between = core->snapshot();
  REQUIRE(core->apply(three));
  CHECK(*core->version("factor") == 3);
  CHECK(between.controls == 1);

  d.snapshot = between;
  d.controls = {two, three};
  auto again = start(d);
  CHECK(again->controls() == 2);
  CHECK(*again->version("factor") == 3);
  CHECK(again->snapshot().bytes == core->snapshot().bytes);
  REQUIRE(again->accept(log.next({5})));
  values rows;
  test::append_values(rows, again->next(1 << 20).frames.front().content.sections);
  CHECK(rows == values{15});
}

TEST_CASE("a control waits until the replay has passed what every lane holds") {
  test::input_log log;
  durable d{2};
  d.tails[1].covered = {2, 0, 1}; // two inputs, and one row of the third
  auto core = start(d);
  CHECK_FALSE(core->replayed());
  REQUIRE(core->accept(log.next({1})));
  REQUIRE(core->accept(log.next({2})));
  CHECK_FALSE(core->replayed());
  REQUIRE(core->accept(log.next({3, 5})));
  CHECK(core->replayed());
  auto out = core->next(1 << 20);
  REQUIRE(out.frames.size() == 2);
  values rows;
  test::append_values(rows, out.frames[1].content.sections);
  CHECK(rows == values{5});
}

TEST_CASE("a control that the processor refuses keeps its number, and the state as it was") {
  test::input_log log;
  auto core = start(durable{1});
  CHECK_FALSE(core->apply(make_control(1, 0, -1)));
  CHECK(core->controls() == 1);
  REQUIRE(core->accept(log.next({7})));
  values rows;
  test::append_values(rows, core->next(1 << 20).frames.front().content.sections);
  CHECK(rows == values{7});
}

TEST_CASE("a lane without rows is told the time by a tick, and of mere progress only when asked") {
  test::input_log log;
  auto core = start(durable{3});
  REQUIRE(core->accept(log.next({1}, 10)));
  CHECK_FALSE(core->settled(1));
  REQUIRE(core->next(1 << 20).frames.size() == 1);
  CHECK(core->settled(1));
  auto t = core->ticks(false);
  REQUIRE(t.size() == 2);
  CHECK(t[0].lane == 0);
  CHECK(t[1].lane == 2);
  CHECK(t[1].content.watermark == 10);
  REQUIRE(core->accept(log.next({}, 10)));
  CHECK(core->ticks(false).empty());
  CHECK(core->ticks().size() == 3);
}

TEST_CASE("after a restart a lane that the snapshot left behind is told where the stage is") {
  test::input_log log;
  durable d{2};
  auto core = start(d);
  REQUIRE(core->accept(log.next({2}, 10)));
  for (auto& f : core->next(1 << 20).frames)
    d.store(f);
  REQUIRE(core->settled(1));
  d.snapshot = core->snapshot();
  core = start(d);
  const auto t = core->ticks();
  REQUIRE(t.size() == 1);
  CHECK(t.front().lane == 1);
  CHECK(t.front().content.origin.sequence == 1);
  CHECK(t.front().content.watermark == 10);
}

TEST_CASE("a section for an output that there is not halts the stage") {
  test::input_log log;
  stage_core core{std::make_unique<test::routing_processor>(3), {"in"}, 42, 2};
  const auto r = core.accept(log.next({2}));
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::internal);
}

TEST_CASE("a snapshot without controls has the same bytes as before there were any") {
  test::input_log log;
  auto core = start(durable{1});
  REQUIRE(core->accept(log.next({1})));
  const auto s = core->snapshot();
  byte_reader in{s.bytes};
  CHECK(in.u64() == 1);
  CHECK(s.controls == 0);
}

namespace {

/// Notes the watermark of each step.
class noting_processor final : public processor {
public:
  explicit noting_processor(values& to) : to_{to} {}
  void process(const input& in, output&) override { to_.push_back(in.watermark); }
  std::string snapshot() const override { return {}; }
  result<void> restore(std::string_view) override { return {}; }
  const ledger& counters() const noexcept override { return counters_; }

private:
  values& to_;
  ledger counters_;
};

section events_at(const values& watermarks) {
  batch_builder b{test::number_schema()};
  for (auto w : watermarks) {
    b.set_int(0, w);
    b.finish_row(w, w, make_position(static_cast<std::uint64_t>(w), 0), 0);
  }
  return {"", b.finish()};
}

} // namespace

TEST_CASE("in a frame of several inputs time moves as it would have done had each come alone") {
  values seen;
  stage_core core{std::make_unique<noting_processor>(seen), {"in"}, 42};
  test::input_log log;
  REQUIRE(core.accept(log.next({}, 5)));
  auto in = log.next({1}, 40);
  in.content.sections.clear();
  in.content.sections.push_back(events_at({5, 10}));
  // Of another source, that is behind: nothing may be closed over its rows.
  in.content.sections.push_back(events_at({12, 25}));
  in.content.sections.push_back(events_at({20, 30}));
  seen.clear();
  REQUIRE(core.accept(std::move(in)));
  CHECK(seen == values{12, 20, 40});
}
