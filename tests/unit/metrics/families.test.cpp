// SPDX-License-Identifier: Apache-2.0
#include "metrics/families.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace millrace::metrics;

namespace {

std::string golden() {
  const char* source = std::getenv("MILLRACE_SOURCE");
  std::ifstream in{(source != nullptr ? std::string{source} : std::string{"."}) + "/tests/golden/metrics.txt"};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Touches every function once, so that every family has a series.
void touch_everything(registry& r) {
  auto& s = r.stage("trades", "window-aggregate", "window", "0");
  s.set_ledger({.in = 3, .absorbed = 2, .retired = 1, .late = 1});
  s.add_rejected("late");
  s.add_alert("spike", "firing");
  s.set_lag(1, 2);
  s.set_watermark(1000, 5);
  s.set_state(7, 700);
  s.set_lookups("instruments", 5, 2, 100);
  s.set_snapshot(0.1, 1000);
  s.set_snapshot_age(4);
  s.observe_stage_seconds(0.004);
  s.observe_end_to_end_seconds(0.02);
  s.observe_frame(100, 5000);
  auto& v = r.service("trades", "window-aggregate");
  v.set_partitions_owned(1);
  v.add_claim();
  v.add_fenced();
  v.set_broker_connected(true);
  v.add_broker_reconnect();
  v.add_notification("alertmanager", "sent");
}

/// Reads an exposition: family name to type, and to the label names seen on its series.
struct exposition {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> labels;
  std::map<std::string, std::string> values;
};

exposition parse(const std::string& text) {
  exposition out;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# TYPE ", 0) == 0) {
      std::istringstream words{line.substr(7)};
      std::string name;
      words >> name >> out.types[name];
      words >> out.types[name];
      continue;
    }
    if (line.empty() || line[0] == '#')
      continue;
    const auto brace = line.find('{');
    const auto end = line.rfind('}');
    REQUIRE(brace != std::string::npos);
    auto name = line.substr(0, brace);
    for (const std::string suffix : {"_bucket", "_sum", "_count"})
      if (name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
        name.resize(name.size() - suffix.size());
    std::istringstream pairs{line.substr(brace + 1, end - brace - 1)};
    for (std::string pair; std::getline(pairs, pair, ',');)
      if (pair.rfind("le=", 0) != 0)
        out.labels[name].insert(pair.substr(0, pair.find('=')));
    out.values[line.substr(0, end + 1)] = line.substr(end + 2);
  }
  return out;
}

double value_of(const registry& r, const std::string& name, const std::vector<std::string>& parts) {
  double sum = 0;
  for (const auto& [series, value] : parse(r.render()).values) {
    bool hit = series.rfind(name + "{", 0) == 0;
    for (const auto& part : parts)
      hit = hit && series.find(part) != std::string::npos;
    if (hit)
      sum += std::stod(value);
  }
  return sum;
}

} // namespace

TEST_CASE("the families are exactly the golden list") {
  std::ostringstream list;
  for (const auto& f : families())
    list << f.name << ' ' << f.type << ' ' << f.labels << '\n';
  CHECK(list.str() == golden());
}

TEST_CASE("the exposition carries the golden names, types and labels and no others") {
  registry r{"1.2.3", "abcdef"};
  touch_everything(r);
  const auto seen = parse(r.render());
  std::istringstream want{golden()};
  std::size_t n = 0;
  std::string name;
  std::string type;
  std::string labels;
  while (want >> name >> type >> labels) {
    ++n;
    INFO(name);
    REQUIRE(seen.types.count(name) == 1);
    CHECK(seen.types.at(name) == type);
    std::set<std::string> expected;
    std::istringstream words{labels};
    for (std::string label; std::getline(words, label, ',');)
      expected.insert(label);
    CHECK(seen.labels.at(name) == expected);
  }
  CHECK(seen.types.size() == n);
}

TEST_CASE("ledger counters rise to the totals and never go back") {
  registry r{"1", "c"};
  auto& s = r.stage("p", "enrich", "enrich", "3");
  s.set_ledger({.in = 10, .forwarded = 8, .filtered = 2});
  s.set_ledger({.in = 5, .forwarded = 5});
  CHECK(value_of(r, "millrace_events_total", {"outcome=\"in\"", "partition=\"3\"", "stage=\"enrich\""}) == 10);
  s.set_ledger({.in = 12, .forwarded = 10, .filtered = 2});
  CHECK(value_of(r, "millrace_events_total", {"outcome=\"forwarded\""}) == 10);
  CHECK(value_of(r, "millrace_ledger_imbalance", {}) == 0);
  s.set_ledger({.in = 13, .forwarded = 10, .filtered = 2});
  CHECK(value_of(r, "millrace_ledger_imbalance", {}) == 1);
  s.set_ledger({.in = 13, .forwarded = 12, .filtered = 2});
  CHECK(value_of(r, "millrace_ledger_imbalance", {}) == -1);
}

TEST_CASE("an unknown watermark is absent, not zero, and a retired partition takes its gauges along") {
  registry r{"1", "c"};
  auto& s = r.stage("p", "enrich", "enrich", "0");
  CHECK(r.render().find("millrace_watermark_seconds{") == std::string::npos);
  s.set_watermark(5, 1);
  CHECK(value_of(r, "millrace_watermark_seconds", {}) == 5);
  s.set_ledger({.in = 1, .forwarded = 1});
  s.retire();
  CHECK(r.render().find("millrace_watermark_seconds{") == std::string::npos);
  CHECK(value_of(r, "millrace_events_total", {"outcome=\"in\""}) == 1);
  s.set_watermark(6, 1);
  CHECK(value_of(r, "millrace_watermark_seconds", {}) == 6);
}

TEST_CASE("asking twice for a stage gives the same counters") {
  registry r{"1", "c"};
  CHECK(&r.stage("p", "alert", "alert", "0") == &r.stage("p", "alert", "alert", "0"));
  CHECK(&r.stage("p", "alert", "alert", "0") != &r.stage("p", "alert", "alert", "1"));
  CHECK(&r.service("p", "alert") == &r.service("p", "alert"));
}

TEST_CASE("a negative duration counts as zero") {
  registry r{"1", "c"};
  r.stage("p", "alert", "alert", "0").observe_stage_seconds(-3);
  CHECK(value_of(r, "millrace_stage_seconds_bucket", {"le=\"0.0005\""}) == 1);
  CHECK(value_of(r, "millrace_stage_seconds_sum", {}) == 0);
}

TEST_CASE("metrics may be written and rendered from several threads") {
  registry r{"1", "c"};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&r, t] {
      auto& s = r.stage("p", "ingest", "ingest", std::to_string(t % 2));
      for (int i = 0; i < 500; ++i) {
        s.add_rejected("malformed");
        s.set_watermark(i, 0);
        if (i % 100 == 0)
          (void)r.render();
      }
      s.retire();
    });
  for (auto& t : threads)
    t.join();
  CHECK(value_of(r, "millrace_rejected_total", {}) == 2000);
}
