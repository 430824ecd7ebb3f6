// SPDX-License-Identifier: Apache-2.0
// Every aggregate of this version. An entry here is all it takes to add one.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/aggregate.hpp"

#include <algorithm>
#include <array>

namespace millrace::windows {

namespace {

using type = std::optional<data_type>;

type any_to_int(type /*argument*/) { return data_type::int64; }

type bool_to_int(type argument) { return argument == data_type::boolean ? type{data_type::int64} : std::nullopt; }

type summable(type argument) {
  const bool ok = argument == data_type::int64 || argument == data_type::uint64 || argument == data_type::float64 ||
                  argument == data_type::duration;
  return ok ? argument : std::nullopt;
}

type number_to_double(type argument) {
  const bool ok = argument == data_type::int64 || argument == data_type::uint64 || argument == data_type::float64;
  return ok ? type{data_type::float64} : std::nullopt;
}

type ordered(type argument) { return argument == data_type::json ? std::nullopt : argument; }

type same(type argument) { return argument; }

constexpr std::array kinds{
  aggregate_kind{"count", "Number of events, or of events whose argument is not null.", 0, 1, "any value", any_to_int,
                 make_count, false},
  aggregate_kind{"sum", "Sum of the values.", 1, 1, "int, uint, double or duration", summable, make_sum},
  aggregate_kind{"avg", "Arithmetic mean of the values, a double.", 1, 1, "int, uint or double", number_to_double,
                 make_avg},
  aggregate_kind{"min", "Smallest value.", 1, 1, "a value with an order (not json)", ordered, make_min},
  aggregate_kind{"max", "Largest value.", 1, 1, "a value with an order (not json)", ordered, make_max},
  aggregate_kind{"first", "Value of the first event by event time, then position.", 1, 1, "any value", same,
                 make_first},
  aggregate_kind{"last", "Value of the last event by event time, then position.", 1, 1, "any value", same, make_last},
  aggregate_kind{"count_if", "Number of events for which the condition is true.", 1, 1, "a condition (bool)",
                 bool_to_int, make_count_if, false},
};

constexpr std::array<std::string_view, 12> planned{"variance", "stddev",  "quantile", "median",   "distinct", "top",
                                                   "any",      "collect", "slope",    "integral", "rate",     "ewma"};

} // namespace

std::span<const aggregate_kind> aggregate_kinds() noexcept { return kinds; }

const aggregate_kind* find_aggregate(std::string_view name) noexcept {
  const auto it = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.name == name; });
  return it == kinds.end() ? nullptr : &*it;
}

bool is_planned_aggregate(std::string_view name) noexcept {
  return std::find(planned.begin(), planned.end(), name) != planned.end();
}

} // namespace millrace::windows
