// SPDX-License-Identifier: Apache-2.0
/// @file
/// The small grammars inside a pipeline file: durations, sizes, names. Pure functions.
#pragma once

#include "messaging/errors.hpp"

#include <cstdint>
#include <string_view>

namespace millrace::pipeline {

/// `250ms`, `5s`, `1m30s`, `2h`, `7d` (also `us`, `ns`; units from large to small) in nanoseconds; `0` alone is
/// zero. Errors: ec::config.
result<std::int64_t> parse_duration(std::string_view text);

/// `1GiB`, `512MiB`, `64kB`, or plain bytes. Errors: ec::config.
result<std::uint64_t> parse_size(std::string_view text);

/// A decimal integer without sign or leading `+`. Errors: ec::config.
result<std::uint64_t> parse_count(std::string_view text);

/// `[a-z][a-z0-9-]{0,39}`; with `underscore` also `_`: what windows, rules and tables are named.
bool is_name(std::string_view text, bool underscore) noexcept;

/// A CEL identifier that is not a reserved word.
bool is_identifier(std::string_view text) noexcept;

/// Why `text` cannot be the subject of a source, or empty.
std::string_view subject_problem(std::string_view text) noexcept;

} // namespace millrace::pipeline
