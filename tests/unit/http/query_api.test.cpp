// SPDX-License-Identifier: Apache-2.0
#include "services/http/query_api.hpp"

#include "services/http/time_text.hpp"
#include "tests/unit/http/client.hpp"
#include "tests/unit/storage/fixture.hpp"

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::http;
using namespace millrace::http::testing;
using storage::testing::log_feed;
using storage::testing::temp_dir;
using storage::testing::window_row;

namespace {

constexpr nanoseconds_t minute = 60'000'000'000;

/// A storage service on a real port: three minutes of two keys.
struct service {
  explicit service(bool events = false) : writer{storage::testing::writer_on(dir, events)} {
    for (int i = 0; i < 3; ++i)
      for (const std::string symbol : {"AAPL", "5"})
        rows.push_back({symbol, 7, i * minute, 0, i});
    log_feed feed{*writer, "log"};
    feed.write({storage::testing::windows_section(rows)}, 3 * minute);
    query_options o;
    o.pipeline = "p";
    o.windows = {{"w", {"symbol", "venue"}}, {"empty", {}}};
    o.rules = {"spike"};
    o.events = events;
    o.event_fields = {"symbol", "limit"};
    add_query_routes(http, o, storage::testing::reader_on(dir));
    REQUIRE(http.start());
  }

  answer get(const std::string& target) { return ask(http.port(), "GET", target); }
  nlohmann::json json(const std::string& target) {
    const auto a = get(target);
    INFO(target << ": " << a.body);
    REQUIRE(a.status == 200);
    return nlohmann::json::parse(a.body);
  }

  temp_dir dir;
  std::unique_ptr<storage::store_writer> writer;
  std::vector<window_row> rows;
  server http{server_options{}};
};

} // namespace

TEST_CASE("a list holds the records, newest first, and a null cursor at its end") {
  service s;
  const auto a = s.get("/v1/windows/w");
  CHECK(a.status == 200);
  // "5" sorts before "AAPL", so that a page of the same start goes AAPL, 5.
  std::string expected = "{\"items\":[";
  for (int i = 2; i >= 0; --i) {
    const auto first = static_cast<std::size_t>(i) * 2;
    expected += (i == 2 ? "" : ",") + storage::testing::record_of(s.rows[first]) + ',' +
                storage::testing::record_of(s.rows[first + 1]);
  }
  CHECK(a.body == expected + "],\"next\":null}\n");
  CHECK(a.headers.at("millrace-watermark") == "1970-01-01T00:03:00.000Z");
}

TEST_CASE("pages follow each other by their cursor") {
  service s;
  std::size_t n = 0;
  std::string target = "/v1/windows/w?limit=4&order=asc";
  auto page = s.json(target);
  CHECK(page["items"].size() == 4);
  n += page["items"].size();
  page = s.json(target + "&cursor=" + page["next"].get<std::string>());
  n += page["items"].size();
  CHECK(page["next"].is_null());
  CHECK(n == s.rows.size());
  CHECK(s.get("/v1/windows/w?cursor=nonsense").status == 400);
}

TEST_CASE("key, from and to select") {
  service s;
  CHECK(s.json("/v1/windows/w?key.symbol=AAPL")["items"].size() == 3);
  CHECK(s.json("/v1/windows/w?key.symbol=5")["items"].size() == 3);
  CHECK(s.json("/v1/windows/w?key.symbol=5&key.venue=7")["items"].size() == 3);
  CHECK(s.json("/v1/windows/w?key.venue=7.0")["items"].size() == 6);
  CHECK(s.json("/v1/windows/w?key.symbol=%22AAPL%22")["items"].empty());
  CHECK(s.json("/v1/windows/w?from=1970-01-01T00:01:00Z&to=1970-01-01T00:02:00Z")["items"].size() == 2);
  CHECK(s.json("/v1/windows/w?from=1970-01-01T01:01:00+01:00&to=")["items"].size() == 4);
  CHECK(s.json("/v1/windows/empty")["items"].empty());
}

TEST_CASE("latest is one record with a key, 404 for a key never seen, and a list without") {
  service s;
  const auto one = s.get("/v1/windows/w/latest?key.symbol=AAPL&key.venue=7");
  CHECK(one.status == 200);
  CHECK(one.body == storage::testing::record_of(s.rows[4]) + '\n');
  CHECK(s.get("/v1/windows/w/latest?key.symbol=AAPL").body == one.body);
  CHECK(s.get("/v1/windows/w/latest?key.symbol=MSFT").status == 404);
  CHECK(s.json("/v1/windows/w/latest")["items"].size() == 2);
  CHECK(s.get("/v1/windows/w/latest?order=asc").status == 400);
}

TEST_CASE("a bad parameter is 400 and named, an unknown window 404 and the known ones named") {
  service s;
  const auto bad = [&](const std::string& target, const std::string& what) {
    const auto a = s.get(target);
    INFO(target << ": " << a.body);
    CHECK(a.status == 400);
    CHECK(nlohmann::json::parse(a.body)["error"]["code"] == "invalid");
    CHECK(a.body.find(what) != std::string::npos);
    CHECK(a.headers.count("millrace-watermark") == 1);
  };
  bad("/v1/windows/w?frm=1", "frm");
  bad("/v1/windows/w?limit=0", "limit");
  bad("/v1/windows/w?limit=10001", "limit");
  bad("/v1/windows/w?limit=", "limit");
  bad("/v1/windows/w?limit=1x", "limit");
  bad("/v1/windows/w?order=up", "order");
  bad("/v1/windows/w?from=yesterday", "from");
  bad("/v1/windows/w?to=2026-13-01T00:00:00Z", "to");
  bad("/v1/windows/w?key.sector=x", "key.sector");
  bad("/v1/windows/w?limit=1&limit=2", "limit");
  bad("/v1/alerts?state=burning", "state");
  bad("/v1/alerts?rule=nope", "rule");
  bad("/v1/alerts?key.symbol=x", "key.symbol");
  const auto unknown = s.get("/v1/windows/nope");
  CHECK(unknown.status == 404);
  CHECK(unknown.body.find("w, empty") != std::string::npos);
  CHECK(s.get("/v1/stream/windows/w").status == 404);
}

TEST_CASE("alerts are listed and filtered") {
  service s;
  CHECK(s.json("/v1/alerts")["items"].empty());
  CHECK(s.json("/v1/alerts?state=firing&rule=spike&from=&to=&limit=5")["next"].is_null());
}

TEST_CASE("events are 404 unless they are kept") {
  service without;
  const auto a = without.get("/v1/events");
  CHECK(a.status == 404);
  CHECK(a.body.find("storage.events") != std::string::npos);
  service with{true};
  CHECK(with.json("/v1/events?symbol=AAPL&field.limit=3&limit=3")["items"].empty());
  CHECK(with.get("/v1/events?nothing=3").status == 400);
}

TEST_CASE("the description is JSON and names every path") {
  service s;
  const auto doc = s.json("/openapi.json");
  for (const auto* path : {"/v1/windows/{name}", "/v1/windows/{name}/latest", "/v1/alerts", "/v1/events"})
    CHECK(doc["paths"].contains(path));
}

TEST_CASE("times are read as RFC 3339 and nothing else") {
  CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_time("2026-11-20T13:00:00.5Z") == 1795179600500000000LL);
  CHECK(parse_time("2026-11-20T14:00:00.123456789+01:00") == 1795179600123456789LL);
  CHECK(parse_time("2026-11-20T14:00:00 01:00") == 1795179600000000000LL);
  CHECK(parse_time("2026-11-20t08:30:00-04:30") == 1795179600000000000LL);
  CHECK(parse_time("1969-12-31T23:59:59.999999999Z") == -1);
  CHECK(parse_time("2024-02-29T00:00:00Z").has_value());
  for (const auto* bad :
       {"", "2026", "2026-11-20", "2026-11-20T13:00:00", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z",
        "2026-11-20T13:60:00Z", "2026-11-20T13:00:00.Z", "2026-11-20T13:00:00.1234567890Z", "2026-11-20T13:00:00Zx",
        "2026-11-20T13:00:00+1:00", "9999-01-01T00:00:00Z", "1600-01-01T00:00:00Z"}) {
    INFO(bad);
    CHECK(!parse_time(bad));
  }
  CHECK(watermark_text(no_watermark) == "none");
  CHECK(watermark_text(end_watermark) == "end");
  CHECK(watermark_text(1'500'000) == "1970-01-01T00:00:00.001500Z");
}
