// SPDX-License-Identifier: Apache-2.0
/// @file
/// Medians of processor time of the repetitions of benchmarks, and their ratios: what one run of a program compares.
#pragma once

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace millrace::bench {

/// Keeps the processor time of each repetition by the benchmark's name; prints nothing of them but other results.
class median_reporter final : public benchmark::ConsoleReporter {
public:
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> others;
    for (const Run& r : runs) {
      if (r.run_type == Run::RT_Iteration && r.iterations > 0 && r.cpu_accumulated_time > 0.0)
        seconds_[r.run_name.function_name].push_back(r.cpu_accumulated_time / static_cast<double>(r.iterations));
      else if (r.run_type == Run::RT_Iteration || r.error_occurred)
        others.push_back(r);
    }
    if (!others.empty())
      ConsoleReporter::ReportRuns(others);
  }

  /// Seconds of one iteration; 0 when it did not run.
  double median(const std::string& name) const {
    const auto it = seconds_.find(name);
    if (it == seconds_.end())
      return 0.0;
    auto v = it->second;
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  }

  /// Prints `what`, how many times as long `a` took as `b`, and the goal.
  void print_ratio(const char* what, double a, double b, const char* goal) const {
    if (a > 0.0 && b > 0.0)
      std::printf("%-58s%8.2f   %s\n", what, a / b, goal);
  }

private:
  std::map<std::string, std::vector<double>> seconds_;
};

} // namespace millrace::bench
