// SPDX-License-Identifier: Apache-2.0
#include "services/cli/commands.hpp"
#include "services/process/process.hpp"
#include "services/process/version.hpp"

int main(int argc, char** argv) {
  millrace::process::block_signals();
  int code = 0;
  CLI::App app{"millrace: event-driven stream processing on NATS JetStream"};
  app.set_version_flag("--version", std::string{millrace::process::version} + " (" + millrace::process::commit + ")");
  app.require_subcommand(1);
  app.footer(
    "Example:\n  millrace generate trades --events 1000 > trades.ndjson\n  millrace batch examples/trades.yaml "
    "trades.ndjson\n\n`millrace COMMAND --help` explains a command. Exit codes: 0 success, 1 what was checked "
    "does not hold,\n2 usage or configuration error, 3 runtime error.");
  millrace::cli::add_dev(app, code);
  millrace::cli::add_batch(app, code);
  millrace::cli::add_lint(app, code);
  millrace::cli::add_test(app, code);
  millrace::cli::add_eval(app, code);
  millrace::cli::add_generate(app, code);
  millrace::cli::add_publish(app, code);
  millrace::cli::add_why(app, code);
  millrace::cli::add_rejected(app, code);
  millrace::cli::add_doctor(app, code);
  millrace::cli::add_bench(app, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : millrace::cli::exit_usage;
  }
  return code;
}
