// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where the top-level members of a JSON object stand, so that they can be read and replaced without touching the rest.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::cli {

/// [begin, end) of the value of each name, in the order of `names`; none when absent. Of equal names the last counts.
using member_places = std::vector<std::optional<std::pair<std::size_t, std::size_t>>>;

/// nullopt when `text` is not one JSON object.
std::optional<member_places> find_members(std::string_view text, std::span<const std::string> names);

/// What a JSON string in quotes stands for; nullopt when `token` is none.
std::optional<std::string> string_of(std::string_view token);

/// Replaces the member's value, or adds it at the end. `text` must be one JSON object: false when it is not.
bool set_member(std::string& text, const std::string& name, std::string_view json);

} // namespace millrace::cli
