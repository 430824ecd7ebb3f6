// SPDX-License-Identifier: Apache-2.0
// Numeric filters by the vectorised programs against the reference interpreter, on the same batches in one run.
#include "actors/expressions/expression.hpp"
#include "bench/medians.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <random>
#include <string>

namespace {

using namespace millrace;

constexpr std::size_t rows = 4096;

constexpr std::array filters{"price > 50.0",
                             "size >= 10 && size < 90",
                             "price * double(size) > 1000.0",
                             "size % 7 == 3 || price < 1.5",
                             "(price - cost) / cost > 0.05 && size * 2 + 1 > 50",
                             "!(size == 5) && -size < -10 && cost <= price"};

const schema& layout() {
  static const schema s{
    {{"price", data_type::float64, false}, {"cost", data_type::float64, false}, {"size", data_type::int64, false}}};
  return s;
}

const event_batch& batch() {
  static const auto b = [] {
    std::mt19937_64 random{1};
    batch_builder made{std::make_shared<const schema>(layout())};
    for (std::size_t i = 0; i < rows; ++i) {
      made.set_double(0, static_cast<double>(random() % 10000) / 100.0);
      made.set_double(1, static_cast<double>(1 + random() % 10000) / 100.0);
      made.set_int(2, static_cast<std::int64_t>(random() % 100));
      made.finish_row(0, 0, make_position(i, 0), 0);
    }
    return made.finish();
  }();
  return b;
}

using program = std::shared_ptr<const expressions::expression>;
using how = void (expressions::expression::*)(const event_batch&, expressions::evaluation&) const;

void run(benchmark::State& state, const program& p, how evaluate) {
  for (auto _ : state) {
    expressions::evaluation out;
    (p.get()->*evaluate)(batch(), out);
    benchmark::DoNotOptimize(out.values.b8.data());
  }
}

} // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  for (const std::string text : filters) {
    std::vector<expressions::expression_error> errors;
    const auto p = expressions::expression::compile(text, layout(), errors);
    if (!p) {
      std::fprintf(stderr, "error: %s: %s\n", text.c_str(), errors.front().message.c_str());
      return 3;
    }
    const auto add = [&](const std::string& name, how evaluate) {
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, p, evaluate); })
        ->MinTime(0.05)
        ->Repetitions(5);
    };
    add("vectorised " + text, &expressions::expression::evaluate);
    add("interpreted " + text, &expressions::expression::interpret);
  }
  bench::median_reporter times;
  benchmark::RunSpecifiedBenchmarks(&times);
  std::printf("\n%-52s%14s%14s%9s   goal\n", "ns per event, medians of processor time", "interpreted", "vectorised",
              "ratio");
  for (const std::string text : filters) {
    const auto slow = times.median("interpreted " + text) * 1e9 / rows;
    const auto fast = times.median("vectorised " + text) * 1e9 / rows;
    if (fast > 0.0)
      std::printf("%-52s%14.1f%14.2f%9.0f   >= 20\n", text.c_str(), slow, fast, slow / fast);
  }
  return 0;
}
