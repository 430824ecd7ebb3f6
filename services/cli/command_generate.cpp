// SPDX-License-Identifier: Apache-2.0
#include "services/cli/commands.hpp"
#include "services/generate/generate.hpp"
#include "services/pipeline/scalars.hpp"

#include <csignal>
#include <iostream>
#include <memory>
#include <string>

namespace millrace::cli {

namespace {

/// `2s`, `250ms`, or plain seconds.
result<std::int64_t> disorder_of(const std::string& text) {
  if (text.empty())
    return std::int64_t{0};
  if (text.find_first_not_of("0123456789.") == std::string::npos)
    return pipeline::parse_duration(text + "s");
  return pipeline::parse_duration(text);
}

} // namespace

void add_generate(CLI::App& app, int& code) {
  struct settings {
    generate::options o;
    std::string disorder;
  };
  auto s = std::make_shared<settings>();
  auto* cmd = app.add_subcommand("generate", "write deterministic example events as NDJSON");
  cmd->add_option("KIND", s->o.kind, "trades, sensors or ysb")->required();
  cmd->add_option("--events", s->o.events, "how many")->capture_default_str();
  cmd->add_option("--seed", s->o.seed, "same seed, same bytes")->capture_default_str();
  cmd->add_option("--rate", s->o.rate, "events per second of event time; default: that of the kind")
    ->check(CLI::PositiveNumber);
  cmd->add_option("--disorder", s->disorder, "how far event times lie back at most, e.g. 2s");
  cmd->add_option("--late", s->o.late, "fraction of events far beyond the disorder")->check(CLI::Range(0.0, 1.0));
  cmd->add_option("--duplicates", s->o.duplicates, "fraction of repeated lines")->check(CLI::Range(0.0, 1.0));
  cmd->add_option("--table", s->o.table, "also write the lookup table that goes with the events to this file");
  cmd->footer(
    "Example:\n  millrace generate trades --events 100000 --disorder 2s --late 0.01 --table instruments.csv > "
    "trades.ndjson");
  cmd->callback([s, &code] {
    auto d = disorder_of(s->disorder);
    if (!d) {
      std::cerr << "error: --disorder: " << d.error().message << '\n';
      code = exit_usage;
      return;
    }
    s->o.disorder = *d;
    std::signal(SIGPIPE, SIG_DFL);
    std::ios::sync_with_stdio(false);
    code = generate::run(s->o, std::cout, std::cerr);
  });
}

} // namespace millrace::cli
