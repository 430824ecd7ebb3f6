// SPDX-License-Identifier: Apache-2.0
/// @file
/// Makers of the accumulators, one per family; the registry refers to them.
#pragma once

#include "actors/windows/aggregate.hpp"

namespace millrace::windows {

using argument_type = std::optional<data_type>;
using parameter_values = std::span<const parameter_value>;
using made = std::unique_ptr<accumulator>;

/// count() and count(x): an int that is never null.
made make_count(argument_type argument, parameter_values parameters);
/// count_if(condition).
made make_count_if(argument_type argument, parameter_values parameters);
/// Exact for integers (128 bits, range checked at the end), compensated for doubles.
made make_sum(argument_type argument, parameter_values parameters);
made make_avg(argument_type argument, parameter_values parameters);
/// The sum over the length of the window in seconds; null for a window without length.
made make_rate(argument_type argument, parameter_values parameters);
/// NaN wins over every number; -0.0 is below 0.0: so the order of events does not matter.
made make_min(argument_type argument, parameter_values parameters);
made make_max(argument_type argument, parameter_values parameters);
/// By event time, then position (shard, place, index).
made make_first(argument_type argument, parameter_values parameters);
made make_last(argument_type argument, parameter_values parameters);
/// The first by position (shard, place, index).
made make_any(argument_type argument, parameter_values parameters);

/// Sample variance (n - 1), null below two values.
made make_variance(argument_type argument, parameter_values parameters);
made make_stddev(argument_type argument, parameter_values parameters);
/// Least squares over event time, per second; null below two distinct times.
made make_slope(argument_type argument, parameter_values parameters);
/// Mean with weights 0.5^((t_last - t) / half-life).
made make_ewma(argument_type argument, parameter_values parameters);
/// Trapezoids over event time, value * seconds. See integral.cpp for the bound.
made make_integral(argument_type argument, parameter_values parameters);

/// DDSketch, see quantiles.cpp. A NaN among the values makes the result NaN.
made make_quantile(argument_type argument, parameter_values parameters);
made make_median(argument_type argument, parameter_values parameters);
/// HyperLogLog, see distinct.cpp: exact up to 1536 distinct values. 0.0 equals -0.0, NaN equals NaN.
made make_distinct(argument_type argument, parameter_values parameters);
/// Space-Saving, see top.cpp: exact up to max(256, 16 k) distinct values. 0.0 equals -0.0, NaN equals NaN.
made make_top(argument_type argument, parameter_values parameters);
/// The first values by event time, then position, as a JSON array.
made make_collect(argument_type argument, parameter_values parameters);

} // namespace millrace::windows
