// SPDX-License-Identifier: Apache-2.0
#include "services/alert/service.hpp"
#include "services/cli/commands.hpp"
#include "services/cli/nats_child.hpp"
#include "services/enrich/service.hpp"
#include "services/ingest/service.hpp"
#include "services/process/process.hpp"
#include "services/storage/service.hpp"
#include "services/window_aggregate/service.hpp"

#include <iostream>
#include <memory>
#include <string>

namespace millrace::cli {

namespace {

struct dev_options {
  std::string pipeline;
  std::string data = "millrace-data";
  unsigned port = 8080;
  unsigned nats_port = 4222;
};

int dev(const dev_options& o) {
  // Before the broker starts: a wrong file should not leave anything behind.
  auto loaded = pipeline::load(o.pipeline);
  if (!loaded.value) {
    for (const auto& f : loaded.findings)
      std::cerr << to_string(f) << '\n';
    return exit_usage;
  }
  auto child = nats_child::start(o.data, o.nats_port);
  if (!child) {
    std::cerr << "error: " << child.error().message << (child.error().hint.empty() ? "" : "; " + child.error().hint)
              << '\n';
    return exit_failed;
  }
  auto& nats = **child;
  process::options p;
  process::read_environment(p);
  p.pipeline = o.pipeline;
  p.data = o.data;
  p.http = "127.0.0.1:" + std::to_string(o.port);
  p.nats.url = nats.url();
  p.nats.credentials_file.clear();
  p.nats.tls_ca.clear();
  p.nats.tls_cert.clear();
  p.nats.tls_key.clear();
  const auto code = process::run(
    p,
    {services::ingest_service(), services::enrich_service(), services::window_aggregate_service(),
     services::alert_service(), services::storage_service()},
    [&](const std::string& address) {
      std::cerr << "ready http=http://" << address << " nats=" << nats.url() << std::endl;
    },
    [&] { return nats.gone(); });
  nats.stop();
  return code;
}

} // namespace

void add_dev(CLI::App& app, int& code) {
  auto o = std::make_shared<dev_options>();
  auto* cmd = app.add_subcommand("dev", "run all five services in one process, with a nats-server of its own");
  cmd->add_option("PIPELINE", o->pipeline, "pipeline file (YAML)")->required();
  cmd->add_option("--port", o->port, "HTTP on 127.0.0.1:PORT; 0 picks a free one")
    ->capture_default_str()
    ->check(CLI::Range(0, 65535));
  cmd->add_option("--nats-port", o->nats_port, "NATS on 127.0.0.1:PORT; 0 picks a free one")
    ->capture_default_str()
    ->check(CLI::Range(0, 65535));
  cmd->add_option("--data", o->data, "folder for everything that is kept")->capture_default_str();
  cmd->footer(
    "Prints `ready http=... nats=...` to stderr. Ctrl-C stops in order; a second start continues.\n\nExample:\n  "
    "millrace dev examples/trades.yaml --data /tmp/trades");
  cmd->callback([o, &code] { code = dev(*o); });
}

} // namespace millrace::cli
