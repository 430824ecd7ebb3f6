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

  world() {
    memory_options o;
    o.now = [this] { return now; };
    o.inline_callbacks = true;
    o.before_append = [this](const append_request& r) { return fault ? fault(r) : append_fault::none; };
    bus = make_memory_bus(o);
    for (const char* name : {"IN", "OUT", "STATE", "REJECTED"})
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
    s.names.state_log = "STATE";
    s.names.state_prefix = "STATE.enrich";
    s.names.rejected_log = "REJECTED";
    s.names.rejected_subject = "REJECTED.enrich.0";
    s.names.definition = 1;
    s.names.instance = "test";
    s.input_log = "IN";
    s.writers = {"IN.a"};
    s.make_processor = [] { return std::make_unique<test::summing_processor>(); };
    s.trim = {"p", "IN", "enrich", {"enrich"}, false, 0};
    return s;
  }

  void start() {
    root =
      spawn_supervisor(sys, env,
                       {{"p/enrich/0",
                         [this](caf::actor_system& s, const environment& e, supervisor_actor parent, std::uint64_t i) {
                           auto sp = spec();
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

  std::vector<std::int64_t> rows() {
    std::vector<std::int64_t> out;
    for (const auto& m : log("OUT"))
      test::append_values(out, decode_frame(m.payload)->sections);
    return out;
  }

  frame tail() { return std::move(*decode_frame(log("OUT").back().payload)); }
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
