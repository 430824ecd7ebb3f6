// SPDX-License-Identifier: Apache-2.0
// What ten windows over a stream cost against one, a sliding window against a tumbling one, and what a key costs in
// memory. Figures and goals are in README.md.
#include "actors/ingest/shard.hpp"
#include "actors/windows/plan.hpp"
#include "bench/medians.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace millrace;
using windows::window_kind;
using windows::window_options;

constexpr nanoseconds_t second = 1'000'000'000;
constexpr std::size_t rows_per_batch = 4096;
constexpr std::size_t batch_count = 160;
/// Readable bytes that the decoder wants behind a text.
constexpr std::size_t padding = 64;
constexpr auto event_count = static_cast<double>(batch_count * rows_per_batch);

/// Text of ysb-like events, in chunks of whole lines, and the same decoded.
struct stream {
  std::vector<std::string> chunks;
  std::vector<event_batch> batches;
};

std::string uuid(std::mt19937_64& random) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int i = 0; i < 36; ++i)
    text += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : digits[random() & 15U];
  return text;
}

/// What the windows read; the other members of an event are skipped.
ingest::shard_options options() {
  ingest::shard_options o;
  const auto add = [&](const char* name, data_type type) {
    codec::field_spec f;
    f.field = {name, type, false};
    f.path = {name};
    if (type == data_type::timestamp)
      f.unit = codec::timestamp_unit::milliseconds;
    o.decode.fields.push_back(std::move(f));
  };
  add("campaign", data_type::string);
  add("account", data_type::int64);
  add("price", data_type::float64);
  add("size", data_type::int64);
  o.decode.time = o.decode.fields.size();
  add("time", data_type::timestamp);
  o.max_delay = second;
  return o;
}

/// Decodes one chunk after the other; `take` gets the rows and the watermark after them.
template <class F>
void decode(const stream& s, F&& take) {
  auto shard = ingest::shard::make(options(), 0);
  if (!shard) {
    std::fprintf(stderr, "error: %s\n", shard.error().message.c_str());
    std::exit(3);
  }
  std::uint64_t place = 0;
  for (const auto& text : s.chunks) {
    codec::source_message m;
    m.payload = std::string_view{text}.substr(0, text.size() - padding);
    m.place = place;
    place += m.payload.size();
    (*shard)->feed_lines(m);
    const auto chunk = (*shard)->take();
    take(chunk.batch, (*shard)->watermark());
  }
}

/// 100 campaigns, 1000 accounts, 1000 users; times disordered by up to a second.
stream make_stream(std::size_t chunks, std::int64_t events_per_second) {
  std::mt19937_64 random{1};
  std::vector<std::string> users;
  for (int i = 0; i < 1000; ++i)
    users.push_back(uuid(random));
  stream s;
  std::int64_t i = 0;
  for (std::size_t k = 0; k < chunks; ++k) {
    std::string text;
    for (std::size_t r = 0; r < rows_per_batch; ++r, ++i) {
      char line[512];
      const auto time = 1'767'225'600'000 + i * 1000 / events_per_second - static_cast<std::int64_t>(random() % 1000);
      std::snprintf(line, sizeof line,
                    "{\"user_id\":\"%s\",\"page_id\":\"%s\",\"campaign\":\"%s\",\"account\":%d,\"price\":%.2f,"
                    "\"size\":%d,\"time\":%lld,\"ip_address\":\"1.2.3.4\"}\n",
                    users[random() % 1000].c_str(), users[random() % 1000].c_str(), users[random() % 100].c_str(),
                    static_cast<int>(random() % 1000), static_cast<double>(random() % 10000) / 100.0,
                    static_cast<int>(random() % 100), static_cast<long long>(time));
      text += line;
    }
    text.append(padding, ' ');
    s.chunks.push_back(std::move(text));
  }
  decode(s, [&](const event_batch& b, nanoseconds_t) { s.batches.push_back(b); });
  return s;
}

/// 2000 events per second of event time.
const stream& dense() {
  static const auto s = make_stream(batch_count, 2000);
  return s;
}

/// More than an hour of event time.
const stream& sparse() {
  static const auto s = make_stream(batch_count, 150);
  return s;
}

window_options grid(window_kind kind, nanoseconds_t size, nanoseconds_t every) {
  return {"", {"campaign"}, kind, size * second, every * second, 0, "", {{"n", "count()"}}};
}

window_options tumbling(nanoseconds_t size) { return grid(window_kind::tumbling, size, size); }

std::vector<std::pair<std::string, window_options>> named_windows() {
  const std::vector<std::pair<std::string, std::string>> ohlc{{"trades", "count()"},    {"volume", "sum(size)"},
                                                              {"open", "first(price)"}, {"close", "last(price)"},
                                                              {"high", "max(price)"},   {"low", "min(price)"}};
  std::vector<std::pair<std::string, window_options>> all;
  const auto add = [&](std::string name, window_options w) { all.emplace_back(std::move(name), std::move(w)); };
  add("tumbling_10s", tumbling(10));
  add("tumbling_1m_ohlc", tumbling(60));
  all.back().second.aggregates = ohlc;
  add("tumbling_1m_accounts", tumbling(60));
  all.back().second.key = {"account"};
  add("tumbling_10s_filtered_total", tumbling(10));
  all.back().second.key.clear();
  all.back().second.where = "size < 50";
  all.back().second.aggregates = {{"volume", "sum(size)"}};
  add("sliding_5m_30s", grid(window_kind::sliding, 300, 30));
  add("sliding_1h_10s", grid(window_kind::sliding, 3600, 10));
  all.back().second.aggregates = {{"mean", "avg(price)"}};
  add("session_2s", grid(window_kind::session, 0, 0));
  all.back().second.gap = 2 * second;
  add("count_100", grid(window_kind::count, 0, 0));
  all.back().second.count = all.back().second.count_every = 100;
  all.back().second.aggregates = {{"volume", "sum(size)"}};
  add("count_50_by_10", grid(window_kind::count, 0, 0));
  all.back().second.count = 50;
  all.back().second.count_every = 10;
  all.back().second.aggregates = {{"high", "max(price)"}};
  add("global_10s", grid(window_kind::global, 0, 10));
  return all;
}

windows::plan_ptr plan_of(std::vector<window_options> windows) {
  for (std::size_t i = 0; i < windows.size(); ++i)
    windows[i].name = "w" + std::to_string(i);
  std::vector<diagnostic> findings;
  auto plan = windows::make_plan(std::move(windows), sparse().batches.front().layout, findings);
  for (const auto& f : findings)
    std::fprintf(stderr, "%s: %s\n", f.path.c_str(), f.message.c_str());
  return plan;
}

void process(processor& p, const event_batch& b, nanoseconds_t watermark, output& out) {
  out.clear();
  p.process(input{"", &b, watermark, watermark, 0}, out);
  benchmark::DoNotOptimize(out.sections.size());
}

void run(benchmark::State& state, const windows::plan_ptr& plan, const stream& s) {
  output out;
  for (auto _ : state) {
    const auto p = windows::make_processor(plan, {});
    for (const auto& b : s.batches)
      process(*p, b, b.watermark.back(), out);
  }
}

/// From text; no plan: decoding alone.
void run_text(benchmark::State& state, const windows::plan_ptr& plan, const stream& s) {
  output out;
  for (auto _ : state) {
    const auto p = plan ? windows::make_processor(plan, {}) : nullptr;
    decode(s, [&](const event_batch& b, nanoseconds_t watermark) {
      benchmark::DoNotOptimize(b.rows);
      if (p)
        process(*p, b, watermark, out);
    });
  }
}

/// Bytes in use by the allocator.
std::size_t allocated() {
  const auto m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

/// `count` new keys of one window: what they take, and what the processor says they take.
void measure_keys(const char* name, std::size_t count, bool text, const char* sum) {
  auto w = tumbling(60);
  w.key = {text ? "campaign" : "account"};
  w.aggregates = {{"n", "count()"}, {"total", sum}};
  const auto plan = plan_of({w});
  const auto before = allocated();
  const auto p = windows::make_processor(plan, windows::limits{count, ~0ULL});
  output out;
  for (std::size_t key = 0; key < count;) {
    batch_builder b{sparse().batches.front().layout};
    for (std::size_t r = 0; r < 8192 && key < count; ++r, ++key) {
      char id[24];
      std::snprintf(id, sizeof id, "user-%011zu", key);
      b.set_text(0, text ? id : "");
      b.set_int(1, static_cast<std::int64_t>(key));
      b.set_double(2, 0.5);
      b.set_int(3, 1);
      b.set_int(4, 0);
      b.finish_row(0, 0, make_position(key, 0), 0);
    }
    const auto batch = b.finish();
    p->process(input{"", &batch, 0, 0, 0}, out);
  }
  malloc_trim(0);
  const auto n = static_cast<double>(p->state_keys());
  std::printf("%-58s%8.0f   <= 200   (state_bytes says %.0f)\n", name, static_cast<double>(allocated() - before) / n,
              static_cast<double>(p->state_bytes()) / n);
}

void print_table(const bench::median_reporter& times) {
  double alone = 0.0;
  double text_alone = 0.0;
  const auto per_event = [&](const std::string& name) { return times.median(name) * 1e9 / event_count; };
  std::printf("\n%-46s%20s%20s\n", "ns per event, medians of processor time", "decoded batches", "from text");
  const auto print = [&](const std::string& name) {
    std::printf("%-46s%20.1f%20.1f\n", name.c_str(), per_event(name), per_event("text/" + name));
  };
  print("none");
  for (const auto& [name, w] : named_windows()) {
    print(name);
    alone += times.median(name) / static_cast<double>(named_windows().size());
    text_alone += times.median("text/" + name) / static_cast<double>(named_windows().size());
  }
  print("all_ten");
  std::printf("\n%-58s%8s   goal\n", "ratio", "");
  times.print_ratio("ten windows to the average one, from text", times.median("text/all_ten"), text_alone, "<= 3");
  times.print_ratio("ten windows to the average one, decoded batches", times.median("all_ten"), alone, "");
  times.print_ratio("sliding 1h every 10s to tumbling 10s, 73 minutes", times.median("hour/sliding"),
                    times.median("hour/tumbling"), "<= 1.5");
}

void print_keys() {
  std::printf("\nbytes per key of one window\n");
  measure_keys("10 M integers, count() and sum(double)", 10'000'000, false, "sum(price)");
  measure_keys("10 M texts of 16 bytes, count() and sum(int)", 10'000'000, true, "sum(size)");
}

} // namespace

int main(int argc, char** argv) {
  const bool everything = argc == 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  const auto add = [](const std::string& name, auto&& body) {
    benchmark::RegisterBenchmark(name.c_str(), body)->Unit(benchmark::kMillisecond)->MinTime(0.1)->Repetitions(5);
  };
  const auto add_both = [&](const std::string& name, const windows::plan_ptr& plan) {
    add(name, [plan](benchmark::State& state) { run(state, plan, dense()); });
    add("text/" + name, [plan](benchmark::State& state) { run_text(state, plan, dense()); });
  };
  add("text/none", [](benchmark::State& state) { run_text(state, nullptr, dense()); });
  std::vector<window_options> ten;
  for (const auto& [name, w] : named_windows()) {
    add_both(name, plan_of({w}));
    ten.push_back(w);
  }
  add_both("all_ten", plan_of(ten));
  auto tumbling_10s = tumbling(10);
  auto sliding_1h = grid(window_kind::sliding, 3600, 10);
  tumbling_10s.aggregates = sliding_1h.aggregates = {{"views", "count()"}, {"mean", "avg(price)"}};
  add("hour/tumbling", [plan = plan_of({tumbling_10s})](benchmark::State& state) { run(state, plan, sparse()); });
  add("hour/sliding", [plan = plan_of({sliding_1h})](benchmark::State& state) { run(state, plan, sparse()); });
  bench::median_reporter times;
  benchmark::RunSpecifiedBenchmarks(&times);
  print_table(times);
  if (everything)
    print_keys();
  return 0;
}
