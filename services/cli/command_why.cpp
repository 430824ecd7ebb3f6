// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/clock.hpp"
#include "messaging/codec/decode_text.hpp"
#include "services/cli/commands.hpp"
#include "services/cli/why.hpp"
#include "services/pipeline/reader.hpp"
#include "services/process/process.hpp"

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

namespace millrace::cli {

namespace {

constexpr std::chrono::seconds connect_limit{5};

struct why_options {
  std::string pipeline;
  std::string window;
  std::string nats;
  std::string at;
  bool json = false;
};

int fail(const error& e, int code) {
  std::cerr << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
  return code;
}

result<why_question> question_of(const why_options& o, const pipeline::definition& d) {
  why_question q;
  std::vector<std::string> known;
  for (std::size_t i = 0; d.windows && i < d.windows->size(); ++i)
    known.push_back(d.windows->window(i).name);
  for (q.window = 0; q.window < known.size() && known[q.window] != o.window; ++q.window) {
  }
  if (q.window == known.size())
    return error{ec::config, "pipeline " + d.name + " has no window `" + o.window + "`",
                 pipeline::suggest(o.window, known)};
  if (o.at.empty())
    return q;
  q.at = codec::parse_rfc3339(o.at);
  if (!q.at)
    return error{ec::config, "--at " + o.at + " is not a timestamp", "e.g. --at 2026-01-05T14:30:00Z"};
  const auto kind = d.windows->window(q.window).kind;
  if (kind == windows::window_kind::session || kind == windows::window_kind::count)
    return error{ec::config, "--at asks for a window on the time grid, which `" + o.window + "` has not", ""};
  return q;
}

int why(const why_options& o) {
  const auto loaded = pipeline::load(o.pipeline);
  if (!loaded.value) {
    for (const auto& f : loaded.findings)
      std::cerr << to_string(f) << '\n';
    return exit_usage;
  }
  const auto& d = *loaded.value;
  const auto q = question_of(o, d);
  if (!q)
    return fail(q.error(), exit_usage);
  process::options env;
  process::read_environment(env);
  env.nats.name = "millrace why";
  if (!o.nats.empty())
    env.nats.url = o.nats;
  auto b = connect_nats(env.nats);
  if (!b)
    return fail(b.error(), exit_usage);
  const auto clock = runtime::machine_clock();
  const auto give_up = clock.steady() + std::chrono::nanoseconds{connect_limit}.count();
  for (;;) {
    const auto a = ask_why(**b, d, *q, clock.wall());
    if (a) {
      std::cout << (o.json ? to_json(d, *a) + "\n" : to_text(d, *a));
      return 0;
    }
    if (a.error().code != ec::unavailable || clock.steady() > give_up)
      return fail(a.error(), exit_failed);
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

} // namespace

void add_why(CLI::App& app, int& code) {
  auto o = std::make_shared<why_options>();
  auto* cmd = app.add_subcommand("why", "say what holds a window open, since when, and what releases it");
  cmd->add_option("PIPELINE", o->pipeline, "pipeline file (YAML)")->required();
  cmd->add_option("WINDOW", o->window, "name of the window")->required();
  cmd->add_option("--at", o->at, "the window that holds this event time; default: the next one to close");
  cmd->add_option("--nats", o->nats, "server; default: MILLRACE_NATS_URL, else nats://127.0.0.1:4222");
  cmd->add_flag("--json", o->json, "one JSON object");
  cmd->footer("A window closes once the watermark, the minimum over the sources of a partition, reaches its end. This "
              "reads what\nevery source and stage said last, and names the one that is not there yet. It changes "
              "nothing.\n\nExample:\n  millrace why examples/trades.yaml ohlc --nats nats://127.0.0.1:4222");
  cmd->callback([o, &code] { code = why(*o); });
}

} // namespace millrace::cli
