// SPDX-License-Identifier: Apache-2.0
#include "services/process/process.hpp"

#include "actors/runtime/host.hpp"
#include "actors/runtime/log.hpp"
#include "services/process/version.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <time.h>
#include <unistd.h>

namespace millrace::process {

namespace {

constexpr int exit_config = 2;
constexpr int exit_runtime = 3;
/// Longest orderly stop; containers are given 60 s.
constexpr std::chrono::milliseconds stop_limit{25000};
constexpr std::chrono::milliseconds ping_deadline{1000};
constexpr std::chrono::milliseconds poll{200};

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string instance_name() {
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  return std::string{host} + ":" + std::to_string(::getpid());
}

sigset_t stop_signals() {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGINT);
  sigaddset(&s, SIGTERM);
  return s;
}

int fail(const error& e) {
  std::cerr << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
  return e.code == ec::config || e.code == ec::invalid ? exit_config : exit_runtime;
}

/// Loads the pipeline file; prints every finding. Windows that only `batch` can compute are refused.
pipeline::definition_ptr load_for_live(const std::string& path) {
  auto loaded = pipeline::load(path);
  bool refused = !loaded.value;
  for (auto& f : loaded.findings) {
    f.is_error = f.is_error || f.is_live_error;
    refused = refused || f.is_error;
    std::cerr << to_string(f) << '\n';
  }
  if (!refused && loaded.value->sources.empty()) {
    std::cerr << path << ":1:1: error: no source under `ingest.sources`; live services need one\n";
    refused = true;
  }
  return refused ? nullptr : loaded.value;
}

/// Why the process is not ready; empty when it is.
std::string not_ready(bus& b, const runtime::status_board& board) {
  if (auto r = b.ping(ping_deadline); !r)
    return to_string(r.error());
  if (auto r = board.ready(); !r)
    return r.error().message;
  return {};
}

/// Waits for a signal or for `watch`; keeps the process's own gauges.
std::string wait_for_end(const context& c, const std::vector<service>& services,
                         const std::function<std::string()>& watch, std::function<void()> on_ready) {
  const auto signals = stop_signals();
  const timespec pause{0, std::chrono::nanoseconds{poll}.count()};
  std::uint64_t reconnects = 0;
  bool connected = true;
  for (;;) {
    const int got = ::sigtimedwait(&signals, nullptr, &pause);
    if (got == SIGINT || got == SIGTERM)
      return {};
    if (watch)
      if (auto why = watch(); !why.empty())
        return why;
    if (on_ready && not_ready(*c.env.bus, *c.env.board).empty())
      std::exchange(on_ready, {})();
    const bool now = c.env.bus->connected();
    if (now != connected) {
      connected = now;
      if (now)
        log::info("connected to NATS");
      else
        log::warn("no connection to NATS, retrying", {{"url", "see MILLRACE_NATS_URL"}});
    }
    const auto n = c.env.bus->reconnects();
    for (const auto& s : services) {
      auto& m = c.metrics->service(c.definition->name, s.name);
      m.set_broker_connected(now);
      m.set_partitions_owned(static_cast<double>(c.env.board->owned()));
      for (auto i = reconnects; i < n; ++i)
        m.add_broker_reconnect();
    }
    reconnects = n;
  }
}

} // namespace

void read_environment(options& o) {
  if (auto url = environment_text("MILLRACE_NATS_URL"); !url.empty())
    o.nats.url = url;
  o.nats.credentials_file = environment_text("MILLRACE_NATS_CREDS");
  o.nats.tls_ca = environment_text("MILLRACE_NATS_TLS_CA");
  o.nats.tls_cert = environment_text("MILLRACE_NATS_TLS_CERT");
  o.nats.tls_key = environment_text("MILLRACE_NATS_TLS_KEY");
}

void block_signals() {
  const auto s = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &s, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int run(const options& o, const std::vector<service>& services, const std::function<void(const std::string&)>& on_ready,
        const std::function<std::string()>& watch) {
  if (auto r = log::configure(environment_text("MILLRACE_LOG").empty() ? "info" : environment_text("MILLRACE_LOG")); !r)
    return fail(r.error());
  context c;
  c.definition = load_for_live(o.pipeline);
  if (!c.definition)
    return exit_config;
  c.data = o.data;
  c.replicas = o.replicas;
  c.log_bytes = std::uint64_t{o.log_mib} << 20;
  c.metrics = std::make_shared<metrics::registry>(version, commit);
  c.env.instance = instance_name();
  for (const auto& s : services)
    if (s.prepare)
      if (auto r = s.prepare(c); !r)
        return fail(r.error());
  auto b = connect_nats(o.nats);
  if (!b)
    return fail(b.error());
  c.env.bus = std::move(*b);

  http::server server{{o.http, environment_text("MILLRACE_HTTP_TOKEN")}};
  server.metrics([m = c.metrics] { return m->render(); }, metrics::registry::content_type());
  server.readiness([b = c.env.bus, board = c.env.board] { return not_ready(*b, *board); });
  std::vector<runtime::unit_spec> units;
  for (const auto& s : services) {
    if (s.units)
      s.units(c, units);
    if (s.routes)
      if (auto r = s.routes(c, server); !r)
        return fail(r.error());
  }
  if (auto r = server.start(); !r)
    return fail(r.error());
  log::info("serving HTTP", {{"address", server.address()}});

  runtime::host host{c.env, std::move(units)};
  std::function<void()> announce;
  if (on_ready)
    announce = [&] { on_ready(server.address()); };
  const auto why = wait_for_end(c, services, watch, announce);
  log::info("stopping", {{"why", why.empty() ? "signal" : why}});
  // Intake first: nothing is accepted that would have to wait for the next start.
  server.stop();
  const bool orderly = host.stop(stop_limit);
  if (!orderly)
    log::warn("stopped without finishing; the next start resolves what was in flight");
  return why.empty() ? 0 : exit_runtime;
}

int service_main(int argc, char** argv, const service& s) {
  block_signals();
  options o;
  read_environment(o);
  CLI::App app{"millrace-" + s.name + ": " + s.summary};
  app.add_option("PIPELINE", o.pipeline, "pipeline file (YAML)")->required();
  app.add_option("--http", o.http, "address of /metrics, /healthz, /readyz and what the service offers")
    ->capture_default_str();
  app.add_option("--data", o.data, "folder that relative sqlite: paths start from")->capture_default_str();
  app.add_option("--replicas", o.replicas, "JetStream replicas of the logs that are created")->capture_default_str();
  app
    .add_option("--log-size", o.log_mib,
                "bound of one log in MiB, which the broker reserves; smaller where it has no room")
    ->capture_default_str()
    ->check(CLI::Range(4, 1 << 20));
  app.set_version_flag("--version", std::string{version});
  app.footer("Example:\n  MILLRACE_NATS_URL=nats://nats:4222 millrace-" + s.name +
             " trades.yaml --http 0.0.0.0:9090\n\nEnvironment: MILLRACE_NATS_URL, MILLRACE_NATS_CREDS, "
             "MILLRACE_NATS_TLS_CA/_CERT/_KEY,\n  MILLRACE_STORAGE_URL, MILLRACE_HTTP_TOKEN, MILLRACE_LOG (info, "
             "json:info, ...)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_config;
  }
  return run(o, {s}, {}, {});
}

} // namespace millrace::process
