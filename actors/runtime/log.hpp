// SPDX-License-Identifier: Apache-2.0
/// @file
/// Log lines for the person at 3 a.m.: to stderr, text or JSON (`MILLRACE_LOG=json:info`). Never event contents,
/// never secrets. Thread-safe.
#pragma once

#include "messaging/errors.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::log {

enum class level { trace, debug, info, warn, error, off };

using fields = std::vector<std::pair<std::string_view, std::string>>;

/// `info`, `debug`, `json:warn`, ...; errors: ec::config naming the known levels.
result<void> configure(std::string_view setting);

void write(level l, std::string_view what, const fields& f = {});
inline void debug(std::string_view what, const fields& f = {}) { write(level::debug, what, f); }
inline void info(std::string_view what, const fields& f = {}) { write(level::info, what, f); }
inline void warn(std::string_view what, const fields& f = {}) { write(level::warn, what, f); }
inline void error(std::string_view what, const fields& f = {}) { write(level::error, what, f); }

} // namespace millrace::log
