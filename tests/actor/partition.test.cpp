// SPDX-License-Identifier: Apache-2.0
// The actors around a stage, on the deterministic scheduler and the memory bus: who starts what, what a failure, a
// restart and a stop leave behind.
#include "tests/actor/world.hpp"

#include <set>

using namespace millrace;
using namespace millrace::runtime;
using millrace::test::world;
using namespace std::chrono_literals;

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
