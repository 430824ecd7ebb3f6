// SPDX-License-Identifier: Apache-2.0
#include "services/generate/generate.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace millrace;

namespace {

constexpr std::int64_t second = 1'000'000'000;

generate::options make(std::string kind, std::uint64_t events) {
  generate::options o;
  o.kind = std::move(kind);
  o.events = events;
  return o;
}

std::string text_of(const generate::options& o) {
  std::ostringstream out;
  std::ostringstream err;
  REQUIRE(generate::run(o, out, err) == 0);
  REQUIRE(err.str().empty());
  return out.str();
}

std::vector<std::string> lines_of(const generate::options& o) {
  std::istringstream in{text_of(o)};
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

/// The raw value of a member, without quotes; the generated lines are simple enough.
std::string member(const std::string& line, const std::string& name) {
  const auto at = line.find("\"" + name + "\":");
  if (at == std::string::npos)
    return {};
  auto from = at + name.size() + 3;
  if (line[from] == '"')
    return line.substr(from + 1, line.find('"', from + 1) - from - 1);
  return line.substr(from, line.find_first_of(",}", from) - from);
}

/// Seconds since 14:30:00 of the first day; good for a few hours.
double seconds_of(const std::string& rfc3339) {
  REQUIRE(rfc3339.substr(0, 11) == "2026-01-05T");
  return (std::stod(rfc3339.substr(11, 2)) - 14) * 3600 + (std::stod(rfc3339.substr(14, 2)) - 30) * 60 +
         std::stod(rfc3339.substr(17));
}

int exit_code(const generate::options& o, std::string& message) {
  std::ostringstream out;
  std::ostringstream err;
  const auto code = generate::run(o, out, err);
  message = err.str();
  return code;
}

} // namespace

TEST_CASE("the first events of a seed are fixed for good") {
  CHECK(
    text_of(make("trades", 2)) ==
    R"({"trade_id":"t000000001","symbol":"PFE","price":28.00,"size":200,"ts":"2026-01-05T14:30:00.000Z","meta":{"venue":"XNYS"}}
{"trade_id":"t000000002","symbol":"GOOG","price":172.01,"size":17,"ts":"2026-01-05T14:30:00.050Z","meta":{"venue":"XNAS"}}
)");
  CHECK(text_of(make("sensors", 1)) ==
        R"({"sensor_id":"s-001","ts":"2026-01-05T14:30:00.000Z","temperature":-18.00,"humidity":56.40})"
        "\n");
  CHECK(text_of(make("ysb", 1)) ==
        R"({"user_id":"ecb7d023-6c85-4a31-9db5-e50cb3f4d86c","page_id":"a99b4bec-7e64-437c-8fe8-f2fb6268691d",)"
        R"("ad_id":"e09c598e-b7c3-48b9-9ff5-5fbbf1140ec7","ad_type":"banner","event_type":"click",)"
        R"("event_time":1767623400000,"ip_address":"10.137.11.151"})"
        "\n");
}

TEST_CASE("the same options give the same bytes and another seed gives others") {
  for (const auto kind : generate::kinds()) {
    auto o = make(std::string{kind}, 5000);
    o.disorder = 2 * second;
    o.late = 0.01;
    o.duplicates = 0.01;
    const auto once = text_of(o);
    CHECK(once == text_of(o));
    o.seed = 2;
    CHECK(once != text_of(o));
  }
}

TEST_CASE("fewer events are a prefix of more") {
  for (const auto kind : generate::kinds()) {
    auto o = make(std::string{kind}, 9000);
    o.duplicates = 0.1;
    const auto all = text_of(o);
    o.events = 1000;
    CHECK(all.starts_with(text_of(o)));
    o.events = 0;
    CHECK(text_of(o).empty());
  }
}

TEST_CASE("the rate is in event time") {
  auto o = make("trades", 101);
  o.rate = 10;
  CHECK(seconds_of(member(lines_of(o).back(), "ts")) == Approx(10.0));
  o.rate = 1e6;
  CHECK(member(lines_of(o).back(), "ts") == "2026-01-05T14:30:00.000100Z");
  o.rate = 3e8;
  CHECK(member(lines_of(o).back(), "ts") == "2026-01-05T14:30:00.000000300Z");
}

TEST_CASE("disorder stays within its bound and is used") {
  auto o = make("sensors", 20'000);
  o.disorder = 2 * second;
  double high = -1e9;
  double most = 0;
  for (const auto& line : lines_of(o)) {
    const auto t = seconds_of(member(line, "ts"));
    most = std::max(most, high - t);
    high = std::max(high, t);
  }
  CHECK(most <= 2.0);
  CHECK(most > 1.5);
}

TEST_CASE("late events lie at least five minutes behind and are as frequent as asked for") {
  auto o = make("trades", 50'000);
  o.late = 0.02;
  double high = -1e9;
  int late = 0;
  for (const auto& line : lines_of(o)) {
    const auto t = seconds_of(member(line, "ts"));
    if (high - t > 0.001) {
      ++late;
      CHECK(high - t >= 299.0);
    }
    high = std::max(high, t);
  }
  CHECK(late > 850);
  CHECK(late < 1150);
}

TEST_CASE("duplicates are whole lines with the id of a recent one") {
  auto o = make("trades", 50'000);
  o.duplicates = 0.05;
  const auto lines = lines_of(o);
  CHECK(lines.size() == 50'000);
  std::map<std::string, std::string> by_id;
  int repeated = 0;
  for (const auto& line : lines) {
    const auto [at, is_new] = by_id.emplace(member(line, "trade_id"), line);
    if (!is_new) {
      ++repeated;
      CHECK(at->second == line);
    }
  }
  CHECK(repeated > 2200);
  CHECK(repeated < 2800);
}

TEST_CASE("late and disorder do not change what trades say") {
  auto o = make("trades", 500);
  const auto plain = lines_of(o);
  o.disorder = second / 100;
  const auto moved = lines_of(o);
  for (std::size_t i = 0; i < plain.size(); ++i)
    CHECK(member(plain[i], "price") == member(moved[i], "price"));
}

TEST_CASE("20000 trades contain a rally of three minutes above 5 % a minute, and calm after it") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    auto o = make("trades", 20'000);
    o.seed = seed;
    struct minute {
      double open = 0, close = 0;
    };
    std::map<std::string, std::map<int, minute>> ohlc;
    for (const auto& line : lines_of(o)) {
      const auto price = std::stod(member(line, "price"));
      auto& m = ohlc[member(line, "symbol")][static_cast<int>(seconds_of(member(line, "ts")) / 60)];
      if (m.open == 0)
        m.open = price;
      m.close = price;
    }
    CHECK(ohlc.size() == 20);
    int rallies = 0;
    for (const auto& [symbol, minutes] : ohlc) {
      int run = 0;
      bool fired = false;
      bool calm = false;
      for (const auto& [at, m] : minutes) {
        const auto change = (m.close - m.open) / m.open;
        run = change > 0.05 ? run + 1 : 0;
        fired = fired || run >= 3;
        calm = calm || (fired && change < 0.02);
      }
      rallies += fired && calm ? 1 : 0;
      CHECK(fired == calm);
    }
    CHECK(rallies == 1);
  }
}

TEST_CASE("every identifier of the events is in the table") {
  const std::map<std::string, std::string> id{{"trades", "symbol"}, {"sensors", "sensor_id"}, {"ysb", "ad_id"}};
  for (const auto& [kind, field] : id) {
    std::set<std::string> known;
    std::istringstream in{generate::table(kind)};
    std::string line;
    std::getline(in, line);
    CHECK(line.starts_with(field + ","));
    while (std::getline(in, line))
      CHECK(known.insert(line.substr(0, line.find(','))).second);
    std::set<std::string> seen;
    for (const auto& event : lines_of(make(kind, 30'000)))
      seen.insert(member(event, field));
    CHECK(seen == known);
  }
}

TEST_CASE("the committed tables are those of the generators") {
  const auto* source = std::getenv("MILLRACE_SOURCE");
  if (source == nullptr)
    return;
  for (const auto& [kind, file] :
       {std::pair{"trades", "instruments.csv"}, {"sensors", "sensors.csv"}, {"ysb", "ads.csv"}}) {
    std::ifstream in{std::filesystem::path{source} / "examples" / file};
    std::stringstream text;
    text << in.rdbuf();
    CHECK(text.str() == generate::table(kind));
  }
}

TEST_CASE("ysb has 1000 ads in 100 campaigns and events of about 250 bytes") {
  std::istringstream in{generate::table("ysb")};
  std::map<std::string, int> campaigns;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line))
    ++campaigns[line.substr(line.find(',') + 1)];
  CHECK(campaigns.size() == 100);
  for (const auto& [name, ads] : campaigns)
    CHECK(ads == 10);
  const auto bytes = text_of(make("ysb", 1000)).size() / 1000;
  CHECK(bytes > 230);
  CHECK(bytes < 260);
}

TEST_CASE("wrong options exit 2 and say why") {
  std::string message;
  CHECK(exit_code(make("nexmark", 1), message) == 2);
  CHECK(message == "generate: `nexmark` is not supported in this version\n");
  CHECK(exit_code(make("trade", 1), message) == 2);
  CHECK(message == "generate: unknown kind `trade`; known: trades, sensors, ysb\n");
  auto o = make("trades", 1);
  o.late = 1.5;
  CHECK(exit_code(o, message) == 2);
  o = make("trades", 1);
  o.rate = -1;
  CHECK(exit_code(o, message) == 2);
  o = make("trades", 1);
  o.disorder = -1;
  CHECK(exit_code(o, message) == 2);
  o = make("trades", 1);
  o.duplicates = std::nan("");
  CHECK(exit_code(o, message) == 2);
  o = make("trades", UINT64_MAX);
  CHECK(exit_code(o, message) == 2);
}

TEST_CASE("a table that cannot be written exits 3") {
  std::string message;
  auto o = make("trades", 1);
  o.table = "/nonexistent/table.csv";
  CHECK(exit_code(o, message) == 3);
  CHECK(message == "generate: the table cannot be written to `/nonexistent/table.csv`\n");
}

TEST_CASE("an output that fails ends the run with exit 3") {
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  std::ostringstream err;
  CHECK(generate::run(make("ysb", 1'000'000'000), out, err) == 3);
}
