// SPDX-License-Identifier: Apache-2.0
// What both buses promise about logs and appends (semantics.md, section 2).
#include "tests/conformance/bus/harness.hpp"

#include <numeric>

namespace millrace::test {

TEMPLATE_TEST_CASE("a log is created once and kept with its messages", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  CHECK(code_of(b.info(spec.name)) == ec::not_found);
  const auto made = b.ensure_log(spec);
  REQUIRE(made);
  CHECK(made->name == spec.name);
  CHECK(made->subjects == spec.subjects);
  CHECK(made->first_sequence == 1);
  CHECK(made->last_sequence == 0);
  CHECK(made->messages == 0);

  must_append(b, spec.name, spec.name + ".a", "one");
  const auto again = b.ensure_log(spec);
  REQUIRE(again);
  CHECK(again->messages == 1);
  CHECK(again->bytes > 3);

  auto other = spec;
  other.subjects = {spec.name + ".other"};
  CHECK(code_of(b.ensure_log(other)) == ec::config);
  auto overlapping = fresh_log();
  overlapping.subjects = {spec.name + ".a"};
  CHECK(code_of(b.ensure_log(overlapping)) == ec::config);
  auto nameless = spec;
  nameless.name = "a.b";
  CHECK(code_of(b.ensure_log(nameless)) == ec::invalid);
}

TEMPLATE_TEST_CASE("the log that covers a subject is found", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  auto spec = fresh_log();
  spec.subjects = {spec.name + ".in.*"};
  REQUIRE(b.ensure_log(spec));
  CHECK(b.log_of(spec.name + ".in.x").value() == spec.name);
  CHECK(b.log_of(spec.name + ".in.*").value() == spec.name);
  CHECK(code_of(b.log_of(spec.name + ".out.x")) == ec::not_found);
  CHECK(code_of(b.log_of(spec.name + ".in.>")) == ec::config);
  CHECK(code_of(b.log_of("a b")) == ec::invalid);
}

TEMPLATE_TEST_CASE("sequences are those of the log, shared by its subjects", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  CHECK(must_append(b, spec.name, spec.name + ".a", "1") == 1);
  CHECK(must_append(b, spec.name, spec.name + ".b", "2") == 2);
  CHECK(must_append(b, spec.name, spec.name + ".a", "3") == 3);
  CHECK(b.info(spec.name)->last_sequence == 3);
}

TEMPLATE_TEST_CASE("an append is stored only if its expectation holds", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto a = spec.name + ".a";
  const auto c = spec.name + ".c";

  CHECK(must_append(b, spec.name, a, "1", expectation::of_log(0)) == 1);
  CHECK(code_of(append(b, spec.name, a, "x", expectation::of_log(0))) == ec::conflict);
  CHECK(must_append(b, spec.name, a, "2", expectation::of_log(1)) == 2);
  CHECK(code_of(append(b, spec.name, a, "x", expectation::of_log(1))) == ec::conflict);
  CHECK(code_of(append(b, spec.name, a, "x", expectation::of_log(3))) == ec::conflict);

  CHECK(must_append(b, spec.name, c, "3", expectation::of_subject(0)) == 3);
  CHECK(code_of(append(b, spec.name, c, "x", expectation::of_subject(0))) == ec::conflict);
  CHECK(must_append(b, spec.name, a, "4", expectation::of_subject(2)) == 4);
  CHECK(must_append(b, spec.name, c, "5", expectation::of_subject(3)) == 5);
  CHECK(code_of(append(b, spec.name, c, "x", expectation::of_subject(4))) == ec::conflict);
  CHECK(must_append(b, spec.name, c, "6") == 6);
  CHECK(b.info(spec.name)->messages == 6);
}

TEMPLATE_TEST_CASE("requests of one call have outcomes of their own, in order", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto first = fresh_log();
  const auto second = fresh_log();
  REQUIRE(b.ensure_log(first));
  REQUIRE(b.ensure_log(second));
  std::vector<std::string> subjects;
  for (int i = 0; i < 20; ++i)
    subjects.push_back(first.name + ".w" + std::to_string(i));
  std::vector<append_request> requests;
  for (const auto& s : subjects)
    requests.push_back({first.name, s, s, {}, expectation::of_subject(requests.size() == 7 ? 99U : 0U)});
  const auto other = second.name + ".x";
  requests.push_back({second.name, other, "y", {}, expectation::of_log(0)});
  requests.push_back({first.name, "not a subject", "z", {}, {}});
  const auto outcomes = b.append(requests, 5s);
  REQUIRE(outcomes.size() == 22);
  for (std::size_t i = 0; i < 20; ++i) {
    INFO(i);
    if (i == 7) {
      CHECK(code_of(outcomes[i]) == ec::conflict);
      continue;
    }
    REQUIRE(outcomes[i]);
    CHECK(b.get(first.name, *outcomes[i])->payload == subjects[i]);
  }
  CHECK(outcomes[20].value() == 1);
  CHECK(code_of(outcomes[21]) == ec::invalid);
  CHECK(b.append({}, 1s).empty());
}

TEMPLATE_TEST_CASE("a zombie is refused from the new owner's claim on", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto subject = spec.name + ".a";
  const auto old_owner = must_append(b, spec.name, subject, "claim 1", expectation::of_subject(0));
  const auto tail = b.tail(spec.name, subject);
  REQUIRE(tail);
  REQUIRE(*tail);
  const auto claim = must_append(b, spec.name, subject, "claim 2", expectation::of_subject((*tail)->sequence));
  // Whatever the old owner still knows is an acknowledgement from before the claim.
  CHECK(code_of(append(b, spec.name, subject, "zombie", expectation::of_subject(old_owner))) == ec::conflict);
  CHECK(code_of(append(b, spec.name, subject, "zombie", expectation::of_log(old_owner))) == ec::conflict);
  CHECK(must_append(b, spec.name, subject, "new", expectation::of_subject(claim)) == claim + 1);
}

TEMPLATE_TEST_CASE("the tail of a subject resolves an append of unknown outcome", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto subject = spec.name + ".a";
  CHECK(b.tail(spec.name, subject).value() == std::nullopt);
  const auto before = must_append(b, spec.name, subject, "frame 1");
  must_append(b, spec.name, spec.name + ".b", "another subject");

  // Its answer lost, the writer looks: the predecessor stands there, so it sends the same bytes again.
  CHECK(b.tail(spec.name, subject).value()->sequence == before);
  const auto sent = must_append(b, spec.name, subject, "frame 2", expectation::of_subject(before));
  // Again lost: now the frame itself stands there; sending it once more is refused, so it is there once.
  const auto tail = b.tail(spec.name, subject).value();
  REQUIRE(tail);
  CHECK(tail->payload == "frame 2");
  CHECK(tail->sequence == sent);
  CHECK(tail->subject == subject);
  CHECK(code_of(append(b, spec.name, subject, "frame 2", expectation::of_subject(before))) == ec::conflict);
  CHECK(code_of(b.tail(spec.name + "x", subject)) == ec::not_found);
}

TEMPLATE_TEST_CASE("a message is found by its sequence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  must_append(b, spec.name, spec.name + ".a", "one");
  must_append(b, spec.name, spec.name + ".b", "");
  const auto m = b.get(spec.name, 1);
  REQUIRE(m);
  CHECK(m->sequence == 1);
  CHECK(m->subject == spec.name + ".a");
  CHECK(m->payload == "one");
  CHECK(m->stamp > 1'700'000'000'000'000'000);
  CHECK(b.get(spec.name, 2)->payload.empty());
  CHECK(code_of(b.get(spec.name, 3)) == ec::not_found);
}

TEMPLATE_TEST_CASE("tails are the last messages of the matching subjects, in sequence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  for (const auto* s : {".w.b", ".w.a", ".x.c", ".w.b", ".w.c", ".w.a"})
    must_append(b, spec.name, spec.name + s, s);
  const auto tails = b.tails(spec.name, spec.name + ".w.*");
  REQUIRE(tails);
  REQUIRE(tails->size() == 3);
  CHECK((*tails)[0].sequence == 4);
  CHECK((*tails)[1].sequence == 5);
  CHECK((*tails)[2].sequence == 6);
  CHECK((*tails)[2].payload == ".w.a");
  CHECK(b.tails(spec.name, spec.name + ".>")->size() == 4);
  CHECK(b.tails(spec.name, spec.name + ".none.*")->empty());
}

TEMPLATE_TEST_CASE("headers come back, and cannot smuggle lines", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto subject = spec.name + ".a";
  const header_list headers{{"Millrace-Reason", "late"}, {"ce-type", "a b: c"}};
  REQUIRE(append(b, spec.name, subject, "x", {}, headers));
  const auto stored = b.tail(spec.name, subject).value();
  REQUIRE(stored);
  CHECK(stored->header("Millrace-Reason") == "late");
  CHECK(stored->header("ce-type") == "a b: c");
  CHECK(stored->header("absent").empty());
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  const auto read = read_some(**reader, 1);
  REQUIRE(read.size() == 1);
  CHECK(read[0].header("Millrace-Reason") == "late");
  CHECK(read[0].header("ce-type") == "a b: c");

  for (const auto& bad : std::vector<header_list>{
         {{"a", "b\r\nNats-Rollup: all"}}, {{"a\r\nb", "c"}}, {{"a:b", "c"}}, {{"", "c"}}, {{"Nats-Msg-Id", "1"}}})
    CHECK(code_of(append(b, spec.name, subject, "x", {}, bad)) == ec::invalid);
  CHECK(b.info(spec.name)->messages == 1);
}

TEMPLATE_TEST_CASE("payloads are bytes, up to a megabyte", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  std::string large;
  while (large.size() < 1'000'000)
    large += bytes;
  large.resize(1'000'000);
  must_append(b, spec.name, spec.name, bytes);
  must_append(b, spec.name, spec.name, large);
  CHECK(b.get(spec.name, 1)->payload == bytes);
  CHECK((b.get(spec.name, 2)->payload == large));
  const auto reader = b.read(spec.name, 1);
  REQUIRE(reader);
  const auto read = read_some(**reader, 2);
  REQUIRE(read.size() == 2);
  CHECK(read[0].payload == bytes);
  CHECK((read[1].payload == large));
  CHECK(code_of(append(b, spec.name, spec.name, std::string(1024 * 1024 + 1, 'x'))) == ec::too_large);
}

TEMPLATE_TEST_CASE("an append to a subject of another log is refused", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto one = fresh_log();
  const auto two = fresh_log();
  REQUIRE(b.ensure_log(one));
  REQUIRE(b.ensure_log(two));
  CHECK(code_of(append(b, one.name, two.name + ".a", "x")) == ec::config);
  CHECK(code_of(append(b, "nolog", "nolog.a", "x")) == ec::unavailable);
  CHECK(b.info(two.name)->messages == 0);
}

} // namespace millrace::test
