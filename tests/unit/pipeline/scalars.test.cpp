// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::pipeline;

TEST_CASE("durations are sums of units from large to small") {
  CHECK(*parse_duration("250ms") == 250'000'000);
  CHECK(*parse_duration("5s") == 5'000'000'000);
  CHECK(*parse_duration("1m30s") == 90'000'000'000);
  CHECK(*parse_duration("2h") == 7'200'000'000'000);
  CHECK(*parse_duration("7d") == 604'800'000'000'000);
  CHECK(*parse_duration("1d1h1m1s1ms1us1ns") == 90'061'001'001'001);
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("0s") == 0);
}

TEST_CASE("what is no duration is refused") {
  for (const auto* text :
       {"", "5", "s", "5 s", "-5s", "5S", "1s1m", "1s1s", "1.5s", "5sec", "1m30", "1e3s", "+1s", "5s "})
    CHECK_FALSE(parse_duration(text));
  CHECK(parse_duration("5").error().message == "`5` is not a duration");
  CHECK(parse_duration("200000d").error().message == "`200000d` is too long");
  CHECK_FALSE(parse_duration("99999999999999999999s"));
  CHECK(*parse_duration("106751d") > 0);
  CHECK_FALSE(parse_duration("106752d"));
}

TEST_CASE("sizes are bytes or have a unit") {
  CHECK(*parse_size("1GiB") == 1ULL << 30);
  CHECK(*parse_size("512MiB") == 512ULL << 20);
  CHECK(*parse_size("64kB") == 64'000);
  CHECK(*parse_size("1000") == 1000);
  for (const auto* text : {"", "GiB", "1 GiB", "1gib", "-1", "1.5GiB", "99999999999TiB"})
    CHECK_FALSE(parse_size(text));
}

TEST_CASE("names and identifiers") {
  CHECK(is_name("trades-2", false));
  CHECK_FALSE(is_name("trades_2", false));
  CHECK(is_name("trades_2", true));
  CHECK_FALSE(is_name("", true));
  CHECK_FALSE(is_name("2trades", true));
  CHECK_FALSE(is_name("Trades", true));
  CHECK(is_name(std::string(40, 'a'), true));
  CHECK_FALSE(is_name(std::string(41, 'a'), true));
  CHECK(is_identifier("_a1"));
  CHECK_FALSE(is_identifier("1a"));
  CHECK_FALSE(is_identifier("a-b"));
  CHECK_FALSE(is_identifier("in"));
  CHECK_FALSE(is_identifier("null"));
}

TEST_CASE("subjects of sources are checked") {
  CHECK(subject_problem("trades.>").empty());
  CHECK(subject_problem("trades.*.eu").empty());
  for (const auto* text :
       {"", ">", "*.x", "millrace.trades.events.0", "$JS.API", "a..b", "a.", ".a", "a b", "a.>.b", "a*", "a.b>"})
    CHECK_FALSE(subject_problem(text).empty());
}
