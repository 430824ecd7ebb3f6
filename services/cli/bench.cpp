// SPDX-License-Identifier: Apache-2.0
#include "services/cli/bench.hpp"

#include "services/cli/bench_ysb.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <iomanip>
#include <ostream>
#include <string>
#include <vector>

namespace millrace::cli {
namespace {

constexpr int exit_runtime = 3;

struct step {
  const char* name;
  std::size_t (ysb_work::*run)();
  std::vector<double> seconds;
};

/// Processor time of the process, so that a busy machine bends the figures less.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

} // namespace

int bench(const bench_options& o, std::ostream& out, std::ostream& err) {
  auto work = ysb_work::make(o.events);
  if (!work) {
    err << "error: " << work.error().message << (work.error().hint.empty() ? "" : "; " + work.error().hint) << '\n';
    return exit_runtime;
  }
  std::array<step, 4> steps{{{"decode all seven fields", &ysb_work::decode_all, {}},
                             {"decode what the pipeline reads", &ysb_work::decode_needed, {}},
                             {"decode, filter, lookup, count", &ysb_work::pipeline, {}},
                             {"millrace batch", &ysb_work::batch, {}}}};
  // Round by round, so that what disturbs the machine disturbs every step.
  for (unsigned round = 0; round < std::max(o.runs, 1U); ++round) {
    for (auto& s : steps) {
      const auto begin = processor_seconds();
      const auto taken = ((*work).get()->*s.run)();
      s.seconds.push_back(processor_seconds() - begin);
      if (taken != (*work)->events()) {
        err << "error: " << s.name << " took " << taken << " of " << (*work)->events() << " events\n";
        return exit_runtime;
      }
    }
  }
  const auto bytes = static_cast<double>((*work)->text().size());
  const auto events = static_cast<double>((*work)->events());
  out << (*work)->events() << " ysb events of " << std::fixed << std::setprecision(0) << bytes / events
      << " bytes, one thread, median of " << steps.front().seconds.size() << " runs, processor time\n";
  out << std::left << std::setw(32) << "step" << std::right << std::setw(12) << "events/s" << std::setw(8) << "MB/s"
      << '\n';
  for (const auto& s : steps) {
    const auto seconds = std::max(median(s.seconds), 1e-9);
    out << std::left << std::setw(32) << s.name << std::right << std::setw(12) << events / seconds << std::setw(8)
        << bytes / seconds / 1e6 << '\n';
  }
  out << "`make bench` in the source tree also measures a bare simdjson parse and prints the ratios to it.\n";
  return 0;
}

} // namespace millrace::cli
