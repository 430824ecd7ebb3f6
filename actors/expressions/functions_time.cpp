// SPDX-License-Identifier: Apache-2.0
// Accessors of timestamps and durations (langdef.md, "Abstract Types").
#include "actors/expressions/registry.hpp"
#include "actors/expressions/time.hpp"
#include "actors/expressions/time_zone.hpp"

namespace millrace::expressions::native {

namespace {

value accessor(std::span<value> a, time_part part, std::int64_t duration_unit) {
  if (a[0].is(value_kind::duration) && duration_unit != 0 && a.size() == 1) {
    const auto ns = a[0].i;
    // Milliseconds are those within the second (as in cel-go); the others count the whole duration.
    return value::of_int(part == time_part::milliseconds ? ns % ns_per_second / duration_unit : ns / duration_unit);
  }
  if (!a[0].is(value_kind::timestamp))
    return no_overload();
  std::int64_t offset = 0;
  if (a.size() == 2) {
    if (!a[1].is(value_kind::string))
      return no_overload();
    const auto zone = find_zone(a[1].s);
    if (!zone)
      return value::failure(zone_error(a[1].s));
    offset = zone->offset_at(a[0].i);
  }
  return value::of_int(part_of(part, a[0].i + offset, a[0].nanos));
}

} // namespace

value get_full_year(std::span<value> a) { return accessor(a, time_part::full_year, 0); }
value get_month(std::span<value> a) { return accessor(a, time_part::month, 0); }
value get_date(std::span<value> a) { return accessor(a, time_part::date, 0); }
value get_day_of_month(std::span<value> a) { return accessor(a, time_part::day_of_month, 0); }
value get_day_of_week(std::span<value> a) { return accessor(a, time_part::day_of_week, 0); }
value get_day_of_year(std::span<value> a) { return accessor(a, time_part::day_of_year, 0); }
value get_hours(std::span<value> a) { return accessor(a, time_part::hours, 3600 * ns_per_second); }
value get_minutes(std::span<value> a) { return accessor(a, time_part::minutes, 60 * ns_per_second); }
value get_seconds(std::span<value> a) { return accessor(a, time_part::seconds, ns_per_second); }
value get_milliseconds(std::span<value> a) { return accessor(a, time_part::milliseconds, 1'000'000); }

} // namespace millrace::expressions::native
