// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/time_zone.hpp"
#include "tests/support/catch.hpp"

#include <random>
#include <string>

using namespace millrace::expressions;

TEST_CASE("a cursor over a zone answers as the zone, also next to a change of the offset") {
  std::mt19937_64 random{20261121};
  constexpr std::int64_t last = 9'223'372'036; // of 64-bit nanoseconds
  for (const std::string name : {"UTC", "+05:30", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                 "Asia/Tokyo", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin"}) {
    CAPTURE(name);
    const auto zone = find_zone(name);
    REQUIRE(zone);
    zone_cursor cursor{*zone};
    for (int round = 0; round < 3000; ++round) {
      auto at = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * last)) - last;
      CAPTURE(at);
      REQUIRE(cursor.offset_at(at) == zone->offset_at(at));
      // By bisection to the change between here and half a year on.
      auto end = std::min(at + 180 * 86400, last);
      const auto here = zone->offset_at(at);
      if (zone->offset_at(end) == here)
        continue;
      while (end - at > 1)
        (zone->offset_at(at + (end - at) / 2) == here ? at : end) = at + (end - at) / 2;
      for (const auto near : {at, end, at - 1, end + 1, at}) {
        REQUIRE(cursor.offset_at(near) == zone->offset_at(near));
        REQUIRE(zone_cursor{*zone}.offset_at(near) == zone->offset_at(near));
      }
    }
    for (const auto edge : {-last, last, std::int64_t{0}})
      CHECK(cursor.offset_at(edge) == zone->offset_at(edge));
  }
}

TEST_CASE("only names of the tz database and offsets are zones") {
  CHECK(find_zone("Europe/Berlin"));
  CHECK(find_zone("Etc/GMT+8")->offset_at(0) == -8 * 3600);
  CHECK(find_zone("+05:30")->offset_at(0) == 19800);
  for (const std::string name : {"", "Europe", "Europe/", "europe/berlin/", "/usr/share/zoneinfo/UTC", "localtime",
                                 "posix/UTC", "right/UTC", "tzdata.zi", "zone.tab", "+5:30", "Fixed/UTC+01:00:00"}) {
    CAPTURE(name);
    CHECK(!find_zone(name));
    CHECK(zone_error(name).find("Europe/Berlin") != std::string::npos);
  }
  CHECK(!find_zone(std::string(1000, 'A')));
}
