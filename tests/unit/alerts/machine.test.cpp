// SPDX-License-Identifier: Apache-2.0
#include "actors/alerts/machine.hpp"
#include "actors/alerts/state_bytes.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace millrace;
using namespace millrace::alerts;

payload_ptr show(const std::string& text) {
  auto p = std::make_shared<payload>();
  p->values = text;
  return p;
}

evaluation_result at(nanoseconds_t t, truth when, truth clear = truth::unknown) {
  return {t, t, when, clear, show(std::to_string(t))};
}

/// `state@at/since`, and with `due` shown as `!due` where it differs from `at`.
std::string text(const transition& t) {
  auto s = t.key + std::string{to_string(t.state)} + "@" + std::to_string(t.at) + "/" + std::to_string(t.since);
  return t.due == t.at ? s : s + "!" + std::to_string(t.due);
}
std::vector<std::string> texts(const std::vector<transition>& ts) {
  std::vector<std::string> out;
  for (const auto& t : ts)
    out.push_back(text(t));
  return out;
}

using list = std::vector<std::string>;
constexpr auto yes = truth::yes;
constexpr auto no = truth::no;
constexpr auto unknown = truth::unknown;

std::string saved(const machine& m) {
  byte_writer w;
  m.save(w);
  return w.take();
}

} // namespace

TEST_CASE("without hold an alert fires at the first true evaluation and resolves at the first false one") {
  machine m{0, false};
  std::vector<transition> out;
  for (const auto& e : {at(10, no), at(20, yes), at(30, yes), at(40, no), at(50, no)})
    m.evaluate("", e, e.time, out);
  CHECK(texts(out) == list{"firing@20/20", "resolved@40/20"});
  CHECK(m.size() == 0);
}

TEST_CASE("with hold an alert is pending and fires at since plus hold, not at the evaluation that shows it") {
  machine m{15, false};
  std::vector<transition> out;
  for (const auto& e : {at(20, yes), at(30, yes), at(40, yes), at(50, no)})
    m.evaluate("", e, e.time, out);
  CHECK(texts(out) == list{"pending@20/20", "firing@35/20", "resolved@50/20"});
  CHECK(out[1].shown->values == "30");
}

TEST_CASE("a false evaluation before the deadline lapses a pending alert") {
  machine m{15, false};
  std::vector<transition> out;
  m.evaluate("", at(20, yes), 20, out);
  m.evaluate("", at(30, no), 30, out);
  m.advance(1000, out);
  CHECK(texts(out) == list{"pending@20/20", "resolved@30/20"});
}

TEST_CASE("a false evaluation at exactly the deadline comes too late to stop the alert") {
  machine m{10, false};
  std::vector<transition> out;
  m.evaluate("", at(20, yes), 20, out);
  m.evaluate("", at(30, no), 30, out);
  CHECK(texts(out) == list{"pending@20/20", "firing@30/20", "resolved@30/20"});
}

TEST_CASE("progress of the watermark alone fires a pending alert") {
  machine m{10, false};
  std::vector<transition> out;
  m.evaluate("", at(20, yes), 20, out);
  m.advance(29, out);
  CHECK(out.size() == 1);
  m.advance(30, out);
  CHECK(texts(out) == list{"pending@20/20", "firing@30/20"});
}

TEST_CASE("with clear a firing alert resolves when clear is true, and not when `when` turns false") {
  machine m{0, true};
  std::vector<transition> out;
  for (const auto& e : {at(10, yes, no), at(20, no, no), at(30, no, yes), at(40, no, yes)})
    m.evaluate("", e, e.time, out);
  CHECK(texts(out) == list{"firing@10/10", "resolved@30/10"});
}

TEST_CASE("with clear a pending alert lapses when `when` is false") {
  machine m{50, true};
  std::vector<transition> out;
  m.evaluate("", at(10, yes, yes), 10, out);
  m.evaluate("", at(20, no, no), 20, out);
  CHECK(texts(out) == list{"pending@10/10", "resolved@20/10"});
}

TEST_CASE("an unknown evaluation leaves the alert as it was and is counted") {
  machine m{15, true};
  std::vector<transition> out;
  m.evaluate("", at(5, unknown, yes), 5, out);
  m.evaluate("", at(10, yes, no), 10, out);
  m.evaluate("", at(20, unknown, no), 20, out);
  m.evaluate("", at(30, yes, unknown), 30, out);
  CHECK(texts(out) == list{"pending@10/10", "firing@25/10"});
  CHECK(m.counters() == rule_counters{1, 1, 0, 3});
}

TEST_CASE("an evaluation beyond the deadline waits until the watermark reaches the deadline") {
  SECTION("and then resolves the alert that fired") {
    machine m{10, false};
    std::vector<transition> out;
    m.evaluate("", at(20, yes), 10, out);
    m.evaluate("", at(31, no), 15, out);
    m.evaluate("", at(33, yes), 15, out);
    CHECK(texts(out) == list{"pending@20/20"});
    m.advance(30, out);
    CHECK(texts(out) == list{"pending@20/20", "firing@30/20", "resolved@31/20", "pending@33/33"});
  }
  SECTION("unless an earlier false evaluation arrives after it") {
    machine m{10, false};
    std::vector<transition> out;
    m.evaluate("", at(20, yes), 10, out);
    m.evaluate("", at(31, yes), 15, out);
    m.evaluate("", at(25, no), 15, out);
    m.advance(41, out);
    CHECK(texts(out) == list{"pending@20/20", "resolved@25/20", "pending@31/31", "firing@41/31"});
  }
}

TEST_CASE("an evaluation older than the alert's last transition does not change it") {
  machine m{0, false};
  std::vector<transition> out;
  m.evaluate("", at(20, yes), 10, out);
  m.evaluate("", at(15, no), 10, out);
  CHECK(texts(out) == list{"firing@20/20"});
  m.evaluate("", at(20, no), 10, out);
  CHECK(texts(out) == list{"firing@20/20", "resolved@20/20"});
}

TEST_CASE("at the end of input a false evaluation beyond the last progress lapses a pending alert") {
  machine m{45, false};
  std::vector<transition> out;
  m.evaluate("", at(60, yes), 60, out);
  m.evaluate("", at(120, no), 90, out);
  m.advance(90, out);
  m.finish(90, out);
  CHECK(texts(out) == list{"pending@60/60", "resolved@120/60"});
}

TEST_CASE("keys have alerts of their own") {
  machine m{10, false};
  std::vector<transition> out;
  m.evaluate("a", at(1, yes), 1, out);
  m.evaluate("b", at(2, yes), 2, out);
  m.evaluate("a", at(3, no), 3, out);
  m.advance(100, out);
  CHECK(texts(out) == list{"apending@1/1", "bpending@2/2", "aresolved@3/1", "bfiring@12/2"});
}

TEST_CASE("a hold that reaches beyond the end of time never fires") {
  machine m{std::numeric_limits<nanoseconds_t>::max(), false};
  std::vector<transition> out;
  m.evaluate("", at(1'000, yes), 1'000, out);
  m.advance(end_watermark - 1, out);
  CHECK(out.size() == 1);
}

namespace {

/// The rule as a sentence over the whole history of one key, in order of time; knows no watermark.
list history(const std::vector<evaluation_result>& es, nanoseconds_t hold, bool has_clear, nanoseconds_t limit) {
  list out;
  const auto say = [&](alert_state s, nanoseconds_t t, nanoseconds_t since) {
    out.push_back(std::string{to_string(s)} + "@" + std::to_string(t) + "/" + std::to_string(since));
  };
  std::size_t i = 0;
  while (i < es.size()) {
    if (es[i].when != yes) {
      ++i;
      continue;
    }
    const auto since = es[i].time;
    auto next = i + 1;
    if (hold > 0) {
      say(alert_state::pending, since, since);
      const auto lapse = std::find_if(es.begin() + static_cast<std::ptrdiff_t>(next), es.end(),
                                      [](const auto& e) { return e.when == no; });
      if (lapse != es.end() && lapse->time < since + hold) {
        say(alert_state::resolved, lapse->time, since);
        i = static_cast<std::size_t>(lapse - es.begin()) + 1;
        continue;
      }
      if (limit < since + hold)
        return out;
      while (next < es.size() && es[next].time < since + hold)
        ++next;
    }
    say(alert_state::firing, since + hold, since);
    while (next < es.size() && !(has_clear ? es[next].clear == yes : es[next].when == no))
      ++next;
    if (next == es.size())
      return out;
    say(alert_state::resolved, es[next].time, since);
    i = next + 1;
  }
  return out;
}

truth draw(std::mt19937_64& random) { return std::vector<truth>{yes, yes, no, no, unknown}[random() % 5]; }

list without_due(const std::vector<transition>& ts) {
  list out;
  for (auto t : ts) {
    t.due = t.at;
    out.push_back(text(t));
  }
  return out;
}

} // namespace

TEST_CASE("whatever the watermark's delay and the cuts, an ordered history gives what the rule says") {
  std::mt19937_64 random{7};
  for (int round = 0; round < 2'000; ++round) {
    const auto hold = static_cast<nanoseconds_t>(random() % 4 * 7);
    const auto delay = static_cast<nanoseconds_t>(random() % 30);
    const bool has_clear = random() % 2 == 0;
    std::vector<evaluation_result> es;
    nanoseconds_t t = 100;
    for (auto n = random() % 25; n > 0; --n)
      es.push_back(at(t += 1 + static_cast<nanoseconds_t>(random() % 6), draw(random), draw(random)));
    machine m{hold, has_clear};
    std::vector<transition> out;
    auto reached = no_watermark;
    for (auto e : es) {
      e.due = std::max(reached, e.time - delay);
      m.evaluate("", e, reached, out);
      reached = e.time - delay;
      if (random() % 2 == 0)
        m.advance(reached, out);
      if (random() % 4 == 0) {
        const auto bytes = saved(m);
        machine copy{hold, has_clear};
        byte_reader r{bytes};
        REQUIRE(copy.load(r));
        REQUIRE(r.done());
        REQUIRE(saved(copy) == bytes);
        REQUIRE(copy.bytes() == m.bytes());
        m = std::move(copy);
      }
    }
    m.advance(t, out);
    m.finish(t, out);
    INFO("round " << round << " hold " << hold << " delay " << delay << " clear " << has_clear);
    REQUIRE(without_due(out) == history(es, hold, has_clear, t));
  }
}

TEST_CASE("a history in disorder gives the same transitions however often progress is told") {
  std::mt19937_64 random{11};
  for (int round = 0; round < 2'000; ++round) {
    const auto hold = static_cast<nanoseconds_t>(random() % 4 * 7);
    const auto delay = static_cast<nanoseconds_t>(random() % 20);
    const bool has_clear = random() % 2 == 0;
    machine often{hold, has_clear};
    machine seldom{hold, has_clear};
    std::vector<transition> a;
    std::vector<transition> b;
    nanoseconds_t high = 100;
    auto reached = no_watermark;
    for (auto n = random() % 30; n > 0; --n) {
      auto e = at(high - 20 + static_cast<nanoseconds_t>(random() % 30), draw(random), draw(random));
      e.due = reached;
      often.evaluate("", e, reached, a);
      seldom.evaluate("", e, reached, b);
      high = std::max(high, e.time);
      reached = high - delay;
      often.advance(reached, a);
    }
    for (auto* m : {&often, &seldom}) {
      auto& out = m == &often ? a : b;
      m->advance(high, out);
      m->finish(high, out);
    }
    INFO("round " << round << " hold " << hold << " delay " << delay << " clear " << has_clear);
    REQUIRE(texts(a) == texts(b));
    REQUIRE(saved(often) == saved(seldom));
    REQUIRE(std::is_sorted(a.begin(), a.end(), [](const auto& x, const auto& y) { return x.due < y.due; }));
  }
}
