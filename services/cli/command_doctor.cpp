// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/clock.hpp"
#include "services/cli/commands.hpp"
#include "services/cli/doctor.hpp"
#include "services/cli/doctor_text.hpp"
#include "services/process/process.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

namespace millrace::cli {

namespace {

constexpr int exit_unhealthy = 1;
constexpr std::chrono::seconds connect_limit{5};

struct doctor_options {
  std::string pipeline;
  std::string nats;
  bool json = false;
};

int fail(const error& e, int code) {
  std::cerr << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
  return code;
}

check file_check(const std::string& path, const pipeline::load_result& loaded) {
  std::vector<std::string> findings;
  bool wrong = !loaded.value;
  for (const auto& f : loaded.findings) {
    findings.push_back(to_string(f));
    wrong = wrong || f.is_error || f.is_live_error;
  }
  if (findings.empty())
    return {"pipeline file", health::ok, path + " has no errors", ""};
  return {"pipeline file", wrong ? health::fail : health::warn, some_of(findings),
          "`millrace lint " + path + "` shows all findings"};
}

int report(const doctor_options& o, const std::vector<check>& all, bool reached) {
  std::cout << (o.json ? to_json(all) : to_text(all));
  if (!reached)
    return exit_failed;
  return any_failed(all) ? exit_unhealthy : 0;
}

int doctor(const doctor_options& o) {
  process::options env;
  process::read_environment(env);
  env.nats.name = "millrace doctor";
  if (!o.nats.empty())
    env.nats.url = o.nats;
  std::vector<check> all;
  pipeline::definition_ptr definition;
  if (!o.pipeline.empty()) {
    const auto loaded = pipeline::load(o.pipeline);
    all.push_back(file_check(o.pipeline, loaded));
    definition = loaded.value;
  }
  auto broker = inspect_nats(env.nats);
  if (!broker)
    return fail(broker.error(), exit_usage);
  auto b = connect_nats(env.nats);
  if (!b)
    return fail(b.error(), b.error().code == ec::config ? exit_usage : exit_failed);
  const auto clock = runtime::machine_clock();
  doctor_input in{**broker, **b, definition.get(), clock.wall};
  bool reached = false;
  for (auto& c : examine_broker(in, reached))
    all.push_back(std::move(c));
  const bool usable = std::none_of(all.begin(), all.end(), [](const check& c) {
    return c.status == health::fail && (c.name == "jetstream" || c.name == "broker");
  });
  if (definition && usable) {
    const auto give_up = clock.steady() + std::chrono::nanoseconds{connect_limit}.count();
    while (!(*b)->connected() && clock.steady() < give_up)
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    for (auto& c : examine_pipeline(in))
      all.push_back(std::move(c));
  }
  return report(o, all, reached);
}

} // namespace

void add_doctor(CLI::App& app, int& code) {
  auto o = std::make_shared<doctor_options>();
  auto* cmd = app.add_subcommand("doctor", "check the broker and a pipeline on it, and say what to do");
  cmd->add_option("PIPELINE", o->pipeline, "pipeline file (YAML); without, only the broker is checked");
  cmd->add_option("--nats", o->nats, "server; default: MILLRACE_NATS_URL, else nats://127.0.0.1:4222");
  cmd->add_flag("--json", o->json, "one JSON array of {check, status, seen, remedy}");
  cmd->footer("Broker: version, payload, JetStream, storage, permissions. With PIPELINE also: the file, its logs and "
              "their\nsettings, room, clocks, writers, definition, readers' positions, lag, source streams. It changes "
              "nothing.\nExit 0 when nothing fails (warnings are none), 1 when a check fails, 3 when the broker cannot "
              "be reached.\n\nExamples:\n  millrace doctor\n  millrace doctor examples/trades.yaml --nats "
              "nats://127.0.0.1:4222 --json");
  cmd->callback([o, &code] {
    let_signals_stop();
    code = doctor(*o);
  });
}

} // namespace millrace::cli
