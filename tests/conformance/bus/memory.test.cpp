// SPDX-License-Identifier: Apache-2.0
// The faults that only the memory bus can inject; the simulation is built of them.
#include "tests/conformance/bus/harness.hpp"

namespace millrace::test {

namespace {

struct faulty {
  append_fault next = append_fault::none;
  bool lose_after = false;
  std::int64_t now = 1000;
  std::shared_ptr<memory_bus> bus =
    make_memory_bus({[this] { return now; }, [this](const append_request&) { return next; },
                     [this](const append_request&, const result<std::uint64_t>&) { return lose_after; }, true});
  log_spec spec = fresh_log();
  faulty() { REQUIRE(bus->ensure_log(spec)); }
  result<std::uint64_t> send(append_fault f, std::string_view payload, expectation e = {}) {
    next = f;
    return append(*bus, spec.name, spec.name, payload, e);
  }
  std::uint64_t messages() { return bus->info(spec.name)->messages; }
};

} // namespace

TEST_CASE("an injected fault stores and answers what it says", "[bus][memory]") {
  faulty f;
  CHECK(code_of(f.send(append_fault::fail, "x")) == ec::unavailable);
  CHECK(code_of(f.send(append_fault::lose_request, "x")) == ec::timeout);
  CHECK(f.messages() == 0);
  CHECK(code_of(f.send(append_fault::lose_ack, "1", expectation::of_subject(0))) == ec::timeout);
  CHECK(f.messages() == 1);
  CHECK(f.bus->tail(f.spec.name, f.spec.name).value()->payload == "1");
  f.lose_after = true;
  CHECK(code_of(f.send(append_fault::none, "2", expectation::of_subject(1))) == ec::timeout);
  CHECK(f.messages() == 2);
}

TEST_CASE("a packet that arrives twice is stored once when it is fenced", "[bus][memory]") {
  faulty f;
  CHECK(f.send(append_fault::duplicate, "1", expectation::of_subject(0)).value() == 1);
  CHECK(f.messages() == 1);
  CHECK(f.send(append_fault::duplicate, "2").value() == 2);
  CHECK(f.messages() == 3);
}

TEST_CASE("a delayed packet meets its expectation when it arrives", "[bus][memory]") {
  faulty f;
  CHECK(code_of(f.send(append_fault::delay, "zombie", expectation::of_subject(0))) == ec::timeout);
  CHECK(f.messages() == 0);
  CHECK(f.send(append_fault::none, "claim", expectation::of_subject(0)).value() == 1);
  CHECK(f.bus->release_delayed() == 0);
  CHECK(f.messages() == 1);
  CHECK(code_of(f.send(append_fault::delay, "late", expectation::of_subject(1))) == ec::timeout);
  CHECK(f.bus->release_delayed() == 1);
  CHECK(f.messages() == 2);
  CHECK(code_of(f.send(append_fault::delay, "never")) == ec::timeout);
  f.bus->discard_delayed();
  CHECK(f.bus->release_delayed() == 0);
}

TEST_CASE("an unavailable memory bus comes back as it was", "[bus][memory]") {
  faulty f;
  f.next = append_fault::none;
  must_append(*f.bus, f.spec.name, f.spec.name, "1");
  const auto reader = f.bus->read(f.spec.name, 1);
  REQUIRE(reader);
  f.bus->set_available(false);
  CHECK_FALSE(f.bus->connected());
  CHECK(code_of(f.bus->ping(1s)) == ec::unavailable);
  CHECK(code_of(append(*f.bus, f.spec.name, f.spec.name, "x")) == ec::unavailable);
  CHECK(code_of((*reader)->next(1, 1, 10ms)) == ec::unavailable);
  f.bus->set_available(true);
  CHECK(f.bus->reconnects() == 1);
  CHECK((*reader)->next(10, 1000, 0ms)->size() == 1);
}

TEST_CASE("a log that lost its end halts its reader", "[bus][memory]") {
  faulty f;
  for (int i = 0; i < 3; ++i)
    must_append(*f.bus, f.spec.name, f.spec.name, "x");
  const auto reader = f.bus->read(f.spec.name, 1);
  CHECK((*reader)->next(10, 1000, 0ms)->size() == 3);
  REQUIRE(f.bus->truncate(f.spec.name, 1));
  CHECK(code_of((*reader)->next(10, 1000, 0ms)) == ec::gap);
}

TEST_CASE("messages expire by the injected clock", "[bus][memory]") {
  faulty f;
  auto spec = fresh_log();
  spec.max_age = 10s;
  REQUIRE(f.bus->ensure_log(spec));
  must_append(*f.bus, spec.name, spec.name, "old");
  f.now += 6'000'000'000;
  must_append(*f.bus, spec.name, spec.name, "new");
  f.now += 6'000'000'000;
  CHECK(f.bus->info(spec.name)->messages == 1);
  CHECK(f.bus->tail(spec.name, spec.name).value()->payload == "new");
  CHECK(code_of((*f.bus->read(spec.name, 1))->next(1, 1, 0ms)) == ec::none);
  REQUIRE(f.bus->kv_open("ttl", 1s));
  REQUIRE(f.bus->kv_put("ttl", "k", "v"));
  CHECK(f.bus->kv_list("ttl")->size() == 1);
  f.now += 1'000'000'000;
  CHECK(f.bus->kv_list("ttl")->empty());
}

TEST_CASE("inline callbacks run in the caller's thread before the call returns", "[bus][memory]") {
  faulty f;
  std::vector<std::string> seen;
  const auto me = std::this_thread::get_id();
  const auto sub = f.bus->subscribe(">", [&](const message& m) {
    CHECK(std::this_thread::get_id() == me);
    seen.push_back(m.payload);
    if (m.payload == "1") // A callback may use the bus.
      CHECK(f.bus->publish("other", "2", {}));
  });
  must_append(*f.bus, f.spec.name, f.spec.name, "1");
  CHECK(seen == std::vector<std::string>{"1", "2"});
}

// A model that cannot be wrong: a plain vector of (subject, payload, alive).
TEST_CASE("the memory bus agrees with a naive model on random operations", "[bus][memory]") {
  const auto seed = GENERATE(range(1U, 21U));
  std::uint32_t state = seed * 2654435761U;
  const auto pick = [&](std::uint32_t n) {
    state = state * 1664525U + 1013904223U;
    return (state >> 16) % n;
  };
  struct row {
    std::string subject, payload;
    bool alive = true;
  };
  std::vector<row> model;
  const auto b = make_memory_bus();
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  const auto last_of = [&](const std::string& subject) {
    for (std::size_t i = model.size(); i > 0; --i)
      if (model[i - 1].alive && model[i - 1].subject == subject)
        return i;
    return std::size_t{0};
  };
  for (int step = 0; step < 300; ++step) {
    const auto subject = spec.name + "." + std::to_string(pick(3));
    const auto action = pick(10);
    if (action < 7) {
      const auto payload = std::to_string(step);
      const auto guess = pick(3) == 0 ? pick(20) : last_of(subject);
      const auto by_log = pick(4) == 0;
      const auto e = by_log ? expectation::of_log(guess) : expectation::of_subject(guess);
      const auto expected = by_log ? model.size() : last_of(subject);
      const auto outcome = append(*b, spec.name, subject, payload, e);
      REQUIRE(outcome.has_value() == (expected == guess));
      if (outcome)
        model.push_back({subject, payload});
    } else if (action < 9) {
      const auto below = pick(static_cast<std::uint32_t>(model.size()) + 2);
      REQUIRE(b->trim(spec.name, subject, below));
      const auto last = last_of(subject);
      for (std::size_t i = 1; i <= model.size(); ++i)
        if (i < below && i < last && model[i - 1].subject == subject)
          model[i - 1].alive = false;
    } else if (pick(5) == 0) {
      REQUIRE(b->drop(spec.name, subject));
      for (auto& r : model)
        r.alive = r.alive && r.subject != subject;
    }
  }
  const auto reader = b->read(spec.name, 1);
  const auto all = (*reader)->next(1000, 1 << 20, 0ms);
  REQUIRE(all);
  std::size_t at = 0;
  for (std::size_t i = 1; i <= model.size(); ++i) {
    if (!model[i - 1].alive)
      continue;
    REQUIRE(at < all->size());
    CHECK((*all)[at].sequence == i);
    CHECK((*all)[at].subject == model[i - 1].subject);
    CHECK((*all)[at].payload == model[i - 1].payload);
    ++at;
  }
  CHECK(at == all->size());
  CHECK(b->info(spec.name)->messages == at);
  CHECK(b->info(spec.name)->last_sequence == model.size());
}

} // namespace millrace::test
