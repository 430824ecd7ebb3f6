// SPDX-License-Identifier: Apache-2.0
// Table versions around a partition: recorded before use, at the same place again after a crash.
#include "tests/actor/world.hpp"

using namespace millrace;
using namespace millrace::runtime;
using millrace::test::manual_source;
using millrace::test::world;
using namespace std::chrono_literals;

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
