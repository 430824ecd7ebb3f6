// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/append.hpp"

#include "actors/runtime/snapshot_log.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/runtime/fixture.hpp"
#include "tests/unit/runtime/forwarding_bus.hpp"

#include <random>

using namespace millrace;
using namespace millrace::runtime;

namespace {

std::shared_ptr<memory_bus> make_bus(memory_options o = {}) {
  auto b = make_memory_bus(std::move(o));
  REQUIRE(b->ensure_log({"LOG", {"log.>"}, 1 << 20, {}, 1, true}));
  REQUIRE(b->ensure_log({"STATE", {"state.>"}, 8 << 20, {}, 1, true}));
  return b;
}

lane make_lane(std::string subject = "log.a") {
  lane l;
  l.log = "LOG";
  l.subject = std::move(subject);
  return l;
}

void claim(bus& b, lane& l) {
  lane* lanes[] = {&l};
  REQUIRE(claim_lanes(b, lanes, "test", 1, test::quick_policy()));
}

result<void> write(bus& b, lane& l, std::int64_t n) {
  frame f;
  f.origin = {static_cast<std::uint64_t>(n), 0, 0};
  f.sections.push_back({"", test::numbers({n})});
  frame_encoder e;
  auto r = next_frame(l, f, e, "test");
  return append_all(b, {&r, 1}, test::quick_policy());
}

/// Values on the log in order; checks that numbers are consecutive.
std::vector<std::int64_t> read(bus& b) {
  auto reader = b.read("LOG", 1);
  REQUIRE(reader);
  auto messages = (*reader)->next(10'000, 1 << 26, std::chrono::milliseconds{0});
  REQUIRE(messages);
  std::vector<std::int64_t> out;
  std::uint64_t number = 0;
  std::uint64_t previous = 0;
  for (const auto& m : *messages) {
    auto f = decode_frame(m.payload);
    REQUIRE(f);
    CHECK(f->number == ++number);
    CHECK(f->previous == previous);
    previous = frame_checksum(m.payload);
    test::append_values(out, f->sections);
  }
  return out;
}

} // namespace

TEST_CASE("appends under lost answers, duplicates and refusals stand once each, in order") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random{seed};
    memory_options o;
    o.before_append = [&](const append_request&) {
      switch (random() % 8) {
      case 0: return append_fault::fail;
      case 1: return append_fault::lose_request;
      case 2: return append_fault::lose_ack;
      case 3: return append_fault::duplicate;
      default: return append_fault::none;
      }
    };
    auto b = make_bus(o);
    auto l = make_lane();
    claim(*b, l);
    std::vector<std::int64_t> expected;
    for (std::int64_t n = 1; n <= 40; ++n) {
      REQUIRE(write(*b, l, n));
      expected.push_back(n);
    }
    INFO("seed " << seed);
    CHECK(read(*b) == expected);
  }
}

TEST_CASE("an append that comes late, after its repetition, is refused by its expectation") {
  bool first = true;
  memory_options o;
  o.before_append = [&](const append_request&) {
    return std::exchange(first, false) ? append_fault::delay : append_fault::none;
  };
  auto b = make_bus(o);
  auto l = make_lane();
  claim(*b, l);
  first = true;
  REQUIRE(write(*b, l, 1));
  REQUIRE(write(*b, l, 2));
  CHECK(b->release_delayed() == 0);
  CHECK(read(*b) == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("after a claim the old owner is fenced at its next append, and the claim carries its checkpoint") {
  auto b = make_bus();
  auto old = make_lane();
  claim(*b, old);
  REQUIRE(write(*b, old, 7));
  auto fresh = make_lane();
  claim(*b, fresh);
  CHECK(fresh.epoch == old.epoch + 1);
  CHECK(fresh.covered.sequence == 7);
  auto r = write(*b, old, 8);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::fenced);
  REQUIRE(write(*b, fresh, 8));
  CHECK(read(*b) == std::vector<std::int64_t>{7, 8});
}

TEST_CASE("a frame of the old owner between the questions of a claim refuses the claim") {
  for (const auto scope : {expectation::scope::log, expectation::scope::subject}) {
    auto b = make_bus();
    auto old = make_lane();
    old.scope = scope;
    claim(*b, old);
    REQUIRE(write(*b, old, 1));
    for (const bool after_info : {true, false}) {
      struct interfering final : test::forwarding_bus {
        using forwarding_bus::forwarding_bus;
        std::function<void()> between;
        bool after_info = false;
        void come_in() {
          if (auto f = std::exchange(between, {}))
            f();
        }
        result<log_info> info(std::string_view l) override {
          auto r = forwarding_bus::info(l);
          if (after_info)
            come_in();
          return r;
        }
        result<std::optional<message>> tail(std::string_view l, std::string_view s) override {
          auto r = forwarding_bus::tail(l, s);
          if (!after_info)
            come_in();
          return r;
        }
      };
      if (after_info && scope == expectation::scope::subject)
        continue; // it asks for no log
      interfering i{*b};
      i.after_info = after_info;
      i.between = [&] { REQUIRE(write(*b, old, 2)); };
      auto fresh = make_lane();
      fresh.scope = scope;
      lane* lanes[] = {&fresh};
      auto r = claim_lanes(i, lanes, "test", 1, test::quick_policy());
      REQUIRE_FALSE(r);
      CHECK(r.error().code == ec::fenced);
    }
  }
}

TEST_CASE("a full log makes the writer wait until there is room") {
  auto b = make_bus();
  REQUIRE(b->ensure_log({"SMALL", {"small.>"}, 4000, {}, 1, true}));
  lane l;
  l.log = "SMALL";
  l.subject = "small.a";
  claim(*b, l);
  int waits = 0;
  auto policy = test::quick_policy();
  policy.on_wait = [&](const error& e, const lane&) {
    CHECK(e.code == ec::full);
    if (++waits == 3)
      REQUIRE(b->trim("SMALL", "small.a", UINT64_MAX));
  };
  frame_encoder e;
  for (int i = 0; i < 12; ++i) {
    frame f;
    f.sections.push_back({"", test::numbers({i})});
    auto r = next_frame(l, f, e, "test");
    REQUIRE(append_all(*b, {&r, 1}, policy));
  }
  CHECK(waits >= 3);
}

TEST_CASE("a writer told to stop gives up waiting") {
  auto b = make_bus();
  auto l = make_lane();
  claim(*b, l);
  b->set_available(false);
  std::atomic<bool> stop{true};
  auto policy = test::quick_policy();
  policy.stop = &stop;
  frame f;
  frame_encoder e;
  auto r = next_frame(l, f, e, "test");
  auto done = append_all(*b, {&r, 1}, policy);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::unavailable);
}

TEST_CASE("a message that is not a frame at the tail refuses the claim") {
  auto b = make_bus();
  const append_request foreign{"LOG", "log.a", "hello", {}, expectation::nothing()};
  REQUIRE(b->append({&foreign, 1}, std::chrono::milliseconds{10}).front());
  auto l = make_lane();
  auto r = read_lane(*b, l);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::corrupt);
}

namespace {

std::unique_ptr<snapshot_log> open_state(bus& b, std::uint64_t definition = 1) {
  auto s = std::make_unique<snapshot_log>(b, "STATE", "state.enrich.0", "test", definition);
  lane* lanes[] = {&s->owner()};
  REQUIRE(claim_lanes(b, lanes, "test", definition, test::quick_policy()));
  return s;
}

} // namespace

TEST_CASE("the newest snapshot comes back whole, in chunks, and only two are kept") {
  auto b = make_bus();
  std::string last;
  for (int start = 0; start < 3; ++start) {
    auto s = open_state(*b);
    auto found = s->newest();
    REQUIRE(found);
    CHECK(found->value_or("") == last);
    for (int i = 0; i < 3; ++i) {
      last.assign(static_cast<std::size_t>(700'000 + i), static_cast<char>('a' + i + start));
      REQUIRE(s->write(last, static_cast<std::uint64_t>(10 * start + i), 0, test::quick_policy()));
    }
    if (start == 2)
      REQUIRE(s->release(test::quick_policy()));
  }
  auto s = open_state(*b);
  auto found = s->newest();
  REQUIRE(found);
  CHECK(found->value() == last);
  CHECK(s->trim_position() == 21);
  auto chunks = b->tails("STATE", "state.enrich.0.snap.>");
  REQUIRE(chunks);
  CHECK(chunks->size() == 4);
}

TEST_CASE("a snapshot of another definition is refused with what to do") {
  auto b = make_bus();
  {
    auto s = open_state(*b, 1);
    REQUIRE(s->write("state", 1, 0, test::quick_policy()));
  }
  auto s = open_state(*b, 2);
  auto r = s->newest();
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::config);
  CHECK_FALSE(r.error().hint.empty());
}

TEST_CASE("a missing chunk is corruption, not an empty state") {
  auto b = make_bus();
  {
    auto s = open_state(*b);
    REQUIRE(s->write("state", 1, 0, test::quick_policy()));
  }
  auto chunks = b->tails("STATE", "state.enrich.0.snap.>");
  REQUIRE(chunks);
  REQUIRE(b->drop("STATE", chunks->front().subject));
  auto s = open_state(*b);
  auto r = s->newest();
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::corrupt);
}

TEST_CASE("a snapshot without its manifest does not count") {
  int appends = 0;
  memory_options o;
  std::atomic<bool> stop{false};
  o.before_append = [&](const append_request&) {
    // claim, chunk, manifest: the third never arrives.
    if (++appends == 3)
      stop = true;
    return appends == 3 ? append_fault::lose_request : append_fault::none;
  };
  auto b = make_bus(o);
  {
    auto s = open_state(*b);
    auto policy = test::quick_policy();
    policy.stop = &stop;
    REQUIRE_FALSE(s->write("state", 1, 0, policy));
  }
  auto s = open_state(*b);
  auto found = s->newest();
  REQUIRE(found);
  CHECK_FALSE(found->has_value());
}

namespace {

control_record make_control(std::uint64_t serial, std::uint64_t position, std::string contents) {
  auto c = std::make_shared<control>();
  c->name = "t";
  c->hash = serial;
  c->contents = std::move(contents);
  return {c, serial, position};
}

std::vector<control_record> reopened_controls(bus& b) {
  auto s = open_state(b);
  REQUIRE(s->newest());
  auto r = s->controls();
  REQUIRE(r);
  return std::move(*r);
}

std::size_t control_messages(bus& b) { return b.tails("STATE", "state.enrich.0.control.>")->size(); }

} // namespace

TEST_CASE("controls come back whole and in order until a snapshot contains them") {
  auto b = make_bus();
  const std::string large(1'200'000, 'x');
  {
    auto s = open_state(*b);
    REQUIRE(s->newest());
    REQUIRE(s->controls());
    REQUIRE(s->record(make_control(1, 0, large), test::quick_policy()));
    REQUIRE(s->record(make_control(2, 7, ""), test::quick_policy()));
  }
  auto found = reopened_controls(*b);
  REQUIRE(found.size() == 2);
  CHECK(found[0].serial == 1);
  CHECK(found[0].what->contents == large);
  CHECK(found[0].what->name == "t");
  CHECK(found[1].position == 7);
  CHECK(found[1].what->hash == 2);
  {
    auto s = open_state(*b);
    REQUIRE(s->newest());
    REQUIRE(s->controls());
    REQUIRE(s->write("one", 5, 1, test::quick_policy()));
  }
  found = reopened_controls(*b);
  REQUIRE(found.size() == 1);
  CHECK(found[0].serial == 2);
  {
    auto s = open_state(*b);
    REQUIRE(s->newest());
    REQUIRE(s->controls());
    REQUIRE(s->record(make_control(3, 9, "c"), test::quick_policy()));
    REQUIRE(s->write("two", 9, 2, test::quick_policy()));
    REQUIRE(s->write("three", 10, 3, test::quick_policy()));
    CHECK(control_messages(*b) == 2); // number 3, which the older of the two kept snapshots does not contain
  }
  CHECK(reopened_controls(*b).empty());
}

TEST_CASE("a control without its record does not count, and its chunks go") {
  int appends = 0;
  std::atomic<bool> stop{false};
  memory_options o;
  o.before_append = [&](const append_request& r) {
    const bool record = r.subject.find(".control.") != std::string_view::npos && ++appends == 4;
    if (record)
      stop = true;
    return record ? append_fault::lose_request : append_fault::none;
  };
  auto b = make_bus(o);
  {
    auto s = open_state(*b);
    auto policy = test::quick_policy();
    policy.stop = &stop;
    REQUIRE_FALSE(s->record(make_control(1, 0, std::string(1'200'000, 'x')), policy));
  }
  CHECK(control_messages(*b) == 3);
  CHECK(reopened_controls(*b).empty());
  CHECK(control_messages(*b) == 0);
}

TEST_CASE("an owner that was replaced cannot record a control") {
  auto b = make_bus();
  auto old = open_state(*b);
  auto fresh = open_state(*b);
  auto r = old->record(make_control(1, 0, "x"), test::quick_policy());
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::fenced);
}

TEST_CASE("a missing control chunk is corruption, not an older table") {
  auto b = make_bus();
  {
    auto s = open_state(*b);
    REQUIRE(s->record(make_control(1, 0, "x"), test::quick_policy()));
  }
  const auto chunks = b->tails("STATE", "state.enrich.0.control.*.*");
  REQUIRE(chunks);
  for (const auto& m : *chunks)
    REQUIRE(b->drop("STATE", m.subject));
  auto s = open_state(*b);
  REQUIRE(s->newest());
  auto r = s->controls();
  REQUIRE_FALSE(r);
  CHECK(r.error().code == ec::corrupt);
}
