// SPDX-License-Identifier: Apache-2.0
#include "services/cli/bench.hpp"
#include "services/cli/commands.hpp"

#include <iostream>
#include <memory>

namespace millrace::cli {

void add_bench(CLI::App& app, int& code) {
  auto o = std::make_shared<bench_options>();
  auto* cmd = app.add_subcommand("bench", "measure this machine: decode, pipeline and batch on generated ysb events");
  cmd->add_option("--events", o->events, "events to generate")
    ->capture_default_str()
    ->check(CLI::Range(1000, 100000000));
  cmd->add_option("--runs", o->runs, "runs; the median counts")->capture_default_str()->check(CLI::Range(1, 100));
  cmd->footer(
    "Each figure is events per second of processor time, on one core.\n\nExample:\n  millrace bench --events 1000000");
  cmd->callback([o, &code] { code = bench(*o, std::cout, std::cerr); });
}

} // namespace millrace::cli
