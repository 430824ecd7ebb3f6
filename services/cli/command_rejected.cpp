// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/clock.hpp"
#include "messaging/codec/decode_text.hpp"
#include "services/cli/commands.hpp"
#include "services/cli/rejected.hpp"
#include "services/pipeline/reader.hpp"
#include "services/process/process.hpp"

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace millrace::cli {

namespace {

constexpr std::chrono::seconds connect_limit{5};
/// Of a payload that --dry-run shows.
constexpr std::size_t shown_payload = 2000;
/// Refusals that are told one by one.
constexpr std::size_t shown_refusals = 20;

struct rejected_options {
  std::string pipeline;
  std::string nats;
  std::string stage;
  std::string reason;
  std::string since;
  std::size_t limit = 0;
  bool json = false;
  // retry
  std::string subject;
  std::string csv_header;
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> set;
  bool dry_run = false;
  bool again = false;
  bool yes = false;
};

int fail(const error& e, int code) {
  std::cerr << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
  return code;
}

result<void> check_word(std::string_view option, const std::string& word, const std::vector<std::string>& known) {
  if (word.empty() || std::find(known.begin(), known.end(), word) != known.end())
    return {};
  return error{ec::config, std::string{option} + " " + word + " does not exist", pipeline::suggest(word, known)};
}

result<rejected_filter> filter_of(const rejected_options& o, nanoseconds_t now) {
  static const std::vector<std::string> stages{"ingest", "enrich", "window", "alert", "storage"};
  static const std::vector<std::string> reasons{"malformed", "type", "missing", "expression", "lookup",
                                                "future",    "late", "limit",   "oversize",   "poison"};
  if (auto ok = check_word("--stage", o.stage, stages); !ok)
    return ok.error();
  if (auto ok = check_word("--reason", o.reason, reasons); !ok)
    return ok.error();
  rejected_filter f{o.stage, o.reason, {}, o.sequences};
  if (o.since.empty())
    return f;
  f.since = codec::parse_rfc3339(o.since);
  if (!f.since)
    if (const auto ago = codec::parse_duration(o.since); ago && *ago >= 0)
      f.since = now - *ago;
  if (!f.since)
    return error{ec::config, "--since " + o.since + " is neither a timestamp nor a duration",
                 "e.g. --since 2026-01-05T14:30:00Z, or --since 15m for the last 15 minutes"};
  return f;
}

pipeline::definition_ptr load(const std::string& path) {
  const auto loaded = pipeline::load(path);
  if (!loaded.value)
    for (const auto& f : loaded.findings)
      std::cerr << to_string(f) << '\n';
  return loaded.value;
}

/// Waits a moment for a connection that is just being made.
result<std::shared_ptr<bus>> connect(const rejected_options& o, const std::string& pipeline) {
  process::options env;
  process::read_environment(env);
  env.nats.name = "millrace rejected " + pipeline;
  if (!o.nats.empty())
    env.nats.url = o.nats;
  auto b = connect_nats(env.nats);
  if (!b)
    return b;
  const auto clock = runtime::machine_clock();
  const auto give_up = clock.steady() + std::chrono::nanoseconds{connect_limit}.count();
  for (;;) {
    const auto answer = (*b)->ping(connect_limit);
    if (answer)
      return b;
    if (clock.steady() > give_up)
      return answer.error();
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
}

int exit_of(const error& e) { return e.code == ec::config ? exit_usage : exit_failed; }

int list(const rejected_options& o) {
  const auto d = load(o.pipeline);
  if (!d)
    return exit_usage;
  const auto f = filter_of(o, runtime::machine_clock().wall());
  if (!f)
    return fail(f.error(), exit_usage);
  auto b = connect(o, d->name);
  if (!b)
    return fail(b.error(), exit_of(b.error()));
  const auto l = list_rejected(**b, d->name, *f, o.limit);
  if (!l)
    return fail(l.error(), exit_failed);
  if (!o.json) {
    std::cout << to_text(d->name, *l);
    return 0;
  }
  for (const auto& e : l->entries)
    std::cout << to_json(e) << '\n';
  std::cerr << summary_text(*l);
  return 0;
}

void tell(const retry_plan& p) {
  for (std::size_t i = 0; i < std::min(shown_refusals, p.refused.size()); ++i) {
    const auto& [sequence, why] = p.refused[i];
    std::cerr << "sequence " << sequence << " cannot be sent again: " << why.message << "; " << why.hint << '\n';
  }
  if (p.refused.size() > shown_refusals)
    std::cerr << "and " << p.refused.size() - shown_refusals << " more\n";
  if (p.already > 0)
    std::cerr << p.already << " sent again before (--again sends them once more)\n";
}

bool confirmed(const rejected_options& o, const std::string& what) {
  if (o.yes || ::isatty(STDIN_FILENO) == 0)
    return true;
  std::cerr << what << "? [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string events_text(std::size_t n) { return std::to_string(n) + (n == 1 ? " event" : " events"); }

int retry(const rejected_options& o) {
  const auto d = load(o.pipeline);
  if (!d)
    return exit_usage;
  const auto f = filter_of(o, runtime::machine_clock().wall());
  if (!f)
    return fail(f.error(), exit_usage);
  const auto subject = retry_subject(*d, o.subject);
  if (!subject)
    return fail(subject.error(), exit_usage);
  retry_options r{*f, o.limit, *subject, {}, o.csv_header, o.again};
  for (const auto& s : o.set) {
    auto one = parse_set(s);
    if (!one)
      return fail(one.error(), exit_usage);
    r.set.push_back(std::move(*one));
  }
  if (!r.set.empty() && d->decode.format == codec::event_format::csv)
    return fail({ec::config, "--set mends JSON, and the events of this pipeline are CSV",
                 "send the mended records with your own client"},
                exit_usage);
  auto b = connect(o, d->name);
  if (!b)
    return fail(b.error(), exit_of(b.error()));
  const auto p = plan_retry(**b, *d, r);
  if (!p)
    return fail(p.error(), exit_failed);
  tell(*p);
  const auto code = p->refused.empty() ? 0 : exit_failed;
  if (o.dry_run) {
    for (const auto& i : p->ready)
      std::cout << i.sequence << "  " << printable(i.payload, shown_payload) << '\n';
    std::cout << "would send " << events_text(p->ready.size()) << " to " << *subject << '\n';
    return code;
  }
  if (p->ready.empty()) {
    std::cout << "nothing to send again\n";
    return code;
  }
  if (!confirmed(o, "send " + events_text(p->ready.size()) + " to " + *subject + " again")) {
    std::cerr << "nothing was sent\n";
    return 0;
  }
  std::uint64_t sent = 0;
  const auto done = send_again(**b, d->name, *subject, *p, sent);
  std::cout << "sent " << events_text(sent) << " to " << *subject << " again\n";
  if (done)
    return code;
  const bool unclear = done.error().code == ec::timeout || done.error().code == ec::unavailable;
  return fail({done.error().code, done.error().message,
               unclear ? "up to " + std::to_string(std::min<std::uint64_t>(16, p->ready.size() - sent)) +
                           " more may be stored without an acknowledgement; run the command again for the rest"
                       : done.error().hint},
              exit_failed);
}

void add_common(CLI::App& cmd, rejected_options& o) {
  cmd.add_option("PIPELINE", o.pipeline, "pipeline file (YAML)")->required();
  cmd.add_option("--stage", o.stage, "only this stage: ingest, enrich, window, alert, storage");
  cmd.add_option("--reason", o.reason, "only this reason: malformed, type, missing, expression, lookup, late, ...");
  cmd.add_option("--since", o.since,
                 "only what was stored since then: a timestamp, or a duration (15m: the last 15 min)");
  cmd.add_option("--sequence", o.sequences, "only these sequences: N or N,N,...")
    ->delimiter(',')
    ->take_all()
    ->allow_extra_args(false);
  cmd.add_option("--nats", o.nats, "server; default: MILLRACE_NATS_URL, else nats://127.0.0.1:4222");
}

void add_list(CLI::App& app, int& code) {
  auto o = std::make_shared<rejected_options>();
  o->limit = 100;
  auto* cmd = app.add_subcommand("list", "show rejected and late events, and how many there are by reason");
  add_common(*cmd, *o);
  cmd->add_option("--limit", o->limit, "show the newest N; the summary counts all")->capture_default_str();
  cmd->add_flag("--json", o->json, "one JSON object to a line, summary to stderr");
  cmd->footer("Reads only: nothing is deleted, no consumer is left behind.\n\nExamples:\n  millrace rejected list "
              "examples/trades.yaml --since 1h\n  millrace rejected list examples/trades.yaml --reason type --json | "
              "jq .event");
  cmd->callback([o, &code] {
    let_signals_stop();
    code = list(*o);
  });
}

void add_retry(CLI::App& app, int& code) {
  auto o = std::make_shared<rejected_options>();
  auto* cmd = app.add_subcommand("retry", "send rejected events to their source again, mended or as they are");
  add_common(*cmd, *o);
  cmd->add_option("--subject", o->subject, "where to send; default: the first source's subject, if it has no wildcard");
  cmd->add_option("--limit", o->limit, "send the oldest N only; default: all");
  cmd->add_option("--set", o->set, "'field=JSON' replaces or adds a top-level member; may be repeated")
    ->allow_extra_args(false);
  cmd->add_option("--csv-header", o->csv_header, "CSV: the header, which is not kept with a record");
  cmd->add_flag("--dry-run", o->dry_run, "show what would be sent, and send nothing");
  cmd->add_flag("--again", o->again, "also what was sent again before");
  cmd->add_flag("--yes", o->yes, "do not ask");
  cmd->footer(
    "What ingest could not read is sent byte for byte; what a later stage rejected is taken from its source stream, "
    "or, "
    "when\nthat forgot it, put back into the source's shape from what was kept. A late event is late again unless "
    "--set "
    "mends its\ntime. Each message has the header Millrace-Retry-Of. Nothing is\ndeleted; what was sent is remembered "
    "in the bucket MILLRACE_<pipeline>_retried, and a second retry "
    "skips it.\nExit 3 when some event cannot be sent.\n\nExamples:\n  millrace rejected retry examples/trades.yaml "
    "--subject trades.nyse --reason type --set 'size=1' --dry-run\n  millrace rejected retry examples/trades.yaml "
    "--subject trades.nyse --sequence 12,15 --yes");
  cmd->callback([o, &code] {
    let_signals_stop();
    code = retry(*o);
  });
}

} // namespace

void add_rejected(CLI::App& app, int& code) {
  auto* cmd = app.add_subcommand("rejected", "list rejected and late events, and send them again");
  cmd->require_subcommand(1);
  cmd->footer("Example:\n  millrace rejected list examples/trades.yaml");
  add_list(*cmd, code);
  add_retry(*cmd, code);
}

} // namespace millrace::cli
