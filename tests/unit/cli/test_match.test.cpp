// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test_match.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using cli::record_json;

namespace {

pipeline::yaml_ptr yaml(std::string_view text) {
  std::vector<pipeline::yaml_error> errors;
  auto n = pipeline::parse_yaml(text, errors);
  REQUIRE(n);
  return n;
}

bool agree(std::string_view expected, std::string_view found) {
  return cli::matches(*yaml(expected), record_json::parse(found));
}

std::vector<pipeline::yaml_ptr> list(std::string_view text) { return yaml(text)->items; }

} // namespace

TEST_CASE("the members given must match, at any depth") {
  CHECK(
    agree("{window: ohlc, values: {trades: 1}}", R"({"window":"ohlc","values":{"trades":1,"vwap":2.5},"final":true})"));
  CHECK_FALSE(agree("{values: {trades: 2}}", R"({"values":{"trades":1}})"));
  CHECK_FALSE(agree("{values: {tradez: 1}}", R"({"values":{"trades":1}})"));
}

TEST_CASE("an empty map matches only an empty one, and lists match whole") {
  CHECK(agree("{values: {}}", R"({"values":{}})"));
  CHECK_FALSE(agree("{values: {}}", R"({"values":{"trades":1}})"));
  CHECK(agree("{v: [1, {a: 1}]}", R"({"v":[1,{"a":1,"b":2}]})"));
  CHECK_FALSE(agree("{v: [1]}", R"({"v":[1,2]})"));
}

TEST_CASE("integers match exactly, doubles within 1e-9 relative") {
  CHECK(agree("{v: 9007199254740993}", R"({"v":9007199254740993})"));
  CHECK_FALSE(agree("{v: 9007199254740992}", R"({"v":9007199254740993})"));
  CHECK(agree("{v: 18446744073709551615}", R"({"v":18446744073709551615})"));
  CHECK(agree("{v: 0.3}", R"({"v":0.30000000000000004})"));
  CHECK(agree("{v: 100}", R"({"v":100.0})"));
  CHECK_FALSE(agree("{v: 1.00000001}", R"({"v":1.0})"));
  CHECK_FALSE(agree("{v: -1}", R"({"v":18446744073709551615})"));
}

TEST_CASE("timestamps match by instant, a quoted number is a text") {
  CHECK(agree("{t: 2026-01-05T15:30:00+01:00}", R"({"t":"2026-01-05T14:30:00.000Z"})"));
  CHECK_FALSE(agree("{t: 2026-01-05T14:30:00.001Z}", R"({"t":"2026-01-05T14:30:00.000Z"})"));
  CHECK(agree("{id: \"7\"}", R"({"id":"7"})"));
  CHECK_FALSE(agree("{id: 7}", R"({"id":"7"})"));
  CHECK_FALSE(agree("{id: \"7\"}", R"({"id":7})"));
  CHECK(agree("{v: NaN}", R"({"v":"NaN"})"));
  CHECK(agree("{v: null, b: true, n: ~}", R"({"v":null,"b":true,"n":null})"));
}

TEST_CASE("an expectation of few members does not take the record that only it suits another") {
  const auto m = cli::match(list("[{w: a}, {w: a, n: 1}]"),
                            {record_json::parse(R"({"w":"a","n":1})"), record_json::parse(R"({"w":"a","n":2})")});
  CHECK(m.ok());
}

TEST_CASE("a record that is not expected is a failure, and the same record does not serve twice") {
  const std::vector<record_json> found{record_json::parse(R"({"w":"a"})"), record_json::parse(R"({"w":"b"})")};
  CHECK(cli::match(list("[{w: b}, {w: a}]"), found).ok());
  const auto more = cli::match(list("[{w: b}]"), found);
  CHECK(more.missing.empty());
  CHECK(more.extra == std::vector<std::size_t>{0});
  const auto twice = cli::match(list("[{w: b}, {w: b}, {w: a}]"), found);
  REQUIRE(twice.missing.size() == 1);
  CHECK_FALSE(twice.missing[0].nearest);
  CHECK(cli::match({}, {}).ok());
}

TEST_CASE("a missing record is compared with the nearest one, member by member") {
  const auto m = cli::match(list("[{window: w, key: {k: x}, values: {n: 2, total: 5}}]"),
                            {record_json::parse(R"({"window":"w","key":{"k":"y"},"values":{"n":2}})"),
                             record_json::parse(R"({"window":"w","key":{"k":"x"},"values":{"n":1,"sum":5}})")});
  REQUIRE(m.missing.size() == 1);
  CHECK(m.missing[0].nearest == std::size_t{1});
  REQUIRE(m.missing[0].differences.size() == 2);
  CHECK(m.missing[0].differences[0].member == "values.n");
  CHECK(m.missing[0].differences[0].expected == "2");
  CHECK(m.missing[0].differences[0].found == "1");
  CHECK(m.missing[0].differences[1].member == "values.total");
  CHECK(m.extra == std::vector<std::size_t>{0});
}

TEST_CASE("a record as YAML in one line reads back as itself") {
  const auto r = record_json::parse(
    R"({"window":"w","key":{"a b":"true","q":"x, y: {z}?","n":"1.5","e":""},"values":{"v":1.0,"i":7,"u":null,"b":false,"l":["NaN",{}],"t":"2026-01-05T14:30:00.000Z"}})");
  const auto text = cli::flow_yaml(r);
  CHECK(cli::matches(*yaml(text), r));
  CHECK(cli::flow_yaml(*yaml(text)) == text);
  CHECK(text.find("{window: w, key: {\"a b\": \"true\"") == 0);
}
