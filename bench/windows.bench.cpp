// SPDX-License-Identifier: Apache-2.0
/// @file
/// The window stage alone: events of an ordered stream into tumbling and sliding windows.
#include "actors/windows/plan.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

namespace {

using namespace millrace;

constexpr nanoseconds_t second = 1'000'000'000;
constexpr std::size_t rows_per_batch = 4096;

schema_ptr layout() {
  static const auto s = std::make_shared<const schema>(std::vector<field>{{"campaign", data_type::string, false},
                                                                          {"account", data_type::int64, false},
                                                                          {"price", data_type::float64, false},
                                                                          {"size", data_type::int64, false}});
  return s;
}

/// Batches of a stream of 1000 events per second of event time over 100 campaigns.
std::vector<event_batch> make_batches(std::size_t n) {
  std::mt19937_64 random{1};
  std::vector<event_batch> batches;
  std::int64_t i = 0;
  for (std::size_t k = 0; k < n; ++k) {
    batch_builder b{layout()};
    for (std::size_t r = 0; r < rows_per_batch; ++r, ++i) {
      b.set_text(0, "campaign-" + std::to_string(random() % 100));
      b.set_int(1, static_cast<std::int64_t>(random() % 10000));
      b.set_double(2, static_cast<double>(random() % 10000) / 100.0);
      b.set_int(3, static_cast<std::int64_t>(random() % 100));
      const auto time = i * (second / 1000);
      b.finish_row(time, time - second, make_position(static_cast<std::uint64_t>(i), 0), 0);
    }
    batches.push_back(b.finish());
  }
  return batches;
}

void run(benchmark::State& state, windows::window_options w) {
  const auto batches = make_batches(64);
  std::vector<diagnostic> findings;
  w.name = "w";
  const auto plan = windows::make_plan({w}, layout(), findings);
  if (!plan) {
    state.SkipWithError(findings.front().message.c_str());
    return;
  }
  std::int64_t events = 0;
  output out;
  for (auto _ : state) {
    const auto p = windows::make_processor(plan, {});
    for (const auto& b : batches) {
      out.clear();
      p->process(input{"", &b, b.watermark.back(), b.time.back(), 0}, out);
      benchmark::DoNotOptimize(out.sections.size());
    }
    events += static_cast<std::int64_t>(batches.size() * rows_per_batch);
  }
  state.SetItemsProcessed(events);
  state.counters["ns/event"] =
    benchmark::Counter(static_cast<double>(events) / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const std::vector<std::pair<std::string, std::string>> ohlc{{"trades", "count()"},
                                                            {"volume", "sum(size)"},
                                                            {"open", "first(price)"},
                                                            {"close", "last(price)"},
                                                            {"high", "max(price)"},
                                                            {"low", "min(price)"},
                                                            {"vwap", "sum(price * double(size)) / double(sum(size))"}};

void tumbling_count(benchmark::State& state) {
  run(state, {"", {"campaign"}, windows::window_kind::tumbling, 10 * second, 10 * second, 0, "", {{"n", "count()"}}});
}
BENCHMARK(tumbling_count);

void tumbling_count_int_key(benchmark::State& state) {
  run(state, {"", {"account"}, windows::window_kind::tumbling, 10 * second, 10 * second, 0, "", {{"n", "count()"}}});
}
BENCHMARK(tumbling_count_int_key);

void tumbling_ohlc(benchmark::State& state) {
  run(state, {"", {"campaign"}, windows::window_kind::tumbling, 60 * second, 60 * second, 0, "", ohlc});
}
BENCHMARK(tumbling_ohlc);

void sliding_ohlc(benchmark::State& state) {
  run(state, {"", {"campaign"}, windows::window_kind::sliding, 60 * second, 5 * second, 0, "", ohlc});
}
BENCHMARK(sliding_ohlc);

void global_filtered_sum(benchmark::State& state) {
  run(state, {"", {}, windows::window_kind::tumbling, 10 * second, 10 * second, 0, "size < 50", {{"v", "sum(size)"}}});
}
BENCHMARK(global_filtered_sum);

} // namespace

BENCHMARK_MAIN();
