// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_text.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <random>

using namespace millrace;
using namespace millrace::codec;

TEST_CASE("RFC 3339 times are read with offsets and up to nine digits") {
  CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_rfc3339("1970-01-01t00:00:00.5z") == 500'000'000);
  CHECK(parse_rfc3339("2026-01-05T14:30:00.123456789+02:30") == 1767614400123456789);
  CHECK(parse_rfc3339("1969-12-31T23:59:59.999999999Z") == -1);
  CHECK(parse_rfc3339("2024-02-29T00:00:00-00:00") == 1709164800'000'000'000);
  for (const char* bad :
       {"", "2026-01-05", "2026-01-05T14:30:00", "2026-01-05 14:30:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-05T24:00:00Z", "2026-01-05T14:30:60Z", "2026-01-05T14:30:00.Z", "2026-01-05T14:30:00.1234567890Z",
        "2026-01-05T14:30:00+2:00", "2026-01-05T14:30:00Zx", "9999-01-01T00:00:00Z", "1600-01-01T00:00:00Z"}) {
    INFO(bad);
    CHECK_FALSE(parse_rfc3339(bad).has_value());
  }
}

TEST_CASE("numbers of a unit are exact nanoseconds") {
  CHECK(parse_epoch("1767225600000", timestamp_unit::milliseconds) == 1767225600'000'000'000);
  CHECK(parse_epoch("1767225600", timestamp_unit::seconds) == 1767225600'000'000'000);
  CHECK(parse_epoch("1767225600.123456789", timestamp_unit::seconds) == 1767225600'123'456'789);
  CHECK(parse_epoch("-0.0000000019", timestamp_unit::seconds) == -1);
  CHECK(parse_epoch("1.7672256e9", timestamp_unit::seconds) == 1767225600'000'000'000);
  CHECK(parse_epoch("1e-30", timestamp_unit::nanoseconds) == 0);
  CHECK(parse_epoch("0e99999", timestamp_unit::seconds) == 0);
  CHECK_FALSE(parse_epoch("1e99999", timestamp_unit::seconds).has_value());
  CHECK_FALSE(parse_epoch("9223372036855", timestamp_unit::milliseconds).has_value());
  CHECK_FALSE(parse_epoch("abc", timestamp_unit::seconds).has_value());
  CHECK_FALSE(parse_epoch("", timestamp_unit::seconds).has_value());
}

TEST_CASE("times by a pattern") {
  CHECK(parse_pattern("2014-02-14 14:30:00", "%Y-%m-%d %H:%M:%S") == 1392388200'000'000'000);
  CHECK(parse_pattern("14.2.2014 4:05", "%d.%m.%Y %H:%M") == 1392350700'000'000'000);
  CHECK(parse_pattern("20140214T143000.25+0100", "%Y%m%dT%H%M%S.%f%z") == 1392384600'250'000'000);
  CHECK(parse_pattern("2014-02-14%", "%F%%") == 1392336000'000'000'000);
  CHECK_FALSE(parse_pattern("2014-02-14 14:30", "%Y-%m-%d %H:%M:%S").has_value());
  CHECK_FALSE(parse_pattern("2014-02-14 14:30:00 ", "%Y-%m-%d %H:%M:%S").has_value());
  CHECK(unknown_specifier("%Y-%j") == "%j");
  CHECK(unknown_specifier("%Y-%") == "%");
}

TEST_CASE("durations need units") {
  CHECK(parse_duration("1.5s") == 1'500'000'000);
  CHECK(parse_duration("250ms") == 250'000'000);
  CHECK(parse_duration("1m30s") == 90'000'000'000);
  CHECK(parse_duration("-2h") == -7200'000'000'000);
  CHECK(parse_duration("7d") == 604800'000'000'000);
  CHECK(parse_duration("0") == 0);
  CHECK(parse_duration("1\xc2\xb5s") == 1000);
  for (const char* bad : {"", "5", "s", "-", "1.s5", "1x", "1s ", "9999999999999999999999s", "300000d"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad).has_value());
  }
}

TEST_CASE("doubles are those of strtod") {
  std::mt19937_64 random{11};
  for (int i = 0; i < 20000; ++i) {
    std::string text = random() % 2 == 0 ? "-" : "";
    text += std::to_string(random() >> (random() % 64));
    if (random() % 2 == 0)
      text += "." + std::to_string(random() >> (random() % 64));
    if (random() % 4 == 0)
      text += "e" + std::to_string(static_cast<int>(random() % 600) - 300);
    const double expected = std::strtod(text.c_str(), nullptr);
    const auto got = parse_double(text);
    INFO(text);
    if (expected - expected != 0.0) {
      CHECK_FALSE(got.has_value());
    } else {
      REQUIRE(got.has_value());
      REQUIRE(*got == expected);
    }
  }
  for (const char* bad : {"", "-", ".5", "1.", "01", "1e", "1e+", "0x1", "1 ", " 1", "inf", "nan", "1_0"}) {
    INFO(bad);
    CHECK_FALSE(parse_double(bad).has_value());
    CHECK_FALSE(is_json_number(bad));
  }
}

TEST_CASE("integers of every length are exact") {
  std::mt19937_64 random{5};
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t v = random() >> (random() % 64);
    REQUIRE(parse_uint(std::to_string(v)) == v);
    const auto s = static_cast<std::int64_t>(v);
    REQUIRE(parse_int(std::to_string(s)) == s);
  }
  for (const char* bad : {"", "-", "00", "1234567x", "12345678x", "x12345678", "123456789012345678901", "1.0", "+1"}) {
    INFO(bad);
    CHECK_FALSE(parse_int(bad).has_value());
    CHECK_FALSE(parse_uint(bad).has_value());
  }
}
