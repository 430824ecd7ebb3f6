// SPDX-License-Identifier: Apache-2.0
// The actors around a stage, on the deterministic scheduler and the memory bus: who starts what, what a failure, a
// restart and a stop leave behind.
#include "actors/runtime/partition.hpp"
#include "actors/runtime/supervisor.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/runtime/fixture.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <set>

using namespace millrace;
using namespace millrace::runtime;
using namespace std::chrono_literals;

namespace {

/// A control source that a test holds in its hand.
class manual_source final : public control_source {
public:
  const std::string& name() const noexcept override { return name_; }
  void start(std::function<void(control)> deliver) override {
    ++starts;
    deliver_ = std::move(deliver);
    if (!first.empty())
      say(first);
  }
  void stop() override { ++stops; }
  void say(const std::string& contents) {
    if (deliver_)
      deliver_({name_, contents, std::hash<std::string>{}(contents)});
  }

  std::string first;
  int starts = 0;
  int stops = 0;

private:
  std::string name_ = "factor";
  std::function<void(control)> deliver_;
};

class world {
public:
  struct config : caf::actor_system_config {
    config() {
      add_message_types<caf::id_block::millrace_runtime>();
      set("scheduler.policy", caf::atom("testing"));
      set("logger.inline-output", true);
    }
  };

  std::int64_t now = 1'000'000'000'000;
  std::function<append_fault(const append_request&)> fault;
  std::shared_ptr<memory_bus> bus;
  environment env;
  config cfg;
  caf::actor_system sys{cfg};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  caf::scoped_actor self{sys, true};
  supervisor_actor root;
  lane input;
  /// Output lanes: OUT.a, then OUT2.a and so on.
  std::uint32_t fan_out = 1;
  std::shared_ptr<manual_source> source;

  world() {
    memory_options o;
    o.now = [this] { return now; };
    o.inline_callbacks = true;
    o.before_append = [this](const append_request& r) { return fault ? fault(r) : append_fault::none; };
    bus = make_memory_bus(o);
    for (const char* name : {"IN", "OUT", "OUT1", "OUT2", "STATE", "REJECTED"})
      REQUIRE(bus->ensure_log({name, {std::string{name} + ".>"}, 64 << 20, {}, 1, true}));
    env.bus = bus;
    env.clock = {[this] { return now; }, [this] { return now; }};
    env.instance = "test";
    env.detached = false;
    env.tune.fetch_wait = 0ms;
    input.log = "IN";
    input.subject = "IN.a";
    lane* lanes[] = {&input};
    REQUIRE(claim_lanes(*bus, lanes, "upstream", 1, test::quick_policy()));
  }

  ~world() { end(); }

  partition_spec spec() {
    partition_spec s;
    s.unit = "p/enrich/0";
    s.names.pipeline = "p";
    s.names.stage = "enrich";
    lane out;
    out.log = "OUT";
    out.subject = "OUT.a";
    out.scope = expectation::scope::log;
    s.names.outputs.push_back(out);
    for (std::uint32_t i = 1; i < fan_out; ++i) {
      lane more;
      more.log = "OUT" + std::to_string(i);
      more.subject = more.log + ".a";
      s.names.outputs.push_back(more);
    }
    s.names.state_log = "STATE";
    s.names.state_prefix = "STATE.enrich";
    s.names.rejected_log = "REJECTED";
    s.names.rejected_subject = "REJECTED.enrich.0";
    s.names.definition = 1;
    s.names.instance = "test";
    s.input_log = "IN";
    s.writers = {"IN.a"};
    s.make_processor = [n = fan_out, routing = fan_out > 1 || source]() -> std::unique_ptr<processor> {
      if (routing)
        return std::make_unique<test::routing_processor>(n);
      return std::make_unique<test::summing_processor>();
    };
    s.trim = {"p", "IN", "enrich", {"enrich"}, false, 0};
    return s;
  }

  void start() {
    std::shared_ptr<control_hub> hub;
    if (source)
      hub = std::make_shared<control_hub>(std::vector<std::shared_ptr<control_source>>{source});
    root = spawn_supervisor(
      sys, env,
      {{"p/enrich/0",
        [this, hub](caf::actor_system& s, const environment& e, supervisor_actor parent, std::uint64_t i) {
          auto sp = spec();
          sp.controls = hub;
          sp.index = i;
          return spawn_partition(s, e, std::move(parent), std::move(sp));
        },
        nullptr}});
    drain();
  }

  void drain() {
    while (sched.try_run_once()) {
    }
  }

  /// Moves time in steps small enough for every timer to see its moment.
  void advance(std::chrono::milliseconds d) {
    for (; d.count() > 0; d -= 10ms) {
      now += 10'000'000;
      sched.advance_time(10ms);
      drain();
    }
  }

  /// The crash of a process: actors vanish, the bus stays.
  void end() {
    if (root)
      caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    root = nullptr;
    env.stop->store(false);
    drain();
    sched.advance_time(10s);
    drain();
  }

  void feed(const std::vector<std::int64_t>& values, nanoseconds_t watermark) {
    frame f;
    f.origin = {input.number, 0, 0};
    f.watermark = watermark;
    if (!values.empty())
      f.sections.push_back({"", test::numbers(values)});
    frame_encoder e;
    auto r = next_frame(input, f, e, "upstream");
    REQUIRE(append_all(*bus, {&r, 1}, test::quick_policy()));
  }

  std::vector<message> log(const char* name) {
    auto r = bus->read(name, 1);
    REQUIRE(r);
    auto m = (*r)->next(100'000, 1 << 28, 0ms);
    REQUIRE(m);
    return std::move(*m);
  }

  std::vector<std::int64_t> rows(const char* name = "OUT") {
    std::vector<std::int64_t> out;
    for (const auto& m : log(name))
      test::append_values(out, decode_frame(m.payload)->sections);
    return out;
  }

  frame tail(const char* name = "OUT") { return std::move(*decode_frame(log(name).back().payload)); }
};

} // namespace

TEST_CASE_METHOD(world, "what comes in goes through, rejects first, and the last frame is the checkpoint") {
  start();
  feed({1, 2, 7}, 10);
  feed({3}, 20);
  advance(100ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 20, 30});
  CHECK(log("REJECTED").size() == 1);
  CHECK(log("REJECTED").front().header("Millrace-Checkpoint") == "2:1");
  const auto f = tail();
  CHECK(f.origin.sequence == 3);
  CHECK(f.watermark == 20);
  CHECK(f.counters.in == 4);
  CHECK(env.board->ready());
}

TEST_CASE_METHOD(world, "progress without rows is said by a tick, at most once a second") {
  start();
  const auto before = log("OUT").size();
  for (int i = 1; i <= 50; ++i) {
    feed({}, i);
    advance(100ms);
  }
  const auto ticks = log("OUT").size() - before;
  CHECK(ticks >= 4);
  CHECK(ticks <= 6);
  CHECK(tail().watermark >= 40);
}

TEST_CASE_METHOD(world, "a crash anywhere, and another start, changes nothing in the output") {
  std::vector<std::int64_t> expected;
  {
    world calm;
    calm.start();
    for (std::int64_t i = 0; i < 40; ++i)
      calm.feed({3 * i + 1, 3 * i + 2, 3 * i + 3}, i);
    calm.advance(200ms);
    expected = calm.rows();
  }
  env.tune.snapshot_interval = 300ms;
  std::int64_t fed = 0;
  for (int crash = 0; crash < 8; ++crash) {
    // The answers of some appends are lost on top.
    int n = 0;
    fault = [&n, crash](const append_request&) {
      return ++n % (3 + crash) == 0 ? append_fault::lose_ack : append_fault::none;
    };
    start();
    for (int i = 0; i < 5; ++i, ++fed) {
      fault = nullptr;
      feed({3 * fed + 1, 3 * fed + 2, 3 * fed + 3}, fed);
      fault = [&n, crash](const append_request&) {
        return ++n % (3 + crash) == 0 ? append_fault::lose_ack : append_fault::none;
      };
      advance(std::chrono::milliseconds{(crash * 70) % 400});
    }
    end();
  }
  fault = nullptr;
  start();
  advance(2000ms);
  CHECK(rows() == expected);
  std::set<std::string> marks;
  for (const auto& m : log("REJECTED"))
    CHECK(marks.insert(std::string{m.header("Millrace-Checkpoint")}).second);
  CHECK(tail().counters.in == 120);
}

TEST_CASE_METHOD(world, "an orderly stop finishes, snapshots and releases; the next start replays nothing") {
  start();
  feed({1, 2}, 10);
  advance(50ms);
  caf::scoped_actor asker{sys, true};
  asker->send(root, drain_atom_v);
  drain();
  advance(100ms);
  CHECK(tail().kind == frame_kind::release);
  CHECK(tail().origin.sequence == 2);
  root = nullptr;
  const auto size = log("OUT").size();
  start();
  advance(100ms);
  CHECK(log("OUT").size() == size + 1); // its claim
  feed({3}, 20);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 20, 30});
}

TEST_CASE_METHOD(world, "a foreign message on the input halts the partition, and readiness says why") {
  start();
  const append_request foreign{"IN", "IN.a", "not a frame", {}, expectation::nothing()};
  REQUIRE(bus->append({&foreign, 1}, 10ms).front());
  advance(20s);
  auto ready = env.board->ready();
  REQUIRE_FALSE(ready);
  CHECK(ready.error().message.find("halted") != std::string::npos);
  CHECK(log("OUT").size() == 1); // one claim: it was not started again and again
}

TEST_CASE_METHOD(world, "a partition that lost its subject to another owner stops, and takes over again later") {
  start();
  feed({1}, 1);
  advance(50ms);
  lane thief;
  thief.log = "OUT";
  thief.subject = "OUT.a";
  thief.scope = expectation::scope::log;
  lane* lanes[] = {&thief};
  REQUIRE(claim_lanes(*bus, lanes, "thief", 1, test::quick_policy()));
  feed({2}, 2);
  advance(100ms);
  CHECK_FALSE(env.board->ready());
  CHECK(tail().writer == "thief");
  advance(10s);
  CHECK(env.board->ready());
  CHECK(rows() == std::vector<std::int64_t>{10, 20});
  CHECK(tail().epoch > thief.epoch);
}

TEST_CASE_METHOD(world, "the input is trimmed to the older snapshot, never its last message") {
  env.tune.snapshot_interval = 100ms;
  start();
  for (std::int64_t i = 1; i <= 30; ++i) {
    feed({i}, i);
    advance(1000ms);
  }
  const auto left = log("IN");
  CHECK(left.size() < 10);
  CHECK(left.back().sequence == 31);
}

TEST_CASE_METHOD(world, "rows go to the log of their lane, and every lane hears of the time within a pulse") {
  fan_out = 3;
  start();
  feed({3, 6, 4}, 10);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{3, 6});
  CHECK(rows("OUT1") == std::vector<std::int64_t>{4});
  CHECK(rows("OUT2").empty());
  advance(1100ms);
  for (const auto* name : {"OUT", "OUT1", "OUT2"}) {
    CHECK(tail(name).watermark == 10);
    CHECK(tail(name).origin.sequence == 2);
  }
}

TEST_CASE_METHOD(world, "a lane whose time stands still says its origin only now and then") {
  fan_out = 3;
  start();
  feed({3}, 10);
  advance(2000ms);
  const auto before = log("OUT2").size();
  for (int i = 0; i < 160; ++i) {
    feed({3}, 10);
    advance(100ms);
  }
  const auto ticks = log("OUT2").size() - before;
  CHECK(ticks >= 1);
  CHECK(ticks <= 3);
}

TEST_CASE_METHOD(world, "a crash anywhere changes nothing on any lane") {
  fan_out = 3;
  env.tune.snapshot_interval = 300ms;
  std::vector<std::vector<std::int64_t>> expected(3);
  std::int64_t fed = 0;
  const auto lose = [](int crash, int& n) {
    return [&n, crash](const append_request&) {
      return ++n % (3 + crash) == 0 ? append_fault::lose_ack : append_fault::none;
    };
  };
  for (int crash = 0; crash < 8; ++crash) {
    int n = 0;
    fault = lose(crash, n);
    start();
    for (int i = 0; i < 5; ++i, ++fed) {
      fault = nullptr;
      const auto v = 7 * fed;
      feed({v, v + 1, v + 2, v + 4}, fed);
      for (auto x : {v, v + 1, v + 2, v + 4})
        expected[static_cast<std::size_t>(x) % 3].push_back(x);
      fault = lose(crash, n);
      advance(std::chrono::milliseconds{(crash * 70) % 400});
    }
    end();
  }
  fault = nullptr;
  start();
  advance(2000ms);
  CHECK(rows() == expected[0]);
  CHECK(rows("OUT1") == expected[1]);
  CHECK(rows("OUT2") == expected[2]);
  CHECK(tail("OUT2").counters.in == 160);
}

TEST_CASE_METHOD(world, "no input is taken before a table's first version is recorded, and readiness says so") {
  source = std::make_shared<manual_source>();
  start();
  feed({1, 2}, 10);
  advance(500ms);
  CHECK(rows().empty());
  const auto ready = env.board->ready();
  REQUIRE_FALSE(ready);
  CHECK(ready.error().message.find("waiting for table factor") != std::string::npos);
  source->say("10");
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 20});
  CHECK(env.board->ready());
}

TEST_CASE_METHOD(world,
                 "a version takes effect after the input that was taken before it, and again there after a crash") {
  source = std::make_shared<manual_source>();
  source->first = "10";
  start();
  feed({1}, 1);
  advance(50ms);
  source->say("10"); // unchanged: not recorded
  source->say("100");
  advance(50ms);
  feed({2}, 2);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 200});
  // No snapshot yet: everything is computed again, with the versions at their places.
  end();
  CHECK(source->stops == 1);
  source = std::make_shared<manual_source>();
  source->first = "1000";
  start();
  advance(50ms);
  feed({3}, 3);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 200, 3000});
  CHECK(bus->tails("STATE", "STATE.enrich.control.>")->size() == 6); // three versions: a record and a chunk each
}

TEST_CASE_METHOD(world, "versions and input around crashes give what the records say") {
  env.tune.snapshot_interval = 200ms;
  source = std::make_shared<manual_source>();
  source->first = "1";
  std::int64_t fed = 0;
  for (int crash = 0; crash < 10; ++crash) {
    int n = 0;
    const auto faults = [&n, crash](const append_request&) {
      return ++n % (2 + crash % 4) == 0 ? append_fault::lose_ack : append_fault::none;
    };
    start();
    for (int i = 0; i < 6; ++i) {
      fault = nullptr;
      feed({++fed}, fed);
      fault = faults;
      if (i % 2 == crash % 2)
        source->say(std::to_string(1000 * (crash * 10 + i + 1)));
      advance(std::chrono::milliseconds{(crash * 50 + i * 10) % 130});
    }
    fault = nullptr;
    end();
    source = std::make_shared<manual_source>();
    source->first = std::to_string(1000 * (crash * 10 + 6));
  }
  start();
  advance(2000ms);
  const auto got = rows();
  REQUIRE(got.size() == static_cast<std::size_t>(fed));
  // Each row is its value times some version, in the order in which the versions came.
  std::int64_t before = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto value = static_cast<std::int64_t>(i) + 1;
    REQUIRE(got[i] % value == 0);
    CHECK(got[i] / value >= before);
    before = got[i] / value;
  }
  CHECK(before > 1);
}

TEST_CASE_METHOD(world, "records go once two snapshots contain them, also while no input comes") {
  env.tune.snapshot_interval = 100ms;
  source = std::make_shared<manual_source>();
  source->first = "1";
  start();
  for (int i = 2; i < 8; ++i) {
    source->say(std::to_string(i));
    advance(2000ms);
  }
  CHECK(bus->tails("STATE", "STATE.enrich.control.>")->size() <= 4);
  feed({1}, 1);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{7});
  CHECK(source->starts == 1);
}

TEST_CASE_METHOD(world, "an orderly stop keeps the versions; the next start needs none to go on") {
  source = std::make_shared<manual_source>();
  source->first = "10";
  start();
  feed({1}, 1);
  advance(50ms);
  caf::scoped_actor asker{sys, true};
  asker->send(root, drain_atom_v);
  drain();
  advance(100ms);
  CHECK(tail().kind == frame_kind::release);
  root = nullptr;
  source = std::make_shared<manual_source>();
  start();
  feed({2}, 2);
  advance(50ms);
  CHECK(rows() == std::vector<std::int64_t>{10, 20});
}
