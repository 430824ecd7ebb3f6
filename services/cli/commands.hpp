// SPDX-License-Identifier: Apache-2.0
/// @file
/// The subcommands of `millrace`, one file each. Each adds itself to the application and, when chosen, leaves its exit
/// code in `code`.
#pragma once

#include <CLI/CLI.hpp>

#include <csignal>

namespace millrace::cli {

inline constexpr int exit_usage = 2;
inline constexpr int exit_failed = 3;

/// `main` blocks signals for the services; a command that only asks and answers ends at Ctrl-C.
inline void let_signals_stop() {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGINT);
  sigaddset(&s, SIGTERM);
  ::pthread_sigmask(SIG_UNBLOCK, &s, nullptr);
}

void add_dev(CLI::App& app, int& code);
void add_batch(CLI::App& app, int& code);
void add_lint(CLI::App& app, int& code);
void add_test(CLI::App& app, int& code);
void add_eval(CLI::App& app, int& code);
void add_generate(CLI::App& app, int& code);
void add_publish(CLI::App& app, int& code);
void add_why(CLI::App& app, int& code);
void add_rejected(CLI::App& app, int& code);
void add_doctor(CLI::App& app, int& code);
void add_bench(CLI::App& app, int& code);

} // namespace millrace::cli
