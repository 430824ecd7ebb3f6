// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/clock.hpp"
#include "actors/runtime/reader.hpp"
#include "messaging/bus.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/commands.hpp"
#include "services/process/process.hpp"

#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace millrace::cli {

namespace {

constexpr std::chrono::milliseconds ack_deadline{5000};
constexpr std::chrono::milliseconds full_pause{50};
/// A source stream that stays full for so long is a failure, not back pressure.
constexpr std::chrono::seconds full_limit{120};
constexpr std::chrono::seconds connect_limit{5};
constexpr std::size_t max_message = 900 * 1000;
/// Messages on their way at once.
constexpr std::size_t window = 16;

struct publish_options {
  std::string file;
  std::string subject;
  double rate = 0;
  std::size_t batch = 100;
  bool end = false;
};

class publisher {
public:
  publisher(publish_options o, std::shared_ptr<bus> b) : o_{std::move(o)}, bus_{std::move(b)} {}
  int run(std::istream& in);

private:
  result<void> flush();
  result<void> send(std::string payload, header_list headers, std::size_t lines);
  void progress(bool last);
  void pace();

  publish_options o_;
  std::shared_ptr<bus> bus_;
  runtime::clock_source clock_ = runtime::machine_clock();
  std::string log_;
  std::vector<std::string> payloads_;
  std::vector<std::size_t> lines_;
  std::uint64_t sent_ = 0;
  std::uint64_t queued_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t shown_ = 0;
};

/// Sends what is queued and waits for every acknowledgement; a full stream makes it wait, not fail.
result<void> publisher::flush() {
  const auto give_up = clock_.steady() + std::chrono::nanoseconds{full_limit}.count();
  while (!payloads_.empty()) {
    std::vector<append_request> requests;
    for (const auto& p : payloads_)
      requests.push_back({log_, o_.subject, p, {}, expectation::nothing()});
    auto outcomes = bus_->append(requests, ack_deadline);
    std::vector<std::string> rest;
    std::vector<std::size_t> rest_lines;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i]) {
        sent_ += lines_[i];
        continue;
      }
      const auto& e = outcomes[i].error();
      if (e.code != ec::full)
        return e;
      rest.push_back(std::move(payloads_[i]));
      rest_lines.push_back(lines_[i]);
    }
    payloads_ = std::move(rest);
    lines_ = std::move(rest_lines);
    progress(false);
    if (payloads_.empty())
      break;
    if (clock_.steady() > give_up)
      return error{ec::full, "the stream stayed full for two minutes", "is the pipeline running?"};
    std::this_thread::sleep_for(full_pause);
  }
  return {};
}

void publisher::pace() {
  if (o_.rate <= 0)
    return;
  const auto due = begin_ + static_cast<std::int64_t>(static_cast<double>(queued_) / o_.rate * 1e9);
  const auto now = clock_.steady();
  if (due > now)
    std::this_thread::sleep_for(std::chrono::nanoseconds{due - now});
}

void publisher::progress(bool last) {
  if (::isatty(STDERR_FILENO) == 0 && !last)
    return;
  const auto now = clock_.steady();
  if (!last && now - shown_ < 200'000'000)
    return;
  shown_ = now;
  const auto seconds = static_cast<double>(now - begin_) / 1e9;
  std::cerr << (::isatty(STDERR_FILENO) != 0 ? "\r" : "") << "published " << sent_ << " events to " << o_.subject
            << " (" << static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(sent_) / seconds : 0) << "/s)";
  if (last)
    std::cerr << '\n';
  std::cerr.flush();
}

int publisher::run(std::istream& in) {
  auto fail = [](const error& e) {
    std::cerr << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
    return exit_failed;
  };
  begin_ = clock_.steady();
  auto covering = bus_->log_of(o_.subject);
  while (!covering && covering.error().code == ec::unavailable &&
         clock_.steady() - begin_ < std::chrono::nanoseconds{connect_limit}.count()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    covering = bus_->log_of(o_.subject);
  }
  if (!covering) {
    if (covering.error().code == ec::not_found)
      return fail({ec::not_found, "no stream covers subject '" + o_.subject + "'",
                   "start the pipeline first: its ingest service creates the stream"});
    return fail(covering.error());
  }
  log_ = *covering;
  begin_ = clock_.steady();
  std::string payload;
  std::string line;
  std::size_t lines = 0;
  auto queue = [&]() -> result<void> {
    if (lines == 0)
      return {};
    payloads_.push_back(std::exchange(payload, {}));
    lines_.push_back(std::exchange(lines, 0));
    // With a rate, what is due goes out now; without, several messages share a round trip.
    if (o_.rate > 0 || payloads_.size() >= window) {
      auto r = flush();
      pace();
      return r;
    }
    return {};
  };
  while (std::getline(in, line)) {
    if (line.empty())
      continue;
    if (line.size() > max_message)
      return fail({ec::too_large, "a line of " + std::to_string(line.size()) + " bytes does not fit a message", ""});
    if (lines >= o_.batch || payload.size() + line.size() + 1 > max_message)
      if (auto r = queue(); !r)
        return fail(r.error());
    payload += line;
    payload += '\n';
    ++lines;
    ++queued_;
  }
  if (auto r = queue(); !r)
    return fail(r.error());
  if (auto r = flush(); !r)
    return fail(r.error());
  if (o_.end) {
    const append_request mark{
      log_, o_.subject, {}, {{std::string{runtime::end_header}, "true"}}, expectation::nothing()};
    auto outcome = bus_->append({&mark, 1}, ack_deadline);
    if (!outcome.front())
      return fail(outcome.front().error());
  }
  progress(true);
  return 0;
}

int publish(const publish_options& o) {
  if (!valid_subject(o.subject)) {
    std::cerr << "error: --subject '" << o.subject << "' is not a subject without wildcards\n";
    return exit_usage;
  }
  std::ifstream file;
  if (o.file != "-") {
    file.open(o.file, std::ios::binary);
    if (!file) {
      std::cerr << "error: cannot open " << o.file << '\n';
      return exit_failed;
    }
  }
  process::options env;
  process::read_environment(env);
  env.nats.name = "millrace publish";
  auto b = connect_nats(env.nats);
  if (!b) {
    std::cerr << "error: " << b.error().message << '\n';
    return exit_usage;
  }
  publisher p{o, std::move(*b)};
  return p.run(o.file == "-" ? std::cin : file);
}

} // namespace

void add_publish(CLI::App& app, int& code) {
  auto o = std::make_shared<publish_options>();
  auto* cmd = app.add_subcommand("publish", "publish NDJSON to NATS, acknowledged");
  cmd->add_option("FILE", o->file, "NDJSON, - is stdin")->required();
  cmd->add_option("--subject", o->subject, "subject to publish to")->required();
  cmd->add_option("--rate", o->rate, "events a second; default: as fast as acknowledged")->check(CLI::PositiveNumber);
  cmd->add_option("--batch", o->batch, "lines to a message")->capture_default_str()->check(CLI::Range(1, 100000));
  cmd->add_flag("--end", o->end, "mark the source as finished, so that its windows can close; later events are late");
  cmd->footer(
    "Server: MILLRACE_NATS_URL (nats://127.0.0.1:4222). Exit 3 when no stream covers the subject.\n\nExample:\n  "
    "millrace publish trades.ndjson --subject trades.nyse --batch 100 --end");
  cmd->callback([o, &code] {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    ::pthread_sigmask(SIG_UNBLOCK, &s, nullptr);
    code = publish(*o);
  });
}

} // namespace millrace::cli
