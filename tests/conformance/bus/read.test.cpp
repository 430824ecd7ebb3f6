// SPDX-License-Identifier: Apache-2.0
// What both buses promise about readers.
#include "tests/conformance/bus/harness.hpp"

#include <future>

namespace millrace::test {

namespace {

std::vector<std::uint64_t> sequences(const std::vector<message>& messages) {
  std::vector<std::uint64_t> out;
  for (const auto& m : messages)
    out.push_back(m.sequence);
  return out;
}

/// Appends `count` messages, alternating between subjects .a and .b.
void fill(bus& b, const log_spec& spec, int count) {
  REQUIRE(b.ensure_log(spec));
  for (int i = 1; i <= count; ++i)
    must_append(b, spec.name, spec.name + (i % 2 ? ".a" : ".b"), std::to_string(i));
}

} // namespace

TEMPLATE_TEST_CASE("a reader hands out every message once, in sequence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  fill(b, spec, 10);
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  const auto first = (*reader)->next(4, 1 << 20, 2s);
  REQUIRE(first);
  REQUIRE(!first->empty());
  CHECK(first->size() <= 4);
  CHECK_FALSE((*reader)->at_end());
  auto all = *first;
  for (auto& m : read_some(**reader, 10 - all.size()))
    all.push_back(m);
  REQUIRE(all.size() == 10);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].sequence == i + 1);
    CHECK(all[i].payload == std::to_string(i + 1));
    CHECK(all[i].subject == spec.name + (i % 2 ? ".b" : ".a"));
    CHECK(all[i].stamp > 1'700'000'000'000'000'000);
  }
  CHECK((*reader)->at_end());
  const auto nothing = (*reader)->next(10, 1 << 20, 20ms);
  REQUIRE(nothing);
  CHECK(nothing->empty());
}

TEMPLATE_TEST_CASE("a reader starts where it is told, also past the end", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  fill(b, spec, 6);
  CHECK(sequences(read_some(*b.read(spec.name, 4).value(), 3)) == std::vector<std::uint64_t>{4, 5, 6});
  const auto reader = b.read(spec.name, 7);
  REQUIRE(reader);
  CHECK((*reader)->next(1, 1, 20ms)->empty());
  CHECK((*reader)->at_end());
  must_append(b, spec.name, spec.name, "7");
  CHECK(sequences(read_some(**reader, 1)) == std::vector<std::uint64_t>{7});
  CHECK(code_of(b.read(spec.name, 0)) == ec::invalid);
  CHECK(code_of(b.read("nolog", 1)) == ec::not_found);
}

TEMPLATE_TEST_CASE("a filter shows the matching subjects only", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  fill(b, spec, 9);
  const auto reader = b.read(spec.name, 3, spec.name + ".b");
  REQUIRE(reader);
  CHECK(sequences(read_some(**reader, 3)) == std::vector<std::uint64_t>{4, 6, 8});
  CHECK((*reader)->at_end());
}

TEMPLATE_TEST_CASE("a waiting reader wakes up for a message", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  auto waiting = std::async(std::launch::async, [&] {
    const auto start = std::chrono::steady_clock::now();
    auto got = (*reader)->next(10, 1 << 20, 5s);
    return std::pair{std::move(got), std::chrono::steady_clock::now() - start};
  });
  std::this_thread::sleep_for(50ms);
  must_append(b, spec.name, spec.name, "hello");
  const auto [got, took] = waiting.get();
  REQUIRE(got);
  REQUIRE(got->size() == 1);
  CHECK(got->front().payload == "hello");
  CHECK(took < 2s);
}

TEMPLATE_TEST_CASE("a reader stops at about the bytes it is asked for", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  for (int i = 0; i < 8; ++i)
    must_append(b, spec.name, spec.name, std::string(1000, 'x'));
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  std::size_t got = 0;
  while (got < 8) {
    const auto batch = (*reader)->next(100, 1500, 2s);
    REQUIRE(batch);
    REQUIRE(!batch->empty());
    CHECK(batch->size() <= 2);
    got += batch->size();
  }
}

TEMPLATE_TEST_CASE("a start that is no longer stored is a gap", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  for (int i = 0; i < 6; ++i)
    must_append(b, spec.name, spec.name, "x");
  REQUIRE(b.trim(spec.name, spec.name, 5));
  const auto missing = b.read(spec.name, 3);
  REQUIRE(missing);
  CHECK(code_of((*missing)->next(1, 1, 1s)) == ec::gap);
  CHECK(code_of((*missing)->next(1, 1, 0ms)) == ec::gap);
  // The beginning of time is wherever the log begins now; the trimmed position itself is whole.
  CHECK(sequences(read_some(*b.read(spec.name, 1).value(), 2)) == std::vector<std::uint64_t>{5, 6});
  CHECK(sequences(read_some(*b.read(spec.name, 5).value(), 2)) == std::vector<std::uint64_t>{5, 6});
}

TEMPLATE_TEST_CASE("a log that ends before the start has lost messages", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  fill(b, spec, 3);
  const auto reader = b.read(spec.name, 5);
  REQUIRE(reader);
  CHECK(code_of((*reader)->next(1, 1, 1s)) == ec::gap);
}

TEMPLATE_TEST_CASE("trimming behind a reader is no gap", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  fill(b, spec, 6);
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  CHECK(read_some(**reader, 6).size() == 6);
  REQUIRE(b.trim(spec.name, spec.name + ".a", 6));
  REQUIRE(b.trim(spec.name, spec.name + ".b", 6));
  must_append(b, spec.name, spec.name, "7");
  CHECK(sequences(read_some(**reader, 1)) == std::vector<std::uint64_t>{7});
}

TEMPLATE_TEST_CASE("a reader keeps up with more than its prefetch", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  constexpr std::size_t rounds = 40;
  constexpr std::size_t width = 50;
  std::vector<std::string> subjects;
  for (std::size_t i = 0; i < width; ++i)
    subjects.push_back(spec.name + ".w" + std::to_string(i));
  for (std::size_t r = 0; r < rounds; ++r) {
    std::vector<append_request> requests;
    for (const auto& s : subjects)
      requests.push_back({spec.name, s, s, {}, {}});
    for (const auto& outcome : b.append(requests, 5s))
      REQUIRE(outcome);
  }
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  const auto all = read_some(**reader, rounds * width);
  REQUIRE(all.size() == rounds * width);
  for (std::size_t i = 0; i < all.size(); ++i)
    REQUIRE(all[i].sequence == i + 1);
  CHECK((*reader)->at_end());
}

} // namespace millrace::test
