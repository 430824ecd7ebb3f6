// SPDX-License-Identifier: Apache-2.0
// The figures of README.md: generated ysb events through a bare simdjson parse, the decoder, the pipeline and
// `millrace batch`, in one run, on one thread; at the end a table with each one's ratio to the bare parse.
#include "bench/bare_parse.hpp"
#include "services/cli/bench_ysb.hpp"

#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using millrace::cli::ysb_work;

constexpr std::uint64_t event_count = 400'000;

struct step {
  const char* name;
  std::size_t (*run)(ysb_work&);
  std::vector<double> events_per_second;
};

std::size_t bare(ysb_work& w) {
  auto p = millrace::bench::bare_parse(w.text());
  benchmark::DoNotOptimize(p.sum);
  return p.events;
}

std::array<step, 5>& steps() {
  static std::array<step, 5> all{{{"bare_parse", bare, {}},
                                  {"decode", [](ysb_work& w) { return w.decode_all(); }, {}},
                                  {"decode_needed", [](ysb_work& w) { return w.decode_needed(); }, {}},
                                  {"pipeline", [](ysb_work& w) { return w.pipeline(); }, {}},
                                  {"batch", [](ysb_work& w) { return w.batch(); }, {}}}};
  return all;
}

void run(benchmark::State& state, step& s, ysb_work& work) {
  std::size_t taken = 0;
  for (auto _ : state)
    taken += s.run(work);
  const auto events = static_cast<std::size_t>(state.iterations()) * work.events();
  if (taken != events)
    state.SkipWithError("events are missing");
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(work.text().size()));
}

/// Keeps each repetition's processor time; prints the rest.
class keeping_reporter final : public benchmark::ConsoleReporter {
public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> others;
    for (const Run& r : runs) {
      if (r.run_type != Run::RT_Iteration || r.cpu_accumulated_time <= 0.0) {
        others.push_back(r);
        continue;
      }
      for (step& s : steps())
        if (r.run_name.function_name == s.name)
          s.events_per_second.push_back(static_cast<double>(r.iterations) * static_cast<double>(event_count) /
                                        r.cpu_accumulated_time);
    }
    ConsoleReporter::ReportRuns(others);
  }
};

double median(std::vector<double> values) {
  if (values.empty())
    return 0.0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print_table(const ysb_work& work) {
  const double bytes = static_cast<double>(work.text().size()) / static_cast<double>(event_count);
  const double parse = median(steps().front().events_per_second);
  std::printf("\n%.0f bytes an event, medians of processor time; bare parse: simdjson On-Demand, kernel %s\n", bytes,
              std::string{millrace::bench::bare_kernel()}.c_str());
  std::printf("%-16s%12s%9s%9s\n", "step", "events/s", "MB/s", "ratio");
  for (const step& s : steps()) {
    const double rate = median(s.events_per_second);
    if (rate > 0.0)
      std::printf("%-16s%12.0f%9.0f%9.2f\n", s.name, rate, rate * bytes / 1e6, parse > 0.0 ? rate / parse : 0.0);
  }
}

} // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  auto work = ysb_work::make(event_count);
  if (!work) {
    std::fprintf(stderr, "error: %s\n", work.error().message.c_str());
    return 3;
  }
  for (step& s : steps()) {
    if (s.run == bare && !millrace::bench::can_bare_parse()) {
      std::fprintf(stderr, "no bare parse: it was compiled for AVX2, which this machine lacks\n");
      continue;
    }
    benchmark::RegisterBenchmark(s.name, [&](benchmark::State& state) { run(state, s, **work); })
      ->Unit(benchmark::kMillisecond)
      ->MinTime(0.3)
      ->Repetitions(9);
  }
  keeping_reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  print_table(**work);
  return 0;
}
