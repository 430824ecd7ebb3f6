// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/cursor.hpp"
#include "tests/unit/storage/fixture.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <tuple>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::testing;

namespace {

section alerts_section(const std::vector<std::tuple<std::string, std::string, std::string, nanoseconds_t>>& rows) {
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"rule", data_type::string, false},
                                                                    {"id", data_type::string, false},
                                                                    {"key", data_type::json, false},
                                                                    {"state", data_type::string, false},
                                                                    {"at", data_type::timestamp, false},
                                                                    {"since", data_type::timestamp, false},
                                                                    {"severity", data_type::string, true},
                                                                    {"labels", data_type::json, false},
                                                                    {"summary", data_type::string, false},
                                                                    {"values", data_type::json, false}})};
  for (const auto& [rule, id, state, at] : rows) {
    b.set_text(0, rule);
    b.set_text(1, id);
    b.set_text(2, R"({"symbol":"AAPL"})");
    b.set_text(3, state);
    b.set_int(4, at);
    b.set_int(5, at - 5);
    if (rule == "spike")
      b.set_text(6, "critical");
    b.set_text(7, R"({"team":"markets"})");
    b.set_text(8, "it \"moved\"");
    b.set_text(9, R"({"change":0.07})");
    b.finish_row(at, at, 0, 0);
  }
  return {std::string{codec::section_alerts}, b.finish()};
}

section events_section(int first, int count) {
  batch_builder b{std::make_shared<const schema>(
    std::vector<field>{{"symbol", data_type::string, false}, {"size", data_type::int64, false}})};
  for (int i = first; i < first + count; ++i) {
    b.set_text(0, i % 2 == 0 ? "even" : "odd");
    b.set_int(1, i);
    b.finish_row(i / 3, 0, make_position(static_cast<std::uint64_t>(i), 0), static_cast<std::uint32_t>(i % 4));
  }
  return {"", b.finish()};
}

/// Every item, page by page.
template <class Query, class Call>
std::vector<std::string> all_pages(Query q, Call call) {
  std::vector<std::string> out;
  for (int pages = 0; pages < 1000; ++pages) {
    const page p = must(call(q));
    CHECK(p.items.size() <= q.limit);
    out.insert(out.end(), p.items.begin(), p.items.end());
    if (p.next.empty())
      return out;
    q.cursor = p.next;
  }
  FAIL("the cursor does not move");
  return out;
}

} // namespace

TEST_CASE("the store holds what a map that keeps the largest version holds") {
  // start, key (as JSON text: that is what orders), to the record and its version.
  using model = std::map<std::pair<nanoseconds_t, std::string>, window_row>;
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random{seed};
    const temp_dir dir;
    const auto w = writer_on(dir);
    log_feed feed{*w, "log"};
    model naive;
    for (int frame = 0; frame < 30; ++frame) {
      std::vector<window_row> rows;
      for (int i = 0; i < 20; ++i) {
        window_row r;
        r.symbol = std::string{"ABCDE"[random() % 5]};
        r.venue = static_cast<std::int64_t>(random() % 2);
        r.start = static_cast<nanoseconds_t>(random() % 6) * 1'000'000'000;
        r.version = static_cast<std::int64_t>(random() % 8);
        // A version stands for one content.
        r.trades = r.version * 10 + r.venue;
        r.retracted = r.version == 5;
        rows.push_back(r);
        const std::string key = R"({"symbol":")" + r.symbol + R"(","venue":)" + std::to_string(r.venue) + '}';
        const auto [at, fresh] = naive.try_emplace({r.start, key}, r);
        if (!fresh && r.version > at->second.version)
          at->second = r;
      }
      feed.write({windows_section(rows)});
    }
    std::vector<std::string> expected;
    std::map<std::string, std::string> newest;
    for (const auto& [where, row] : naive) {
      expected.push_back(record_of(row));
      if (!row.retracted)
        newest[where.second] = record_of(row);
    }
    const auto reader = reader_on(dir);
    for (const std::size_t limit : {1U, 7U, 1000U}) {
      auto q = all_windows();
      q.limit = limit;
      const auto call = [&](const window_query& x) { return reader->windows(x); };
      CHECK(all_pages(q, call) == expected);
      q.descending = true;
      CHECK(all_pages(q, call) == std::vector<std::string>(expected.rbegin(), expected.rend()));
      std::vector<std::string> want;
      for (const auto& [key, text] : newest)
        want.push_back(text);
      CHECK(all_pages(q, [&](const window_query& x) { return reader->latest(x); }) == want);
    }
    for (const auto& [key, text] : newest) {
      auto q = all_windows();
      q.key = {{"venue", key.substr(key.size() - 2, 1)}, {"symbol", key.substr(10, 3)}};
      CHECK(must(reader->latest(q)).items == std::vector<std::string>{text});
    }
  }
}

TEST_CASE("from is inclusive and to is exclusive") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  feed.write({windows_section({{"A", 0, 10, 0, 1}, {"A", 0, 20, 0, 2}, {"A", 0, 30, 0, 3}})});
  auto q = all_windows();
  q.from = 10;
  q.to = 30;
  const auto got = must(reader_on(dir)->windows(q));
  REQUIRE(got.items.size() == 2);
  CHECK(got.items[0].find(R"("trades":1)") != std::string::npos);
}

TEST_CASE("pipelines and windows of one file do not see each other") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed mine{*w, "log"};
  log_feed theirs{*w, "log", "q"};
  mine.write({windows_section({{"A", 0, 1, 0, 1}}), windows_section({{"A", 0, 1, 0, 1}}, "other")});
  theirs.write({windows_section({{"A", 0, 1, 5, 1}, {"B", 0, 1, 5, 1}})});
  const auto reader = reader_on(dir);
  CHECK(must(reader->windows(all_windows())).items.size() == 1);
  CHECK(must(reader->windows(all_windows("q"))).items.size() == 2);
  CHECK(must(reader->latest(all_windows())).items.size() == 1);
}

TEST_CASE("a key filter compares JSON values: text is not a number, and a number matches however it is written") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  feed.write({windows_section({{"5", 5, 1, 0, 1}, {"A\"b", 5, 2, 0, 2}, {"5", 6, 3, 0, 3}})});
  const auto reader = reader_on(dir);
  const auto count = [&](std::vector<std::pair<std::string, std::string>> key) {
    auto q = all_windows();
    q.key = std::move(key);
    return must(reader->windows(q)).items.size();
  };
  CHECK(count({{"symbol", R"("5")"}}) == 2);
  CHECK(count({{"symbol", "5"}}) == 0);
  CHECK(count({{"symbol", R"("5")"}, {"symbol", "5"}}) == 2);
  CHECK(count({{"symbol", R"("A\"b")"}}) == 1);
  CHECK(count({{"venue", "5"}}) == 2);
  CHECK(count({{"venue", "5.0"}}) == 2);
  CHECK(count({{"venue", "5e0"}}) == 2);
  CHECK(count({{"venue", R"("5")"}}) == 0);
  CHECK(count({{"nothing", "5"}}) == 0);
  CHECK(count({{"venue", "5.0"}, {"symbol", R"("5")"}}) == 1);
  CHECK(count({{"venue", "7"}, {"symbol", R"("5")"}}) == 0);
  CHECK(count({{"venue", "5"}, {"symbol", R"("5")"}, {"nothing", "1"}}) == 0);
  auto q = all_windows();
  q.key = {{"a\"b", "1"}};
  CHECK(reader->windows(q).error().code == ec::invalid);
}

TEST_CASE("a cursor of another list, or of nobody, is invalid") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  const auto reader = reader_on(dir);
  for (const std::string bad : {"x", "!!!", "eyJ9", "d2Zvbw"}) {
    auto q = all_windows();
    q.cursor = bad;
    const auto r = reader->windows(q);
    REQUIRE(!r);
    CHECK(r.error().code == ec::invalid);
  }
  const cursor c{'a', {std::numeric_limits<std::int64_t>::min(), 7}, "x;y\xff"};
  CHECK(must(decode_cursor(encode_cursor(c), 'a', 2)) == c);
  CHECK(!decode_cursor(encode_cursor(c), 'w', 2));
  CHECK(!decode_cursor(encode_cursor(c), 'a', 3));
}

TEST_CASE("alerts are stored once per incident and state, and read back as their records") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  const auto rows = alerts_section({{"spike", "i1", "pending", 10},
                                    {"spike", "i1", "firing", 20},
                                    {"silent", "i2", "firing", 20},
                                    {"spike", "i1", "resolved", 30}});
  feed.write({rows});
  feed.write({rows});
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < rows.batch.rows; ++i) {
    expected.emplace_back();
    codec::append_alert_record(expected.back(), rows.batch, i);
  }
  const auto reader = reader_on(dir);
  const auto call = [&](const alert_query& x) { return reader->alerts(x); };
  alert_query q;
  q.pipeline = "p";
  q.descending = false;
  for (const std::size_t limit : {1U, 3U, 100U}) {
    q.limit = limit;
    CHECK(all_pages(q, call) == expected);
  }
  q.descending = true;
  q.limit = 2;
  CHECK(all_pages(q, call) == std::vector<std::string>(expected.rbegin(), expected.rend()));
  q.state = "firing";
  CHECK(must(reader->alerts(q)).items.size() == 2);
  q.rule = "silent";
  CHECK(must(reader->alerts(q)).items == std::vector<std::string>{expected[2]});
  q.from = 21;
  CHECK(must(reader->alerts(q)).items.empty());
  q = {};
  q.pipeline = "p";
  q.from = 20;
  q.to = 30;
  CHECK(must(reader->alerts(q)).items.size() == 2);
}

TEST_CASE("events are kept only if asked for, and are found by member and time") {
  const temp_dir dir;
  {
    const auto w = writer_on(dir, false);
    log_feed feed{*w, "log"};
    feed.write({events_section(0, 10)});
  }
  const auto reader = reader_on(dir);
  event_query q;
  q.pipeline = "p";
  q.descending = false;
  CHECK(must(reader->events(q)).items.empty());
  const auto w = writer_on(dir, true);
  log_feed feed{*w, "log"};
  feed.write({events_section(0, 30)});
  feed.write({events_section(20, 20)});
  const auto call = [&](const event_query& x) { return reader->events(x); };
  q.limit = 7;
  const auto all = all_pages(q, call);
  REQUIRE(all.size() == 40);
  CHECK(all[0] == R"({"symbol":"even","size":0})");
  q.descending = true;
  auto backwards = all_pages(q, call);
  std::reverse(backwards.begin(), backwards.end());
  CHECK(backwards == all);
  q.match = {{"symbol", R"("odd")"}};
  CHECK(all_pages(q, call).size() == 20);
  q.match.emplace_back("size", "3");
  CHECK(all_pages(q, call) == std::vector<std::string>{R"({"symbol":"odd","size":3})"});
  q.match.clear();
  q.from = 1;
  q.to = 2;
  CHECK(all_pages(q, call).size() == 3);
}

TEST_CASE("the watermark is the smallest of the pipeline's logs, and unknown while one of them is") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  const auto reader = reader_on(dir);
  CHECK(must(reader->watermark("p")) == no_watermark);
  log_feed a{*w, "a"};
  a.write({}, 100);
  CHECK(must(reader->watermark("p")) == 100);
  log_feed b{*w, "b"};
  CHECK(must(reader->watermark("p")) == no_watermark);
  b.write({}, end_watermark);
  CHECK(must(reader->watermark("p")) == 100);
  a.write({}, end_watermark);
  CHECK(must(reader->watermark("p")) == end_watermark);
  CHECK(must(reader->watermark("other")) == no_watermark);
}

TEST_CASE("a reader without a database says that it is not there yet") {
  const temp_dir dir;
  sqlite_options o;
  o.path = dir.file();
  const auto r = open_sqlite_reader(o);
  REQUIRE(!r);
  CHECK(r.error().code == ec::unavailable);
  CHECK(r.error().message.find(o.path) != std::string::npos);
}

TEST_CASE("readers on several threads see whole transactions while a writer goes on") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  const auto reader = reader_on(dir);
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        const auto p = reader->windows(all_windows());
        if (!p || p->items.size() % 5 != 0)
          ++bad;
      }
    });
  for (int frame = 0; frame < 40; ++frame) {
    std::vector<window_row> rows;
    for (int i = 0; i < 5; ++i)
      rows.push_back({"S", i, frame, 0, 1});
    feed.write({windows_section(rows)});
  }
  stop = true;
  for (auto& t : threads)
    t.join();
  CHECK(bad == 0);
  CHECK(must(reader->windows(all_windows())).items.size() == 200);
}
