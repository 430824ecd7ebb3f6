// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which overload of a function takes given arguments, and what to write if none does.
#pragma once

#include "actors/expressions/checker.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::expressions {

std::vector<type> types_of(std::span<const checked> args);
/// The result of the overload that accepts the arguments; dyn if several could and they differ.
std::optional<type> result_type(const function_info& f, std::span<const checked> args);
/// How to make the arguments of call `n` fit, or an empty text.
std::string overload_hint(const node& n, std::span<const checked> args);

} // namespace millrace::expressions
