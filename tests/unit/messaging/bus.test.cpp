// SPDX-License-Identifier: Apache-2.0
#include "messaging/bus.hpp"

#include "messaging/bus_checks.hpp"
#include "messaging/kv.hpp"
#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("a message's header is found by its exact name", "[bus]") {
  message m;
  m.headers = {{"A", "1"}, {"B", ""}, {"A", "2"}};
  CHECK(m.header("A") == "1");
  CHECK(m.header("B").empty());
  CHECK(m.header("a").empty());
}

TEST_CASE("arguments that could smuggle protocol are refused", "[bus]") {
  CHECK(check_headers({{"Millrace-Reason", "late"}}));
  CHECK(check_headers({{"a", "\xc3\xa4 : ="}}));
  for (const auto& bad : {header_list{{"", "x"}}, header_list{{"a b", "x"}}, header_list{{"a:b", "x"}},
                          header_list{{"a\r", "x"}}, header_list{{"a", "x\r\ny"}},
                          header_list{{"a", std::string(1, '\0')}}, header_list{{"Nats-Expected-Last-Sequence", "0"}}})
    CHECK_FALSE(check_headers(bad));
  CHECK(check_append({"log", "a.b", "x", {}, {}}));
  CHECK_FALSE(check_append({"log", "a b", "x", {}, {}}));
  CHECK_FALSE(check_append({"log", "a.*", "x", {}, {}}));
  CHECK_FALSE(check_append({"log.x", "a", "x", {}, {}}));
  CHECK_FALSE(check_append({"", "a", "x", {}, {}}));
}

TEST_CASE("the subjects of a log are compared whatever their order", "[bus]") {
  log_spec spec;
  spec.name = "L";
  spec.subjects = {"a", "b"};
  CHECK(same_subjects(spec, {"b", "a"}));
  const auto other = same_subjects(spec, {"a"});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ec::config);
  CHECK(check_spec(spec));
  spec.subjects.clear();
  CHECK_FALSE(check_spec(spec));
}

TEST_CASE("a bucket stands on its log as NATS lays it out", "[bus]") {
  CHECK(kv::stream("b") == "KV_b");
  CHECK(kv::subject("b", "x.y") == "$KV.b.x.y");
  message put;
  put.subject = "$KV.b.x.y";
  put.payload = "v";
  put.sequence = 9;
  auto removed = put;
  removed.headers = {{"KV-Operation", "DEL"}};
  CHECK(kv::entry("b", put).key == "x.y");
  CHECK(kv::entry("b", put).revision == 9);
  CHECK(kv::entry("b", removed).deleted);
  CHECK(kv::entries("b", {put, removed}).size() == 1);
  for (const auto* bad : {"", "a b", "a..b", ".a", "a.", "*", "a>", "\xc3\xa4"})
    CHECK_FALSE(kv::check_key(bad));
  CHECK_FALSE(kv::check_bucket("a.b"));
  CHECK_FALSE(kv::check_bucket(""));
}

} // namespace millrace
