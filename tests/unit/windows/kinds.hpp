// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random streams, runs and records for the tests of session, count and global windows, whose models keep every event.
#pragma once

#include "tests/unit/windows/support.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace millrace::windows::testing {

struct stream_shape {
  std::uint32_t shards = 1;
  int events = 250;
  nanoseconds_t disorder = 10 * s;
  nanoseconds_t max_delay = 4 * s;
  /// Longest step of time between events; one in forty is twenty times as long.
  nanoseconds_t step = 2 * s;
  /// Prices that cannot be added without rounding.
  bool rough = false;
};

inline std::vector<piece> random_stream(const stream_shape& c, std::mt19937_64& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  std::vector<nanoseconds_t> high(c.shards, no_watermark);
  std::vector<nanoseconds_t> clock(c.shards, -20 * s);
  std::vector<std::uint64_t> place(c.shards, 1);
  const auto watermark = [&](std::uint32_t shard) {
    return high[shard] == no_watermark ? no_watermark : high[shard] - c.max_delay;
  };
  std::vector<piece> pieces;
  for (int done = 0; done < c.events;) {
    piece p;
    const auto shard = static_cast<std::uint32_t>(below(c.shards));
    for (auto n = 1 + below(30); n > 0; --n, ++done) {
      clock[shard] += below(c.step) * (below(40) == 0 ? 20 : 1);
      event e;
      e.symbol = std::string(1, static_cast<char>('A' + below(3)));
      e.price = c.rough ? static_cast<double>(random() % 1000003) / 7.0 : static_cast<double>(below(1000)) / 4.0;
      e.size = below(20) - 5;
      e.time = clock[shard] - below(c.disorder + 1);
      if (below(2) == 0)
        e.time -= ((e.time % s) + s) % s;
      e.watermark = watermark(shard);
      e.shard = shard;
      e.place = place[shard]++;
      high[shard] = std::max(high[shard], e.time);
      // The others went to another partition and only show in watermarks.
      if (below(5) != 0)
        p.rows.push_back(e);
    }
    p.watermark = end_watermark;
    for (std::uint32_t i = 0; i < c.shards; ++i)
      p.watermark = std::min(p.watermark, watermark(i));
    pieces.push_back(std::move(p));
  }
  return pieces;
}

/// Cuts every piece into chunks of at most `most` rows; the partition watermark between them follows the shard.
inline std::vector<piece> cut(const std::vector<piece>& pieces, std::size_t most) {
  std::vector<piece> out;
  nanoseconds_t before = no_watermark;
  for (const auto& p : pieces) {
    for (std::size_t i = 0; i < p.rows.size(); i += most) {
      const auto n = std::min(most, p.rows.size() - i);
      const auto first = p.rows.begin() + static_cast<std::ptrdiff_t>(i);
      piece q{{first, first + static_cast<std::ptrdiff_t>(n)}, p.watermark};
      if (i + n != p.rows.size())
        q.watermark = std::max(before, std::min(p.rows[i + n].watermark, p.watermark));
      out.push_back(std::move(q));
    }
    if (p.rows.empty())
      out.push_back(p);
    before = std::max(before, p.watermark);
  }
  return out;
}

/// One batch of everything and the end of input with it; only for a single shard.
inline std::vector<piece> join(const std::vector<piece>& pieces) {
  piece all;
  for (const auto& p : pieces)
    all.rows.insert(all.rows.end(), p.rows.begin(), p.rows.end());
  all.watermark = end_watermark;
  return {all};
}

inline const aggregates kind_aggregates{{"n", "count()"},
                                        {"sum", "sum(size)"},
                                        {"low", "min(price)"},
                                        {"open", "first(price)"},
                                        {"last", "last(price)"},
                                        {"mean", "avg(price)"},
                                        {"range", "max(price) - min(price)"}};

inline std::string number(double v) {
  std::string text;
  codec::append_double(text, v);
  return text;
}

/// The values of `kind_aggregates` over these events.
inline std::string values_over(std::vector<event> events) {
  std::sort(events.begin(), events.end(), [](const event& a, const event& b) {
    return std::tie(a.time, a.shard, a.place) < std::tie(b.time, b.shard, b.place);
  });
  std::int64_t sum = 0;
  double prices = 0;
  auto low = *events.front().price;
  auto high = low;
  for (const auto& e : events) {
    sum += *e.size;
    prices += *e.price;
    low = std::min(low, *e.price);
    high = std::max(high, *e.price);
  }
  return R"({"n":)" + std::to_string(events.size()) + R"(,"sum":)" + std::to_string(sum) + R"(,"low":)" + number(low) +
         R"(,"open":)" + number(*events.front().price) + R"(,"last":)" + number(*events.back().price) + R"(,"mean":)" +
         number(prices / static_cast<double>(events.size())) + R"(,"range":)" + number(high - low) + "}";
}

struct window_record {
  std::string key;
  nanoseconds_t start = 0;
  nanoseconds_t end = 0;
  std::int64_t seq = -1;
  std::int64_t version = 0;
  bool final = true;
  bool retracted = false;
  std::string values = "{}";
};

inline std::string text_of(const window_record& r) {
  std::string text = R"({"kind":"window","window":"w","key":{"symbol":")" + r.key + R"("},"start":)";
  codec::append_timestamp(text, r.start);
  text += R"(,"end":)";
  codec::append_timestamp(text, r.end);
  if (r.seq >= 0)
    text += R"(,"seq":)" + std::to_string(r.seq);
  text += R"(,"version":)" + std::to_string(r.version) + R"(,"final":)" + (r.final ? "true" : "false");
  if (r.retracted)
    text += R"(,"retracted":true)";
  return text + R"(,"values":)" + r.values + "}";
}

/// The same records, in whatever order.
inline void require_same_records(const std::vector<recorded::record>& got, const std::vector<recorded::record>& want) {
  require_equal(sorted(got), sorted(want));
}

/// Every damaged or cut snapshot of a busy state is refused or gives some other state: never a crash.
inline void require_sturdy_snapshots(const plan_ptr& plan, const std::vector<piece>& pieces) {
  auto p = make_processor(plan, {});
  recorded out;
  for (const auto& piece : pieces)
    feed(*p, piece.rows, piece.watermark, out);
  const auto bytes = p->snapshot();
  for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 200)
    REQUIRE(!make_processor(plan, {})->restore(std::string_view{bytes}.substr(0, n)));
  REQUIRE(!make_processor(plan, {})->restore(bytes + "x"));
  std::mt19937_64 random{1};
  for (int i = 0; i < 400; ++i) {
    auto broken = bytes;
    broken[random() % broken.size()] ^= static_cast<char>(1 + random() % 255);
    auto q = make_processor(plan, {});
    if (!q->restore(broken))
      continue;
    output o;
    const auto batch = make_batch(pieces.back().rows);
    q->process(input{"", &batch, end_watermark, 0, 0}, o);
  }
}

} // namespace millrace::windows::testing
