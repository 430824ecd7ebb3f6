// SPDX-License-Identifier: Apache-2.0
/// @file
/// A process with one service, or all five: options, connection, HTTP, signals, orderly end.
#pragma once

#include "services/http/http_server.hpp"
#include "services/process/context.hpp"

#include <functional>
#include <string>
#include <vector>

namespace millrace::process {

/// What a service consists of.
struct service {
  std::string name;
  /// One sentence for `--help`.
  std::string summary;
  /// Checks what must hold before the start; an error ends it (exit 2 or 3).
  std::function<result<void>(const context&)> prepare;
  std::function<void(const context&, std::vector<runtime::unit_spec>&)> units;
  std::function<result<void>(const context&, http::server&)> routes;
};

struct options {
  std::string pipeline;
  std::string http = "0.0.0.0:9090";
  /// Folder that relative `sqlite:` paths start from.
  std::string data = ".";
  nats_options nats;
  /// JetStream replicas of the logs that are created.
  int replicas = 1;
  /// Bound of one log in MiB: the broker reserves it.
  unsigned log_mib = 256;
};

/// Sets what the environment says: NATS URL, credentials and TLS.
void read_environment(options& o);

/// Runs until SIGTERM or SIGINT, then stops in order. Returns the exit code: 0, 2 configuration, 3 runtime.
/// @param on_ready Called once with the bound HTTP address.
/// @param watch Called about five times a second; a non-empty answer ends the process with exit 3.
int run(const options& o, const std::vector<service>& services, const std::function<void(const std::string&)>& on_ready,
        const std::function<std::string()>& watch);

/// `main` of a service executable.
int service_main(int argc, char** argv, const service& s);

/// SIGINT and SIGTERM are taken by `run`, not by threads: to be called first in `main`.
void block_signals();

} // namespace millrace::process
