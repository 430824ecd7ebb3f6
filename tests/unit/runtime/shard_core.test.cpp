// SPDX-License-Identifier: Apache-2.0
// A source shard that crashes anywhere, also inside an input that was cut into frames, and whose reader brings runs of
// any size: every row stands on its subject once, with the watermark it has in an undisturbed run.
#include "actors/runtime/shard_core.hpp"

#include "tests/support/catch.hpp"

#include <random>

using namespace millrace;
using namespace millrace::runtime;

namespace {

constexpr std::uint32_t lanes = 3;
constexpr std::uint64_t messages = 30;
constexpr int rows_of_message = 60;

ingest::shard_options options() {
  ingest::shard_options o;
  codec::field_spec time;
  time.field = {"t", data_type::timestamp, false};
  time.path = {"t"};
  time.unit = codec::timestamp_unit::seconds;
  codec::field_spec key;
  key.field = {"k", data_type::string, false};
  key.path = {"k"};
  o.decode.fields = {time, key};
  o.decode.time = 0;
  o.key = {"k"};
  o.partitions = lanes;
  return o;
}

source_run run(std::uint64_t from, std::uint64_t to) {
  source_run r;
  for (auto i = from; i < to; ++i) {
    message m;
    m.sequence = i;
    m.stamp = static_cast<std::int64_t>(i) * 1'000'000'000;
    for (int j = 0; j < rows_of_message; ++j) {
      const auto n = static_cast<int>(i) * rows_of_message + j;
      m.payload += R"({"t":)" + std::to_string(n) + R"(,"k":"k)" + std::to_string(n % 7) + "\"}\n";
    }
    r.messages.push_back(std::move(m));
  }
  r.next_place = to - 1;
  return r;
}

/// What stands on the subjects: times and watermarks, and the tail's checkpoint.
struct durable {
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> rows{lanes};
  std::vector<checkpoint> tails{lanes};

  void store(const lane_frame& lf) {
    const auto& f = lf.content;
    for (const auto& x : f.sections)
      for (std::size_t i = 0; i < x.batch.rows; ++i)
        rows[lf.lane].emplace_back(x.batch.time[i], x.batch.watermark[i]);
    REQUIRE(f.watermark >= tails[lf.lane].told);
    tails[lf.lane] = {f.origin, f.origin.rows > 0 ? f.origin_watermark : f.watermark, f.high_time, f.counters,
                      f.watermark};
  }
};

std::unique_ptr<shard_core> start(const durable& d) {
  auto s = ingest::shard::make(options(), 0);
  REQUIRE(s);
  auto core = std::make_unique<shard_core>(std::move(*s), 0, lanes, 1, "", false);
  core->resume(d.tails, {});
  return core;
}

} // namespace

TEST_CASE("a shard that crashes inside cut inputs writes every row once, whatever its reader brings") {
  durable calm;
  {
    auto core = start(calm);
    auto all = run(1, messages + 1);
    REQUIRE(core->take(all));
    while (core->has_output())
      for (const auto& f : core->next(1 << 20).frames)
        calm.store(f);
  }
  std::mt19937_64 random{20261121};
  for (int round = 0; round < 300; ++round) {
    durable d;
    for (bool done = false; !done;) {
      auto core = start(d);
      auto next = core->place() + 1;
      // A crash between the appends of one job: what a subject did not get, it does not get later either.
      std::vector<bool> dead(lanes, false);
      const auto store = [&](const std::vector<lane_frame>& frames, bool last) {
        for (const auto& f : frames) {
          if (last && random() % 3 == 0)
            dead[f.lane] = true;
          if (!dead[f.lane])
            d.store(f);
        }
      };
      const auto steps = random() % 6;
      for (std::uint64_t step = 0; step <= steps; ++step) {
        if (next <= messages) {
          const auto to = std::min(messages + 1, next + 1 + random() % 8);
          auto some = run(next, to);
          REQUIRE(core->take(some));
          next = to;
        }
        for (auto n = random() % 4; n > 0 && core->has_output(); --n)
          store(core->next(256 + random() % 2048).frames, step == steps);
        if (random() % 3 == 0 && !core->has_output())
          store(core->ticks(), step == steps);
      }
      if (next > messages && random() % 4 == 0) {
        while (core->has_output())
          store(core->next(1 << 16).frames, false);
        store(core->ticks(), false);
      }
      done = true;
      for (const auto& t : d.tails)
        done = done && t.covered.sequence == messages;
    }
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      INFO("round " << round << ", lane " << lane);
      REQUIRE(d.rows[lane].size() == calm.rows[lane].size());
      REQUIRE((d.rows[lane] == calm.rows[lane]));
    }
  }
}
