// SPDX-License-Identifier: Apache-2.0
/// @file
/// Events, batches and runs for the tests of the window stage.
#pragma once

#include "actors/windows/plan.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace millrace::windows::testing {

inline constexpr nanoseconds_t s = 1'000'000'000;

struct event {
  std::optional<std::string> symbol;
  std::optional<double> price;
  std::optional<std::int64_t> size;
  nanoseconds_t time = 0;
  nanoseconds_t watermark = no_watermark;
  std::uint32_t shard = 0;
  std::uint64_t place = 0;
};

inline schema_ptr event_schema() {
  static const auto layout = std::make_shared<const schema>(std::vector<field>{
    {"symbol", data_type::string, true},
    {"price", data_type::float64, true},
    {"size", data_type::int64, true},
    {"lot", data_type::uint64, false},
    {"span", data_type::duration, false},
    {"at", data_type::timestamp, false},
    {"big", data_type::boolean, false},
    {"raw", data_type::json, true},
  });
  return layout;
}

inline event_batch make_batch(const std::vector<event>& events) {
  batch_builder b{event_schema()};
  for (const auto& e : events) {
    if (e.symbol)
      b.set_text(0, *e.symbol);
    if (e.price)
      b.set_double(1, *e.price);
    if (e.size)
      b.set_int(2, *e.size);
    b.set_uint(3, static_cast<std::uint64_t>(e.size.value_or(0)));
    b.set_int(4, e.size.value_or(0));
    b.set_int(5, e.time);
    b.set_bool(6, e.size.value_or(0) > 5);
    b.set_text(7, "{\"n\":1}");
    b.finish_row(e.time, e.watermark, make_position(e.place, 0), e.shard);
  }
  return b.finish();
}

using aggregates = std::vector<std::pair<std::string, std::string>>;

inline window_options tumbling(nanoseconds_t size, aggregates a, nanoseconds_t lateness = 0,
                               std::vector<std::string> key = {"symbol"}) {
  return {"w", std::move(key), window_kind::tumbling, size, size, lateness, "", std::move(a)};
}

inline window_options sliding(nanoseconds_t size, nanoseconds_t every, aggregates a, nanoseconds_t lateness = 0,
                              std::vector<std::string> key = {"symbol"}) {
  return {"w", std::move(key), window_kind::sliding, size, every, lateness, "", std::move(a)};
}

inline std::string text_of(const std::vector<diagnostic>& findings) {
  std::string text;
  for (const auto& f : findings)
    text += f.path + "@" + std::to_string(f.offset) + ": " + f.message + " (" + f.hint + ")\n";
  return text;
}

inline plan_ptr plan_of(std::vector<window_options> windows) {
  std::vector<diagnostic> findings;
  auto p = make_plan(std::move(windows), event_schema(), findings);
  INFO(text_of(findings));
  REQUIRE(p);
  return p;
}

/// What came out, as JSON lines in the order of output.
struct recorded {
  struct record {
    nanoseconds_t due;
    std::string text;
    friend auto operator<=>(const record&, const record&) = default;
  };
  std::vector<record> results;
  std::vector<rejected_event> rejected;

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& r : results)
      out.push_back(r.text);
    return out;
  }
};

inline void record_output(const output& out, recorded& into) {
  for (const auto& sec : out.sections) {
    for (std::size_t row = 0; row < sec.batch.rows; ++row) {
      std::string text;
      codec::append_window_record(text, sec.name, sec.batch, row);
      into.results.push_back({sec.batch.watermark[row], std::move(text)});
      REQUIRE(sec.batch.position[row] == static_cast<std::int64_t>(row));
    }
  }
  into.rejected.insert(into.rejected.end(), out.rejected.begin(), out.rejected.end());
}

inline void feed(processor& p, const std::vector<event>& events, nanoseconds_t watermark, recorded& into) {
  const auto batch = make_batch(events);
  output out;
  p.process(input{"", &batch, watermark, no_watermark, 0}, out);
  record_output(out, into);
  REQUIRE(p.counters().imbalance() == 0);
}

/// One batch with these events, then the end of input.
inline recorded run(const std::vector<window_options>& windows, const std::vector<event>& events,
                    nanoseconds_t watermark = end_watermark) {
  auto p = make_processor(plan_of(windows), {});
  recorded out;
  feed(*p, events, watermark, out);
  return out;
}

/// Rows of one shard and the partition watermark after them.
struct piece {
  std::vector<event> rows;
  nanoseconds_t watermark = no_watermark;
};

/// Runs to the end of input. @param restore chance in percent of going on from a snapshot after a batch
inline recorded run_pieces(const plan_ptr& plan, const std::vector<piece>& pieces, ledger& counters,
                           unsigned restore = 0) {
  std::mt19937_64 random{pieces.size()};
  auto p = make_processor(plan, {});
  recorded out;
  for (const auto& piece : pieces) {
    feed(*p, piece.rows, piece.watermark, out);
    if (random() % 100 >= restore)
      continue;
    auto next = make_processor(plan, {});
    REQUIRE(next->restore(p->snapshot()));
    REQUIRE(next->snapshot() == p->snapshot());
    REQUIRE(next->state_keys() == p->state_keys());
    REQUIRE(next->state_bytes() == p->state_bytes());
    p = std::move(next);
  }
  feed(*p, {}, end_watermark, out);
  counters = p->counters();
  REQUIRE(counters.absorbed == counters.retired);
  REQUIRE(p->state_keys() == 0);
  return out;
}

inline std::vector<recorded::record> sorted(std::vector<recorded::record> r) {
  std::sort(r.begin(), r.end());
  return r;
}

/// Shows the first difference only.
inline void require_equal(const std::vector<recorded::record>& got, const std::vector<recorded::record>& want) {
  const auto [g, w] = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
  const recorded::record none{0, "nothing"};
  const auto& a = g == got.end() ? none : *g;
  const auto& b = w == want.end() ? none : *w;
  INFO("got  " << a.due << ' ' << a.text << "\nwant " << b.due << ' ' << b.text);
  const bool equal = got == want;
  REQUIRE(equal);
}

/// The "values" object (and what follows) of a record.
inline std::string values_of(const std::string& record) { return record.substr(record.find("\"values\"")); }

} // namespace millrace::windows::testing
