// SPDX-License-Identifier: Apache-2.0
// What both buses promise about trimming and full logs (semantics.md, section 8).
#include "tests/conformance/bus/harness.hpp"

namespace millrace::test {

TEMPLATE_TEST_CASE("trimming removes one subject's messages below a sequence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto a = spec.name + ".a";
  const auto c = spec.name + ".c";
  for (int i = 0; i < 3; ++i) {
    must_append(b, spec.name, a, "a"); // 1, 3, 5
    must_append(b, spec.name, c, "c"); // 2, 4, 6
  }
  REQUIRE(b.trim(spec.name, a, 4));
  CHECK(code_of(b.get(spec.name, 1)) == ec::not_found);
  CHECK(code_of(b.get(spec.name, 3)) == ec::not_found);
  CHECK(b.get(spec.name, 5));
  CHECK(b.get(spec.name, 2));
  CHECK(b.info(spec.name)->messages == 4);
  CHECK(b.info(spec.name)->first_sequence == 2);
  REQUIRE(b.trim(spec.name, a, 4));
  CHECK(b.info(spec.name)->messages == 4);
}

TEMPLATE_TEST_CASE("trimming never removes a subject's last message", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto a = spec.name + ".a";
  must_append(b, spec.name, a, "1");
  must_append(b, spec.name, a, "2");
  must_append(b, spec.name, spec.name + ".b", "3");
  REQUIRE(b.trim(spec.name, a, 1000));
  const auto tail = b.tail(spec.name, a).value();
  REQUIRE(tail);
  CHECK(tail->sequence == 2);
  // Its writer goes on as if nothing had been.
  CHECK(must_append(b, spec.name, a, "4", expectation::of_subject(2)) == 4);
  REQUIRE(b.trim(spec.name, spec.name + ".never", 1000));
  CHECK(code_of(b.trim("nolog", a, 1)) == ec::not_found);
}

TEMPLATE_TEST_CASE("purging removes every subject's messages below a sequence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  for (const char* subject : {".a", ".b", ".a", ".c"})
    must_append(b, spec.name, spec.name + subject, "x");
  REQUIRE(b.purge(spec.name, 3));
  CHECK(b.info(spec.name)->first_sequence == 3);
  CHECK(b.info(spec.name)->messages == 2);
  CHECK(b.tail(spec.name, spec.name + ".b").value() == std::nullopt);
}

TEMPLATE_TEST_CASE("dropping removes a subject, and with it its writer's fence", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  const auto a = spec.name + ".a";
  must_append(b, spec.name, a, "1");
  must_append(b, spec.name, a, "2");
  must_append(b, spec.name, spec.name + ".b", "3");
  REQUIRE(b.drop(spec.name, a));
  CHECK(b.tail(spec.name, a).value() == std::nullopt);
  CHECK(b.info(spec.name)->messages == 1);
  // The quirk of real servers that makes dropping fit for chunks only.
  CHECK(code_of(append(b, spec.name, a, "x", expectation::of_subject(2))) == ec::conflict);
  CHECK(must_append(b, spec.name, a, "x", expectation::of_subject(0)) == 4);
}

TEMPLATE_TEST_CASE("a full log refuses until it is trimmed, and judges the expectation first", "[bus]", on_memory,
                   on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log(256 * 1024);
  REQUIRE(b.ensure_log(spec));
  const auto a = spec.name + ".a";
  const std::string block(60 * 1024, 'x');
  std::uint64_t last = 0;
  for (int i = 0; i < 4; ++i)
    last = must_append(b, spec.name, a, block, expectation::of_subject(last));
  CHECK(code_of(append(b, spec.name, a, block, expectation::of_subject(last))) == ec::full);
  CHECK(code_of(append(b, spec.name, a, block, expectation::of_subject(last - 1))) == ec::conflict);
  CHECK(must_append(b, spec.name, a, "small", expectation::of_subject(last)) == last + 1);
  last += 1;
  REQUIRE(b.trim(spec.name, a, 3));
  CHECK(must_append(b, spec.name, a, block, expectation::of_subject(last)) == last + 1);
}

} // namespace millrace::test
