// SPDX-License-Identifier: Apache-2.0
#include "services/cli/why.hpp"

#include "messaging/frame.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "messaging/subjects.hpp"
#include "services/process/context.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using cli::hold_kind;

namespace {

constexpr nanoseconds_t second = 1'000'000'000;
/// 2026-01-05T14:30:00Z
constexpr nanoseconds_t half_past = 1'767'623'400 * second;
constexpr nanoseconds_t clock_start = 1'800'000'000 * second;

/// The logs of a pipeline with two sources and one partition, written by hand.
class logs {
public:
  explicit logs(const std::string& windows = "{name: w, tumbling: 1m, aggregate: {n: count()}}", int partitions = 1) {
    const auto text = "pipeline: p\npartitions: " + std::to_string(partitions) +
                      "\nevent: {fields: {k: string, x: string, ts: timestamp}, time: ts, key: k, max_delay: 2s}\n"
                      "ingest: {sources: [{nats: {subject: a}}, {nats: {subject: b}}]}\nwindows:\n  - " +
                      windows + "\n";
    definition = pipeline::load_text(text, "p.yaml").value;
    REQUIRE(definition);
    memory_options o;
    o.now = [this] { return now; };
    bus = make_memory_bus(std::move(o));
    for (std::uint32_t p = 0; p < 2 * definition->partitions; ++p)
      for (const auto* stage : {"events", "enriched", "partials", "windows"})
        REQUIRE(bus->ensure_log({stream_name("p", stage, p), log_subjects("p", stage, p), 1 << 20, {}, 1, true}));
  }

  void say(const std::string& stage, const std::string& writer, nanoseconds_t watermark,
           frame_kind kind = frame_kind::tick, bool idle = false, std::uint32_t partition = 0) {
    frame f;
    f.kind = kind;
    f.watermark = watermark;
    f.high_time = watermark == no_watermark || watermark == end_watermark ? no_watermark : watermark + 2 * second;
    f.idle = idle;
    frame_encoder e;
    const auto payload = e.encode(f);
    const auto log = stream_name("p", stage, partition);
    const auto name = writer.empty() ? subject("p", stage, partition) : subject("p", stage, partition, writer);
    const append_request r{log, name, payload, {}, expectation::nothing()};
    REQUIRE(bus->append({&r, 1}, std::chrono::milliseconds{100}).front());
  }

  /// All stages have come as far as the sources.
  void caught_up(nanoseconds_t watermark) {
    say("enriched", "", watermark);
    say("windows", "", watermark);
  }

  cli::why_answer ask(std::optional<nanoseconds_t> at = {}) {
    auto a = cli::ask_why(*bus, *definition, {0, at}, now);
    REQUIRE(a);
    return *a;
  }
  cli::why_partition ask_first() { return ask().partitions.at(0); }

  nanoseconds_t now = clock_start;
  pipeline::definition_ptr definition;
  std::shared_ptr<memory_bus> bus;
};

} // namespace

TEST_CASE("the source with the smallest watermark holds the next window, and an event behind its end releases it") {
  logs l;
  l.say("events", "nats0", half_past + 90 * second);
  l.say("events", "nats1", half_past + 20 * second);
  l.caught_up(half_past + 20 * second);
  l.now += 3 * second;
  const auto p = l.ask_first();
  REQUIRE(p.held_by);
  CHECK(p.held_by->kind == hold_kind::shard);
  CHECK(p.held_by->name == "nats1");
  CHECK(p.held_by->state == "active");
  CHECK(p.closes_at == half_past + 60 * second);
  CHECK(p.held_by->tail.stamp == clock_start);
  CHECK(cli::release_of(*l.definition, p, l.now).find("2026-01-05T14:31:02.000Z or later") != std::string::npos);
  const auto text = cli::to_text(*l.definition, l.ask());
  CHECK(text.find("held open by source nats1 (subject b)") != std::string::npos);
  CHECK(text.find("(3s ago)") != std::string::npos);
}

TEST_CASE("a source that no service has claimed holds everything") {
  logs l;
  l.say("events", "nats0", half_past);
  l.caught_up(no_watermark);
  const auto p = l.ask_first();
  REQUIRE(p.held_by);
  CHECK(p.held_by->name == "nats1");
  CHECK(p.held_by->state == "unclaimed");
}

TEST_CASE("a source that is neither heard nor idle is silent; its owner's orderly end is told apart") {
  logs l;
  l.say("events", "nats0", half_past);
  l.say("events", "nats1", half_past);
  l.caught_up(half_past);
  l.now += 16 * second;
  CHECK(l.ask_first().held_by->state == "silent");
  l.say("events", "nats0", half_past, frame_kind::release);
  CHECK(l.ask_first().held_by->state == "released");
}

TEST_CASE("an idle source is released by time; one that is idle without an event holds nothing") {
  logs l;
  l.say("events", "nats0", no_watermark, frame_kind::tick, true);
  l.say("events", "nats1", half_past + 20 * second, frame_kind::tick, true);
  l.caught_up(half_past + 20 * second);
  const auto p = l.ask_first();
  REQUIRE(p.held_by);
  CHECK(p.held_by->name == "nats1");
  CHECK(p.held_by->state == "idle");
  CHECK(cli::release_of(*l.definition, p, l.now).find("about 40s more") != std::string::npos);
}

TEST_CASE("when the sources are past the end, the stage that is not holds the window") {
  logs l;
  l.say("events", "nats0", half_past + 90 * second);
  l.say("events", "nats1", half_past + 70 * second);
  l.caught_up(half_past + 20 * second);
  CHECK(l.ask_first().held_by->name == "enrich");
  CHECK(l.ask_first().held_by->state == "behind");
  l.say("enriched", "", half_past + 70 * second);
  CHECK(l.ask_first().held_by->name == "window");
  l.say("windows", "", half_past + 70 * second);
  CHECK(l.ask_first().held_by->name == "nats1");
  CHECK(l.ask_first().closes_at == half_past + 120 * second);
}

TEST_CASE("a stage that never ran holds what the sources have said") {
  logs l;
  l.say("events", "nats0", half_past);
  l.say("events", "nats1", half_past);
  CHECK(l.ask_first().held_by->name == "enrich");
  CHECK(l.ask_first().held_by->state == "unclaimed");
}

TEST_CASE("a window asked for by time that has closed is not held, and after the end nothing is") {
  logs l;
  l.say("events", "nats0", half_past + 90 * second);
  l.say("events", "nats1", half_past + 90 * second);
  l.caught_up(half_past + 90 * second);
  CHECK_FALSE(l.ask(half_past + second).partitions[0].held_by);
  CHECK(l.ask(half_past + 61 * second).partitions[0].held_by);
  l.say("windows", "", end_watermark);
  CHECK(l.ask().partitions[0].ended);
  CHECK(cli::to_json(*l.definition, l.ask()).find("\"watermark\":\"end\"") != std::string::npos);
}

TEST_CASE("a total over partitions is held by the source that holds the partition furthest back") {
  logs l{"{name: w, key: [x], tumbling: 1m, aggregate: {n: count()}}", 2};
  for (std::uint32_t p = 0; p < 2; ++p) {
    const auto low = half_past + (p == 0 ? 20 : 30) * second;
    l.say("events", "nats0", half_past + 90 * second, frame_kind::tick, false, p);
    l.say("events", "nats1", low, frame_kind::tick, false, p);
    l.say("enriched", "", low, frame_kind::tick, false, p);
    for (std::uint32_t q = 0; q < 2; ++q)
      l.say("partials", std::to_string(p), low, frame_kind::tick, false, q);
  }
  for (std::uint32_t q = 0; q < 2; ++q)
    l.say("windows", "", half_past + 20 * second, frame_kind::tick, false, process::merge_partition(*l.definition, q));
  const auto a = l.ask();
  REQUIRE(a.partitions.size() == 2);
  for (const auto& p : a.partitions) {
    REQUIRE(p.held_by);
    CHECK(p.held_by->name == "nats1");
    CHECK(p.held_by->tail.watermark == half_past + 20 * second);
  }
  for (std::uint32_t q = 0; q < 2; ++q)
    for (std::uint32_t p = 0; p < 2; ++p)
      l.say("partials", std::to_string(p), half_past + 60 * second, frame_kind::tick, false, q);
  CHECK(l.ask().partitions[0].held_by->name == "window-merge");
}

TEST_CASE("a pipeline that never ran on this server is an error that says so") {
  logs l;
  auto other = make_memory_bus();
  const auto a = cli::ask_why(*other, *l.definition, {}, 0);
  REQUIRE_FALSE(a);
  CHECK(a.error().code == ec::not_found);
}
