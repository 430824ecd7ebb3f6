// SPDX-License-Identifier: Apache-2.0
#include "services/cli/batch.hpp"
#include "services/cli/commands.hpp"

#include <csignal>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace millrace::cli {

void add_batch(CLI::App& app, int& code) {
  auto o = std::make_shared<batch_options>();
  auto* cmd = app.add_subcommand("batch", "run a pipeline over files, with no broker");
  cmd->add_option("PIPELINE", o->pipeline, "pipeline file (YAML)")->required();
  cmd->add_option("FILE", o->files,
                  "input in `event.format`, - is stdin; default: the pipeline's file sources, else stdin");
  cmd->add_flag("--late", o->late, "also print late and rejected events");
  cmd->add_flag("--store", o->store, "also write results to the pipeline's storage");
  cmd->footer(
    "One JSON line per window result and alert on stdout; summary and ledger on stderr.\n\nExample:\n  millrace "
    "generate trades --events 20000 | millrace batch examples/trades.yaml -");
  cmd->callback([o, &code] {
    // Ctrl-C ends a batch as it ends any filter.
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    ::pthread_sigmask(SIG_UNBLOCK, &s, nullptr);
    std::ios::sync_with_stdio(false);
    o->progress = ::isatty(STDERR_FILENO) != 0;
    code = batch(*o, std::cout, std::cerr);
  });
}

} // namespace millrace::cli
