// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rules, window results and events in a few words, for the tests of the alert stage.
#pragma once

#include "actors/alerts/plan.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <optional>
#include <string>
#include <vector>

namespace alerts_test {

using namespace millrace;
using namespace millrace::alerts;

using list = std::vector<std::string>;
constexpr nanoseconds_t second = 1'000'000'000;

inline schema_ptr layout(std::vector<field> fields) { return std::make_shared<const schema>(std::move(fields)); }

/// Results of a window with the key `symbol`, and a value of each kind.
inline schema_ptr ohlc() {
  return layout({{"symbol", data_type::string, false},
                 {"$start", data_type::timestamp, false},
                 {"$end", data_type::timestamp, false},
                 {"$version", data_type::int64, false},
                 {"$final", data_type::boolean, false},
                 {"$retracted", data_type::boolean, false},
                 {"change", data_type::float64, true},
                 {"trades", data_type::int64, true},
                 {"$errors", data_type::json, true}});
}

inline schema_ptr trades() {
  return layout({{"symbol", data_type::string, false},
                 {"price", data_type::float64, true},
                 {"size", data_type::int64, false},
                 {"venue", data_type::string, true}});
}

inline std::vector<scope> scopes() { return {{"", trades(), {"symbol"}}, {"ohlc", ohlc(), {"symbol"}}}; }

inline rule_options rule(std::string name, std::string on, std::string when, std::string clear = "",
                         nanoseconds_t hold = 0) {
  rule_options o;
  o.name = std::move(name);
  o.on = std::move(on);
  o.when = std::move(when);
  o.clear = std::move(clear);
  o.hold = hold;
  return o;
}

inline plan_ptr good_plan(std::vector<rule_options> rules) {
  std::vector<diagnostic> findings;
  auto p = make_plan("trades", std::move(rules), scopes(), findings);
  for (const auto& f : findings)
    UNSCOPED_INFO(f.path << ": " << f.message);
  REQUIRE(p);
  REQUIRE(findings.empty());
  return p;
}

struct window_row {
  std::string symbol;
  /// Seconds; the window is one minute long.
  int end = 60;
  std::optional<double> change = std::nullopt;
  int version = 0;
  bool final = true;
  /// Seconds; default: the end.
  std::optional<int> watermark = std::nullopt;
};

inline event_batch results(const std::vector<window_row>& rows) {
  batch_builder b{ohlc()};
  for (const auto& r : rows) {
    const auto end = r.end * second;
    b.set_text(0, r.symbol);
    b.set_int(1, end - 60 * second);
    b.set_int(2, end);
    b.set_int(3, r.version);
    b.set_bool(4, r.final);
    b.set_bool(5, false);
    if (r.change)
      b.set_double(6, *r.change);
    b.set_int(7, 3);
    // A window closes once: later emissions are updates.
    const bool closing = r.final && r.version == 0 && r.watermark.value_or(r.end) <= r.end;
    b.finish_row(end, r.watermark.value_or(r.end) * second, 0, closing ? row_closing : 0);
  }
  return b.finish();
}

struct event_row {
  std::string symbol;
  /// Seconds.
  int time = 0;
  std::optional<double> price = std::nullopt;
  int watermark = 0;
};

inline event_batch events(const std::vector<event_row>& rows) {
  batch_builder b{trades()};
  for (const auto& r : rows) {
    b.set_text(0, r.symbol);
    if (r.price)
      b.set_double(1, *r.price);
    b.set_int(2, 1);
    b.finish_row(r.time * second, r.watermark * second, 0, 0);
  }
  return b.finish();
}

/// `rule symbol state@at/since` in seconds, `!due` where that differs from at.
inline list briefs(const event_batch& b) {
  list out;
  for (std::size_t i = 0; i < b.rows; ++i) {
    const auto time = [&](nanoseconds_t t) {
      CHECK(t % second == 0);
      return std::to_string(t / second);
    };
    auto s = std::string{b.columns[0].text(i)} + " " + std::string{b.columns[2].text(i)} + " " +
             std::string{b.columns[3].text(i)} + "@" + time(b.columns[4].i64[i]) + "/" + time(b.columns[5].i64[i]);
    if (b.watermark[i] != b.time[i])
      s += "!" + time(b.watermark[i]);
    out.push_back(std::move(s));
  }
  return out;
}

inline event_batch feed(processor& p, std::string_view section, const event_batch& b, nanoseconds_t watermark,
                        nanoseconds_t high_time) {
  output out;
  input in;
  in.section = section;
  in.batch = &b;
  in.watermark = watermark;
  in.high_time = high_time;
  p.process(in, out);
  CHECK(p.counters().imbalance() == 0);
  CHECK(out.rejected.empty());
  if (out.sections.empty())
    return event_batch::make(alert_schema());
  CHECK(out.sections.size() == 1);
  CHECK(out.sections[0].name == codec::section_alerts);
  CHECK(*out.sections[0].batch.layout == *alert_schema());
  return std::move(out.sections[0].batch);
}

/// Window results and then progress, all in seconds.
inline event_batch feed_windows(processor& p, const std::vector<window_row>& rows, int watermark) {
  return feed(p, "ohlc", results(rows), watermark * second, watermark * second);
}
inline event_batch feed_events(processor& p, const std::vector<event_row>& rows, int watermark, int high_time = 0) {
  return feed(p, "", events(rows), watermark * second, std::max(watermark, high_time) * second);
}

} // namespace alerts_test
