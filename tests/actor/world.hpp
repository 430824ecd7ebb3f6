// SPDX-License-Identifier: Apache-2.0
/// @file
/// A partition with its supervisor on the deterministic scheduler and the memory bus.
#pragma once

#include "actors/runtime/partition.hpp"
#include "actors/runtime/supervisor.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/runtime/fixture.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

using namespace millrace::runtime;
using namespace std::chrono_literals;

/// A control source that a test holds in its hand.
class manual_source final : public control_source {
public:
  const std::string& name() const noexcept override { return name_; }
  void start(std::function<void(control)> deliver) override {
    ++starts;
    deliver_ = std::move(deliver);
    if (!first.empty())
      say(first);
  }
  void stop() override { ++stops; }
  void say(const std::string& contents) {
    if (deliver_)
      deliver_({name_, contents, std::hash<std::string>{}(contents)});
  }

  std::string first;
  int starts = 0;
  int stops = 0;

private:
  std::string name_ = "factor";
  std::function<void(control)> deliver_;
};

class world {
public:
  struct config : caf::actor_system_config {
    config() {
      add_message_types<caf::id_block::millrace_runtime>();
      set("scheduler.policy", caf::atom("testing"));
      set("logger.inline-output", true);
    }
  };

  std::int64_t now = 1'000'000'000'000;
  std::function<append_fault(const append_request&)> fault;
  std::shared_ptr<memory_bus> bus;
  environment env;
  config cfg;
  caf::actor_system sys{cfg};
  caf::scheduler::test_coordinator& sched = dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  caf::scoped_actor self{sys, true};
  supervisor_actor root;
  lane input;
  /// Output lanes: OUT.a, then OUT2.a and so on.
  std::uint32_t fan_out = 1;
  std::shared_ptr<manual_source> source;

  world() {
    memory_options o;
    o.now = [this] { return now; };
    o.inline_callbacks = true;
    o.before_append = [this](const append_request& r) { return fault ? fault(r) : append_fault::none; };
    bus = make_memory_bus(o);
    for (const char* name : {"IN", "OUT", "OUT1", "OUT2", "STATE", "REJECTED"})
      REQUIRE(bus->ensure_log({name, {std::string{name} + ".>"}, 64 << 20, {}, 1, true}));
    env.bus = bus;
    env.clock = {[this] { return now; }, [this] { return now; }};
    env.instance = "test";
    env.detached = false;
    env.tune.fetch_wait = 0ms;
    input.log = "IN";
    input.subject = "IN.a";
    lane* lanes[] = {&input};
    REQUIRE(claim_lanes(*bus, lanes, "upstream", 1, quick_policy()));
  }

  ~world() { end(); }

  partition_spec spec() {
    partition_spec s;
    s.unit = "p/enrich/0";
    s.names.pipeline = "p";
    s.names.stage = "enrich";
    lane out;
    out.log = "OUT";
    out.subject = "OUT.a";
    out.scope = expectation::scope::log;
    s.names.outputs.push_back(out);
    for (std::uint32_t i = 1; i < fan_out; ++i) {
      lane more;
      more.log = "OUT" + std::to_string(i);
      more.subject = more.log + ".a";
      s.names.outputs.push_back(more);
    }
    s.names.state_log = "STATE";
    s.names.state_prefix = "STATE.enrich";
    s.names.rejected_log = "REJECTED";
    s.names.rejected_subject = "REJECTED.enrich.0";
    s.names.definition = 1;
    s.names.instance = "test";
    s.input_log = "IN";
    s.writers = {"IN.a"};
    s.make_processor = [n = fan_out, routing = fan_out > 1 || source]() -> std::unique_ptr<processor> {
      if (routing)
        return std::make_unique<routing_processor>(n);
      return std::make_unique<summing_processor>();
    };
    s.trim = {"p", "IN", "enrich", {"enrich"}, false, 0};
    return s;
  }

  void start() {
    std::shared_ptr<control_hub> hub;
    if (source)
      hub = std::make_shared<control_hub>(std::vector<std::shared_ptr<control_source>>{source});
    root = spawn_supervisor(
      sys, env,
      {{"p/enrich/0",
        [this, hub](caf::actor_system& s, const environment& e, supervisor_actor parent, std::uint64_t i) {
          auto sp = spec();
          sp.controls = hub;
          sp.index = i;
          return spawn_partition(s, e, std::move(parent), std::move(sp));
        },
        nullptr}});
    drain();
  }

  void drain() {
    while (sched.try_run_once()) {
    }
  }

  /// Moves time in steps small enough for every timer to see its moment.
  void advance(std::chrono::milliseconds d) {
    for (; d.count() > 0; d -= 10ms) {
      now += 10'000'000;
      sched.advance_time(10ms);
      drain();
    }
  }

  /// The crash of a process: actors vanish, the bus stays.
  void end() {
    if (root)
      caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    root = nullptr;
    env.stop->store(false);
    drain();
    sched.advance_time(10s);
    drain();
  }

  void feed(const std::vector<std::int64_t>& values, nanoseconds_t watermark) {
    frame f;
    f.origin = {input.number, 0, 0};
    f.watermark = watermark;
    if (!values.empty())
      f.sections.push_back({"", numbers(values)});
    frame_encoder e;
    auto r = next_frame(input, f, e, "upstream");
    REQUIRE(append_all(*bus, {&r, 1}, quick_policy()));
  }

  std::vector<message> log(const char* name) {
    auto r = bus->read(name, 1);
    REQUIRE(r);
    auto m = (*r)->next(100'000, 1 << 28, 0ms);
    REQUIRE(m);
    return std::move(*m);
  }

  std::vector<std::int64_t> rows(const char* name = "OUT") {
    std::vector<std::int64_t> out;
    for (const auto& m : log(name))
      append_values(out, decode_frame(m.payload)->sections);
    return out;
  }

  frame tail(const char* name = "OUT") { return std::move(*decode_frame(log(name).back().payload)); }
};

} // namespace millrace::test
