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

type any_to_json(type /*argument*/) { return data_type::json; }

using parameter = aggregate_parameter;

constexpr std::array quantile_parameters{parameter{"rank", parameter::kind::number, 0.0, 1.0, {}}};
// What is beyond these bounds is no summary any more, and would let one cell fill the state.
constexpr std::array top_parameters{parameter{"k", parameter::kind::integer, 1.0, 1000.0, 10.0}};
constexpr std::array collect_parameters{parameter{"limit", parameter::kind::integer, 1.0, 10000.0, 100.0}};
constexpr std::array ewma_parameters{parameter{"half-life", parameter::kind::duration, 1.0, 3.2e18, {}}};

constexpr std::string_view numbers = "int, uint or double";

constexpr std::array kinds{
  aggregate_kind{"count",
                 "Number of events, or of events whose argument is not null.",
                 0,
                 1,
                 "any value",
                 any_to_int,
                 make_count,
                 {},
                 false},
  aggregate_kind{"sum", "Sum of the values.", 1, 1, "int, uint, double or duration", summable, make_sum},
  aggregate_kind{"avg", "Arithmetic mean of the values, a double.", 1, 1, numbers, number_to_double, make_avg},
  aggregate_kind{"min", "Smallest value.", 1, 1, "a value with an order (not json)", ordered, make_min},
  aggregate_kind{"max", "Largest value.", 1, 1, "a value with an order (not json)", ordered, make_max},
  aggregate_kind{"first", "Value of the first event by event time, then position.", 1, 1, "any value", same,
                 make_first},
  aggregate_kind{"last", "Value of the last event by event time, then position.", 1, 1, "any value", same, make_last},
  aggregate_kind{"variance", "Sample variance (n - 1), null below two values.", 1, 1, numbers, number_to_double,
                 make_variance},
  aggregate_kind{"stddev", "Sample standard deviation (n - 1), null below two values.", 1, 1, numbers, number_to_double,
                 make_stddev},
  aggregate_kind{"quantile", "Value of the lower rank, relative error at most 1 %.", 1, 1, numbers, number_to_double,
                 make_quantile, quantile_parameters},
  aggregate_kind{"median", "The same as quantile(x, 0.5).", 1, 1, numbers, number_to_double, make_median},
  aggregate_kind{"distinct", "Number of distinct values, standard error 0.8 %, exact up to 1536.", 1, 1, "any value",
                 any_to_int, make_distinct},
  aggregate_kind{"top", "The k most frequent values with their counts, exact up to max(256, 16 k) distinct ones.", 1, 1,
                 "any value", any_to_json, make_top, top_parameters},
  aggregate_kind{"count_if",
                 "Number of events for which the condition is true.",
                 1,
                 1,
                 "a condition (bool)",
                 bool_to_int,
                 make_count_if,
                 {},
                 false},
  aggregate_kind{"any", "Value of the first event by position.", 1, 1, "any value", same, make_any},
  aggregate_kind{"collect", "The first values by event time, then position, as a list.", 1, 1, "any value", any_to_json,
                 make_collect, collect_parameters},
  aggregate_kind{"slope", "Slope of the least squares line over event time, per second, null below two times.", 1, 1,
                 numbers, number_to_double, make_slope},
  aggregate_kind{"integral", "Area under the values over event time (trapezoids), value * seconds.", 1, 1, numbers,
                 number_to_double, make_integral},
  aggregate_kind{"rate", "Sum of the values per second of the window's length.", 1, 1, numbers, number_to_double,
                 make_rate},
  aggregate_kind{"ewma", "Mean with weights 0.5^((t_last - t) / half-life).", 1, 1, numbers, number_to_double,
                 make_ewma, ewma_parameters},
};

} // namespace

std::span<const aggregate_kind> aggregate_kinds() noexcept { return kinds; }

const aggregate_kind* find_aggregate(std::string_view name) noexcept {
  const auto it = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.name == name; });
  return it == kinds.end() ? nullptr : &*it;
}

} // namespace millrace::windows
