// SPDX-License-Identifier: Apache-2.0
// Every window kind x disorder x lateness x partitions x batch size, against a recomputation from stored events that
// shares nothing with the engine but the format of its records.
#include "tests/unit/windows/support.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

/// Identity of a window in a record's text: key, start and seq.
using identity = std::string;
/// The last thing said about each window: end and values.
using finals = std::map<identity, std::string>;

const aggregates asked{{"n", "count()"},         {"sum", "sum(size)"},      {"high", "max(price)"},
                       {"open", "first(price)"}, {"close", "last(price)"},  {"mean", "avg(price)"},
                       {"ups", "count_if(big)"}, {"twice", "sum(size) * 2"}};

std::vector<event> make_events(std::uint64_t seed, int n, nanoseconds_t disorder) {
  std::mt19937_64 random{seed};
  const auto below = [&](std::int64_t m) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(m));
  };
  std::vector<event> out;
  nanoseconds_t clock = 100 * s;
  nanoseconds_t high = no_watermark;
  for (int i = 0; i < n; ++i) {
    clock += below(3) == 0 ? below(6 * s) : below(s);
    event e;
    e.symbol = std::string(1, static_cast<char>('A' + below(5)));
    if (below(8) != 0)
      e.price = static_cast<double>(below(400)) / 4.0;
    e.size = below(12);
    e.time = clock - below(disorder + 1);
    if (below(3) == 0)
      e.time -= e.time % s;
    e.watermark = high == no_watermark ? no_watermark : high - 3 * s;
    e.place = static_cast<std::uint64_t>(i) + 1;
    high = std::max(high, e.time);
    out.push_back(e);
  }
  return out;
}

std::string double_text(double v) {
  std::string text;
  codec::append_double(text, v);
  return text;
}

/// The values of a window by definition, from its events.
std::string values_from(std::vector<event> events) {
  std::stable_sort(events.begin(), events.end(), [](const event& a, const event& b) {
    return std::tie(a.time, a.place) < std::tie(b.time, b.place);
  });
  std::int64_t sum = 0;
  std::int64_t ups = 0;
  std::vector<double> prices;
  for (const auto& e : events) {
    sum += *e.size;
    ups += *e.size > 5 ? 1 : 0;
    if (e.price)
      prices.push_back(*e.price);
  }
  double total = 0;
  for (const auto p : prices)
    total += p;
  const auto priced = [&](double v) { return prices.empty() ? std::string{"null"} : double_text(v); };
  const auto high = prices.empty() ? 0.0 : *std::max_element(prices.begin(), prices.end());
  return R"({"n":)" + std::to_string(events.size()) + R"(,"sum":)" + std::to_string(sum) + R"(,"high":)" +
         priced(high) + R"(,"open":)" + priced(prices.empty() ? 0 : prices.front()) + R"(,"close":)" +
         priced(prices.empty() ? 0 : prices.back()) + R"(,"mean":)" +
         priced(total / static_cast<double>(std::max<std::size_t>(prices.size(), 1))) + R"(,"ups":)" +
         std::to_string(ups) + R"(,"twice":)" + std::to_string(2 * sum) + "}";
}

struct model_window {
  std::string key;
  nanoseconds_t start = 0;
  nanoseconds_t end = 0;
  std::int64_t seq = -1;
  std::vector<event> events;
};

std::string key_text(const window_options& w, const event& e) {
  return w.key.empty() ? "{}" : R"({"symbol":")" + *e.symbol + "\"}";
}

using model = std::vector<model_window> (*)(const window_options&, const std::vector<event>&, std::uint64_t& late);

std::vector<model_window> grid_model(const window_options& w, const std::vector<event>& events, std::uint64_t& late) {
  std::map<std::pair<std::string, nanoseconds_t>, model_window> all;
  for (const auto& e : events) {
    bool taken = false;
    for (nanoseconds_t start = 0; start <= e.time; start += w.every) {
      const auto end = start + w.size;
      if (e.time >= end || (e.watermark != no_watermark && e.watermark >= end + w.lateness))
        continue;
      auto& x = all[{key_text(w, e), start}];
      x.key = key_text(w, e);
      x.start = start;
      x.end = end;
      x.events.push_back(e);
      taken = true;
    }
    late += taken ? 0 : 1;
  }
  std::vector<model_window> out;
  for (auto& [id, x] : all)
    out.push_back(std::move(x));
  return out;
}

std::vector<model_window> session_model(const window_options& w, const std::vector<event>& events,
                                        std::uint64_t& late) {
  std::vector<model_window> live;
  std::vector<model_window> gone;
  for (const auto& e : events) {
    const auto expired = [&](nanoseconds_t end) {
      return e.watermark != no_watermark && e.watermark >= end + w.lateness;
    };
    for (auto it = live.begin(); it != live.end();) {
      if (expired(it->end)) {
        gone.push_back(std::move(*it));
        it = live.erase(it);
      } else {
        ++it;
      }
    }
    model_window x{key_text(w, e), e.time, e.time + w.gap, -1, {e}};
    bool joined = false;
    for (auto it = live.begin(); it != live.end();) {
      if (it->key == x.key && it->start < e.time + w.gap && e.time < it->end) {
        x.start = std::min(x.start, it->start);
        x.end = std::max(x.end, it->end);
        x.events.insert(x.events.end(), it->events.begin(), it->events.end());
        it = live.erase(it);
        joined = true;
      } else {
        ++it;
      }
    }
    if (!joined && expired(x.end))
      ++late;
    else
      live.push_back(std::move(x));
  }
  gone.insert(gone.end(), live.begin(), live.end());
  return gone;
}

std::vector<model_window> count_model(const window_options& w, const std::vector<event>& events,
                                      std::uint64_t& /*late*/) {
  std::map<std::string, std::vector<event>> by_key;
  for (const auto& e : events)
    by_key[key_text(w, e)].push_back(e);
  std::vector<model_window> out;
  const auto add = [&](const std::string& key, std::int64_t seq, std::vector<event> some) {
    const auto [low, high] =
      std::minmax_element(some.begin(), some.end(), [](const event& a, const event& b) { return a.time < b.time; });
    out.push_back({key, low->time, high->time, seq, some});
  };
  for (const auto& [key, list] : by_key) {
    const auto n = static_cast<std::int64_t>(list.size());
    std::int64_t seq = 0;
    std::int64_t covered = 0;
    for (; seq * w.count_every + w.count <= n; ++seq) {
      covered = seq * w.count_every + w.count;
      add(key, seq, {list.begin() + covered - w.count, list.begin() + covered});
    }
    if (covered < n)
      add(key, seq, {list.begin() + covered, list.end()});
  }
  return out;
}

std::vector<model_window> global_model(const window_options& w, const std::vector<event>& events,
                                       std::uint64_t& /*late*/) {
  std::map<std::string, model_window> by_key;
  for (const auto& e : events) {
    auto& x = by_key[key_text(w, e)];
    x.key = key_text(w, e);
    x.end = std::max(x.end, (e.time / w.every + 1) * w.every);
    x.events.push_back(e);
  }
  std::vector<model_window> out;
  for (auto& [key, x] : by_key)
    out.push_back(std::move(x));
  return out;
}

std::string id_of(const std::string& key, const std::string& start, const std::string& seq) {
  return key + " from " + start + (seq.empty() ? "" : " #" + seq);
}

finals expected(const window_options& w, model compute, const std::vector<event>& events, std::uint64_t& late) {
  finals out;
  for (auto& x : compute(w, events, late)) {
    std::string start;
    std::string end;
    codec::append_timestamp(start, x.start);
    codec::append_timestamp(end, x.end);
    // A session that is gone may have had the start of a later one: the later one counts, as in a database.
    out[id_of(x.key, start, x.seq < 0 ? "" : std::to_string(x.seq))] = "to " + end + " " + values_from(x.events);
  }
  return out;
}

/// The text between `from` and the next `to`; empty if `from` is not there.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos)
    return {};
  const auto begin = at + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

finals finals_of(const recorded& r) {
  std::map<identity, std::pair<long, std::string>> best;
  for (const auto& record : r.results) {
    const auto& t = record.text;
    const auto id = id_of(between(t, R"("key":)", R"(,"start")"), between(t, R"("start":)", R"(,"end")"),
                          between(t, R"("seq":)", ","));
    const auto version = std::stol(between(t, R"("version":)", ","));
    auto text = "to " + between(t, R"("end":)", ",") + " " + between(t, R"("values":)", "}") + "}";
    if (t.find(R"("retracted":true)") != std::string::npos)
      text.clear();
    const auto it = best.find(id);
    REQUIRE((it == best.end() || version > it->second.first || text.find("to") == 0));
    if (it == best.end() || version >= it->second.first)
      best[id] = {version, std::move(text)};
  }
  finals out;
  for (auto& [id, b] : best)
    if (!b.second.empty())
      out[id] = std::move(b.second);
  return out;
}

struct layout {
  std::uint32_t partitions = 1;
  std::size_t batch = 1024;
};

/// The engine: `partitions` window processors, and the second step where windows are merged.
recorded run_engine(const plan_ptr& plan, const std::vector<event>& events, const layout& l, ledger& counters) {
  const bool merged = plan->window(0).merged && l.partitions > 1;
  std::vector<std::unique_ptr<processor>> first;
  std::vector<std::unique_ptr<processor>> second;
  for (std::uint32_t p = 0; p < l.partitions; ++p) {
    first.push_back(make_processor(plan, {}, merged ? l.partitions : 0));
    second.push_back(make_merge_processor(plan, {}));
  }
  recorded out;
  const auto step = [&](const std::vector<event>& rows, nanoseconds_t watermark) {
    std::vector<std::vector<section>> partials(l.partitions);
    for (std::uint32_t p = 0; p < l.partitions; ++p) {
      std::vector<event> mine;
      for (const auto& e : rows)
        if (static_cast<std::uint32_t>(e.symbol->front()) % l.partitions == p)
          mine.push_back(e);
      const auto batch = make_batch(mine);
      output o;
      first[p]->process(input{"", &batch, watermark, no_watermark, 0}, o);
      REQUIRE(first[p]->counters().imbalance() == 0);
      std::erase_if(o.sections, [&](section& x) {
        if (x.lane > 0)
          partials[x.lane - 1].push_back(std::move(x));
        return x.lane > 0;
      });
      record_output(o, out);
    }
    for (std::uint32_t q = 0; merged && q < l.partitions; ++q) {
      output o;
      for (const auto& x : partials[q])
        second[q]->process(input{x.name, &x.batch, no_watermark, no_watermark, 0}, o);
      const auto none = event_batch::make(std::make_shared<schema>());
      second[q]->process(input{"", &none, watermark, no_watermark, 0}, o);
      record_output(o, out);
    }
  };
  for (std::size_t i = 0; i < events.size(); i += l.batch) {
    const auto end = std::min(events.size(), i + l.batch);
    step({events.begin() + static_cast<std::ptrdiff_t>(i), events.begin() + static_cast<std::ptrdiff_t>(end)},
         end < events.size() ? events[end].watermark : events.back().watermark);
  }
  step({}, end_watermark);
  counters = ledger{};
  for (const auto& p : first)
    counters += p->counters();
  return out;
}

struct kind {
  std::string name;
  window_options options;
  model compute;
};

window_options make_options(window_kind what, nanoseconds_t lateness) {
  window_options w;
  w.name = "w";
  w.key = {"symbol"};
  w.kind = what;
  w.lateness = lateness;
  w.aggregates = asked;
  return w;
}

std::vector<kind> kinds(nanoseconds_t lateness) {
  std::vector<kind> out;
  const auto add = [&](const char* name, window_options w, model compute) {
    out.push_back({name, std::move(w), compute});
  };
  auto w = make_options(window_kind::tumbling, lateness);
  w.size = w.every = 10 * s;
  add("tumbling", w, grid_model);
  w.key.clear();
  w.merged = true;
  add("tumbling total", w, grid_model);
  w.early = 2 * s;
  add("tumbling total, early", w, grid_model);
  w = make_options(window_kind::sliding, lateness);
  w.size = 10 * s;
  w.every = 4 * s;
  add("sliding", w, grid_model);
  w.early = 3 * s;
  add("sliding, early", w, grid_model);
  w.key.clear();
  w.merged = true;
  w.early = 0;
  add("sliding total", w, grid_model);
  w = make_options(window_kind::session, lateness);
  w.gap = 2 * s;
  add("session", w, session_model);
  w.early = s;
  add("session, early", w, session_model);
  w = make_options(window_kind::count, 0);
  w.count = w.count_every = 7;
  add("count", w, count_model);
  w.count_every = 2;
  add("count, sliding", w, count_model);
  w.count = 5;
  w.count_every = 1;
  add("count, 5 by 1", w, count_model);
  w = make_options(window_kind::global, 0);
  w.every = 10 * s;
  add("global", w, global_model);
  w.key.clear();
  w.merged = true;
  add("global total", w, global_model);
  return out;
}

void require_equal(const finals& got, const finals& want) {
  for (const auto& [id, text] : want) {
    const auto it = got.find(id);
    INFO(id << "\nwant " << text << "\ngot  " << (it == got.end() ? "nothing" : it->second));
    REQUIRE((it != got.end() && it->second == text));
  }
  for (const auto& [id, text] : got) {
    INFO("not wanted: " << id << ' ' << text);
    REQUIRE(want.contains(id));
  }
}

} // namespace

TEST_CASE("every window kind equals its recomputation, whatever disorder, lateness, partitions and batch size") {
  std::uint64_t seed = 1;
  for (const auto disorder : {0 * s, 3 * s, 20 * s})
    for (const auto lateness : {0 * s, 6 * s})
      for (const auto& k : kinds(lateness)) {
        const auto events = make_events(++seed, 400, disorder);
        std::uint64_t late = 0;
        const auto want = expected(k.options, k.compute, events, late);
        REQUIRE(want.size() > 3 - (k.options.kind == window_kind::global ? 3 : 0));
        const auto plan = plan_of({k.options});
        for (const std::uint32_t partitions : {1U, 4U})
          for (const std::size_t batch : {1U, 7U, 1024U}) {
            INFO(k.name << ", disorder " << disorder / s << " s, lateness " << lateness / s << " s, " << partitions
                        << " partitions, batches of " << batch << ", seed " << seed);
            ledger counters;
            const auto got = run_engine(plan, events, {partitions, batch}, counters);
            require_equal(finals_of(got), want);
            REQUIRE(counters.in == events.size());
            REQUIRE(counters.late == late);
            REQUIRE(counters.retired == counters.absorbed);
          }
      }
}
