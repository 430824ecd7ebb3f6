// SPDX-License-Identifier: Apache-2.0
/// @file
/// Makers of the accumulators, one per family; the registry refers to them.
#pragma once

#include "actors/windows/aggregate.hpp"

namespace millrace::windows {

/// count() and count(x): an int that is never null.
std::unique_ptr<accumulator> make_count(std::optional<data_type> argument);
/// count_if(condition).
std::unique_ptr<accumulator> make_count_if(std::optional<data_type> argument);
/// Exact for integers (128 bits, range checked at the end), compensated for doubles.
std::unique_ptr<accumulator> make_sum(std::optional<data_type> argument);
std::unique_ptr<accumulator> make_avg(std::optional<data_type> argument);
/// NaN wins over every number; -0.0 is below 0.0: so the order of events does not matter.
std::unique_ptr<accumulator> make_min(std::optional<data_type> argument);
std::unique_ptr<accumulator> make_max(std::optional<data_type> argument);
/// By event time, then position (shard, place, index).
std::unique_ptr<accumulator> make_first(std::optional<data_type> argument);
std::unique_ptr<accumulator> make_last(std::optional<data_type> argument);

} // namespace millrace::windows
