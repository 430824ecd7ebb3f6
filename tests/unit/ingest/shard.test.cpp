// SPDX-License-Identifier: Apache-2.0
#include "actors/ingest/shard.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

using namespace millrace;

namespace {

constexpr nanoseconds_t second = 1'000'000'000;

ingest::shard_options options() {
  ingest::shard_options o;
  codec::field_spec ts;
  ts.field = {"t", data_type::timestamp, false};
  ts.path = {"t"};
  ts.unit = codec::timestamp_unit::seconds;
  codec::field_spec k;
  k.field = {"k", data_type::string, true};
  k.path = {"k"};
  o.decode.fields = {ts, k};
  o.decode.time = 0;
  o.key = {"k"};
  o.max_delay = 5 * second;
  return o;
}

std::unique_ptr<ingest::shard> make(const ingest::shard_options& o, std::uint32_t index = 2) {
  auto made = ingest::shard::make(o, index);
  REQUIRE(made.has_value());
  return std::move(*made);
}

void feed(ingest::shard& s, const std::string& payload, std::uint64_t place, nanoseconds_t arrival = 0) {
  codec::source_message m;
  m.payload = payload;
  m.place = place;
  m.arrival = arrival;
  s.feed(m);
}

std::string at(std::int64_t t) { return "{\"t\":" + std::to_string(t) + ",\"k\":\"a\"}\n"; }

} // namespace

TEST_CASE("a row carries the watermark before it, which never goes back") {
  auto s = make(options());
  CHECK(s->watermark() == no_watermark);
  feed(*s, at(100) + at(50) + "bad\n" + at(110) + at(104), 1);
  const auto c = s->take();
  CHECK(c.batch.watermark == std::vector<std::int64_t>{no_watermark, 95 * second, 95 * second, 105 * second});
  REQUIRE(c.rejected.size() == 1);
  CHECK(c.rejected[0].watermark == 95 * second);
  CHECK(c.rejected[0].stage == "ingest");
  CHECK(c.rejected[0].origin == "2:1:2");
  CHECK(c.rejected[0].shard == 2);
  CHECK(s->watermark() == 105 * second);
  CHECK(s->high_time() == 110 * second);
  CHECK(c.batch.shard == std::vector<std::uint32_t>{2, 2, 2, 2});
  CHECK(s->counters().in == 5);
  CHECK(s->counters().forwarded == 4);
  CHECK(s->counters().rejected == 1);
  CHECK(s->counters().imbalance() == 0);
}

TEST_CASE("an event beyond max_ahead of its arrival is rejected and moves nothing") {
  auto o = options();
  o.max_ahead = 10 * second;
  auto s = make(o);
  feed(*s, at(100) + at(111), 1, 100 * second);
  feed(*s, at(111) + at(112) + "x\n", 2, 101 * second);
  const auto c = s->take();
  CHECK(c.batch.time == std::vector<std::int64_t>{100 * second, 111 * second});
  CHECK(c.batch.watermark == std::vector<std::int64_t>{no_watermark, 95 * second});
  REQUIRE(c.rejected.size() == 3);
  CHECK(c.rejected[0].reason == "future");
  CHECK(c.rejected[0].origin == "2:1:1");
  CHECK(c.rejected[0].watermark == 95 * second);
  CHECK(c.rejected[0].body == R"({"t":"1970-01-01T00:01:51.000Z","k":"a"})");
  CHECK(c.rejected[1].origin == "2:2:1");
  CHECK(c.rejected[2].reason == "malformed");
  CHECK(s->watermark() == 106 * second);
  CHECK(s->counters().rejected == 3);
  CHECK(s->counters().imbalance() == 0);
}

TEST_CASE("without max_ahead no event is too early") {
  auto s = make(options());
  feed(*s, at(9'000'000'000), 1, 0);
  CHECK(s->take().batch.rows == 1);
}

TEST_CASE("an idle shard follows log time, an ended one lets everything close") {
  auto s = make(options());
  s->idle_until(100 * second);
  CHECK(s->watermark() == 95 * second);
  s->idle_until(50 * second);
  CHECK(s->watermark() == 95 * second);
  s->end();
  CHECK(s->watermark() == end_watermark);
  CHECK(s->high_time() == no_watermark);
}

TEST_CASE("a shard resumes with watermark and counters of its tail") {
  auto s = make(options());
  ledger before;
  before.in = 10;
  before.forwarded = 10;
  s->resume(42 * second, 47 * second, before);
  feed(*s, at(10), 5);
  const auto c = s->take();
  CHECK(c.batch.watermark == std::vector<std::int64_t>{42 * second});
  CHECK(s->high_time() == 47 * second);
  CHECK(s->counters().in == 11);
}

TEST_CASE("rows are split by the partition of their key, in order") {
  auto o = options();
  o.partitions = 4;
  auto s = make(o);
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "{\"t\":1,\"k\":\"k" + std::to_string(i % 17) + "\"}\n";
  feed(*s, text, 1);
  const auto c = s->take();
  std::vector<std::vector<std::uint32_t>> rows;
  s->split(c.batch, rows);
  REQUIRE(rows.size() == 4);
  std::size_t total = 0;
  for (std::uint32_t p = 0; p < 4; ++p) {
    CHECK(std::is_sorted(rows[p].begin(), rows[p].end()));
    for (const std::uint32_t r : rows[p]) {
      std::string key;
      const std::size_t column = 1;
      append_key(key, c.batch, {&column, 1}, r);
      CHECK(partition_of(key, 4) == p);
    }
    total += rows[p].size();
  }
  CHECK(total == 100);
  o.key.clear();
  s = make(o);
  s->split(c.batch, rows);
  CHECK(rows[0].size() == 100);
  CHECK(rows[3].empty());
}

TEST_CASE("a key that is not decoded is a configuration error") {
  auto o = options();
  o.key = {"nope"};
  CHECK_FALSE(ingest::shard::make(o, 0).has_value());
}

TEST_CASE("watermarks do not depend on how events are cut into messages and chunks") {
  std::mt19937_64 random{9};
  std::vector<std::string> lines;
  std::vector<std::int64_t> times;
  for (int i = 0; i < 500; ++i) {
    const bool bad = random() % 10 == 0;
    times.push_back(bad ? -1 : 1000 + i + static_cast<std::int64_t>(random() % 40));
    lines.push_back(bad ? "{\"t\":}\n" : at(times.back()));
  }
  // The model: straight from rule 1.9.
  std::vector<std::int64_t> expected;
  std::int64_t high = no_watermark;
  for (const auto t : times) {
    if (t < 0)
      continue;
    expected.push_back(high == no_watermark ? no_watermark : (high - 5) * second);
    high = std::max(high, t);
  }
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, lines.size()}) {
    auto s = make(options());
    std::vector<std::int64_t> got;
    for (std::size_t i = 0; i < lines.size(); i += step) {
      std::string payload;
      for (std::size_t k = i; k < std::min(lines.size(), i + step); ++k)
        payload += lines[k];
      feed(*s, payload, i);
      if (random() % 2 == 0) {
        const auto c = s->take();
        got.insert(got.end(), c.batch.watermark.begin(), c.batch.watermark.end());
      }
    }
    const auto c = s->take();
    got.insert(got.end(), c.batch.watermark.begin(), c.batch.watermark.end());
    CHECK(got == expected);
    CHECK(s->counters().in == lines.size());
    CHECK(s->counters().imbalance() == 0);
  }
}
