// SPDX-License-Identifier: Apache-2.0
#include "services/cli/doctor.hpp"

#include "messaging/frame.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/doctor_text.hpp"
#include "tests/support/catch.hpp"

#include <map>

using namespace millrace;
using cli::health;

namespace {

constexpr nanoseconds_t second = 1'000'000'000;
constexpr nanoseconds_t clock_start = 1'800'000'000 * second;

class fake_broker final : public inspector {
public:
  result<broker_info> broker() override { return info; }
  result<account_info> account() override { return state; }
  result<log_settings> settings(std::string_view log) override {
    const auto i = special.find(std::string{log});
    return i == special.end() ? usual : i->second;
  }
  result<bool> may(std::string_view endpoint) override { return endpoint != denied; }

  result<broker_info> info = broker_info{"nats://here:4222", "2.10.27", 1024 * 1024};
  result<account_info> state = account_info{};
  log_settings usual{true, true, true, true, 1, 1 << 20, {}, {}, 1 << 20, {}, clock_start};
  std::map<std::string, log_settings> special;
  std::string denied;
};

/// A pipeline whose every log has one claim.
class world {
public:
  explicit world(bool claimed = true) {
    const auto loaded = pipeline::load_text(
      "pipeline: p\npartitions: 2\nevent: {fields: {k: string, ts: timestamp}, time: ts, key: k}\n"
      "ingest: {sources: [{nats: {subject: in}}]}\n"
      "windows: [{name: w, tumbling: 1m, aggregate: {n: count()}}]\nalerts: [{name: a, on: w, when: n > 3}]\n",
      "p.yaml");
    definition = loaded.value;
    REQUIRE(definition);
    memory_options o;
    o.now = [this] { return now; };
    bus = make_memory_bus(std::move(o));
    for (const auto& l : cli::expected_logs(*definition)) {
      REQUIRE(bus->ensure_log({l.name, log_subjects("p", l.stage, l.partition), 1 << 20, {}, 1, true}));
      if (claimed)
        for (const auto& s : l.subjects)
          say(l.name, s, frame_kind::claim);
    }
    REQUIRE(bus->ensure_log({"SOURCE", {"in"}, 1 << 20, {}, 1, false}));
  }

  void say(const std::string& log, const std::string& subject, frame_kind kind, std::uint64_t fingerprint = 0) {
    frame f;
    f.kind = kind;
    f.epoch = 4;
    f.writer = "me";
    f.definition = fingerprint == 0 ? definition->fingerprint : fingerprint;
    append(log, subject, frame_encoder{}.encode(f));
  }
  void append(const std::string& log, const std::string& subject, const std::string& payload) {
    const append_request r{log, subject, payload, {}, expectation::nothing()};
    REQUIRE(bus->append({&r, 1}, std::chrono::milliseconds{100}).front());
  }

  std::vector<cli::check> examine() {
    cli::doctor_input in{broker, *bus, definition.get(), [this] { return now; }};
    return cli::examine_pipeline(in);
  }
  /// The one finding of that name that is no `ok`, or the `ok` one.
  cli::check find(const std::string& name) {
    std::optional<cli::check> out;
    for (auto& c : examine())
      if (c.name == name && (!out || out->status == health::ok))
        out = c;
    INFO(name);
    REQUIRE(out);
    return *out;
  }

  nanoseconds_t now = clock_start;
  fake_broker broker;
  pipeline::definition_ptr definition;
  std::shared_ptr<memory_bus> bus;
};

std::vector<cli::check> broker_checks(fake_broker& b, bool expected = true) {
  auto bus = make_memory_bus();
  cli::doctor_input in{b, *bus, nullptr, [] { return clock_start; }};
  bool reached = false;
  auto out = cli::examine_broker(in, reached);
  CHECK(reached == expected);
  return out;
}

health status_of(const std::vector<cli::check>& all, const std::string& name) {
  for (const auto& c : all)
    if (c.name == name)
      return c.status;
  FAIL("no check " << name);
  return health::ok;
}

} // namespace

TEST_CASE("a broker as it should be passes") {
  fake_broker b;
  for (const auto& c : broker_checks(b)) {
    INFO(c.name << ": " << c.seen);
    CHECK(c.status == health::ok);
  }
}

TEST_CASE("what is wrong with a broker is found") {
  fake_broker b;
  b.info = broker_info{"nats://here:4222", "2.9.10", 64 * 1024};
  b.state = account_info{95, 100, 0, 1, {}};
  b.denied = "STREAM.CREATE";
  auto found = broker_checks(b);
  CHECK(status_of(found, "version") == health::warn);
  CHECK(status_of(found, "max_payload") == health::fail);
  CHECK(status_of(found, "storage") == health::warn);
  CHECK(status_of(found, "permissions") == health::fail);
  for (const auto& c : found)
    CHECK((c.status == health::ok) == c.remedy.empty());
  b.info = broker_info{"nats://here:4222", "2.8.0", 1024 * 1024};
  CHECK(status_of(broker_checks(b), "version") == health::fail);
  b.state = error{ec::unavailable, "not enabled", ""};
  CHECK(status_of(broker_checks(b), "jetstream") == health::fail);
  b.info = error{ec::unavailable, "nobody answers", ""};
  found = broker_checks(b, false);
  CHECK(found.size() == 1);
  CHECK(cli::any_failed(found));
}

TEST_CASE("a healthy pipeline passes every check") {
  world w;
  for (const auto& c : w.examine()) {
    INFO(c.name << ": " << c.seen);
    CHECK(c.status == health::ok);
    CHECK(c.remedy.empty());
  }
}

TEST_CASE("a log set up in another way is named") {
  world w;
  auto s = w.broker.usual;
  s.discard_new = false;
  w.broker.special["MILLRACE_p_events_1"] = s;
  const auto c = w.find("log settings");
  CHECK(c.status == health::fail);
  CHECK(c.seen == "MILLRACE_p_events_1 discards old messages instead of refusing new ones");
  s.discard_new = true;
  s.max_age = std::chrono::hours{1};
  w.broker.special["MILLRACE_p_events_1"] = s;
  CHECK(w.find("log settings").seen == "MILLRACE_p_events_1 deletes messages by age");
}

TEST_CASE("a full log, a released subject, a foreign message and another definition are told apart") {
  world w;
  w.append("MILLRACE_p_enriched_0", "millrace.p.enriched.0.x", std::string(950 * 1024, 'x'));
  w.say("MILLRACE_p_enriched_1", "millrace.p.enriched.1", frame_kind::release);
  CHECK(w.find("room").status == health::warn);
  CHECK(w.find("room").seen.find("MILLRACE_p_enriched_0 9") != std::string::npos);
  CHECK(w.find("writers").seen.find("millrace.p.enriched.1 (epoch 4, by me)") != std::string::npos);
  CHECK(w.find("definition").status == health::ok);
  w.say("MILLRACE_p_windows_0", "millrace.p.windows.0", frame_kind::tick, 77);
  CHECK(w.find("definition").status == health::fail);
  w.append("MILLRACE_p_alerts_1", "millrace.p.alerts.1", "hello");
  CHECK(w.find("tails").status == health::fail);
  CHECK(w.find("tails").seen.find("millrace.p.alerts.1 (sequence 2)") != std::string::npos);
}

TEST_CASE("a reader that holds its log is named, with how many messages") {
  world w;
  REQUIRE(w.bus->kv_open("MILLRACE_p_positions", {}));
  REQUIRE(w.bus->kv_put("MILLRACE_p_positions", "MILLRACE_p_windows_0.alert", "1"));
  for (int i = 0; i < 1002; ++i)
    w.say("MILLRACE_p_windows_0", "millrace.p.windows.0", frame_kind::tick);
  w.broker.usual.max_bytes = 1 << 30;
  std::string seen;
  for (const auto& c : w.examine())
    if (c.name == "positions")
      seen += c.seen + "\n";
  CHECK(seen == "never said how far they are: storage on MILLRACE_p_windows_0\n"
                "hold their log: alert on MILLRACE_p_windows_0, 1002 messages\n");
}

TEST_CASE("a stage behind its input is named") {
  world w;
  w.broker.usual.max_bytes = 1 << 30;
  for (int i = 0; i < 1001; ++i)
    w.say("MILLRACE_p_events_0", "millrace.p.events.0.nats0", frame_kind::tick);
  CHECK(w.find("lag").seen == "behind their input: MILLRACE_p_enriched_0: 1002 frames");
}

TEST_CASE("clocks that disagree are found, with and without a server that tells its time") {
  world w;
  w.broker.usual.now = clock_start - 3 * second;
  CHECK(w.find("clock").seen == "the broker's clock is 3s behind this one's");
  CHECK(w.find("clock").status == health::warn);
  w.broker.usual.now.reset();
  CHECK(w.find("clock").status == health::ok);
  w.now = clock_start - 5 * second;
  CHECK(w.find("clock").seen == "the broker's clock is 5s ahead of this one's");
}

TEST_CASE("a pipeline that never ran warns and says what it would reserve") {
  world w{false};
  CHECK(w.find("writers").status == health::warn);
  memory_options o;
  w.bus = make_memory_bus(std::move(o));
  w.broker.state = account_info{0, 1 << 30, 0, 0, {}};
  const auto all = w.examine();
  CHECK_FALSE(cli::any_failed(all));
  CHECK(w.find("logs").seen.find("it has never run here") != std::string::npos);
  // events, enriched, windows, alerts and three state logs for each of two partitions, and the rejected events.
  CHECK(w.find("storage for logs").seen == "15 logs to be created reserve 3.7 GiB, 1.0 GiB are left");
  CHECK(w.find("source nats0").status == health::warn);
}

TEST_CASE("findings are shown as lines and as a JSON array") {
  const std::vector<cli::check> all{{"a", health::ok, "good", ""}, {"bb", health::fail, "\"bad\"", "mend"}};
  CHECK(cli::to_text(all) ==
        "ok    a   good\nFAIL  bb  \"bad\"\n          -> mend\n\n2 checks, 0 warnings, 1 failure\n");
  CHECK(cli::to_json(all) == "[{\"check\":\"a\",\"status\":\"ok\",\"seen\":\"good\",\"remedy\":\"\"},\n"
                             "{\"check\":\"bb\",\"status\":\"FAIL\",\"seen\":\"\\\"bad\\\"\",\"remedy\":\"mend\"}]\n");
  CHECK(cli::size_text(1023) == "1023 B");
  CHECK(cli::size_text(1536) == "1.5 KiB");
}
