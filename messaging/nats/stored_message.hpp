// SPDX-License-Identifier: Apache-2.0
/// @file
/// Decodes the answer of `$JS.API.STREAM.MSG.GET`: base64, raw headers, RFC 3339 time.
#pragma once

#include "messaging/bus.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace millrace::nats {

result<message> stored_message(const nlohmann::json& answer, const std::string& what);

/// Standard alphabet with padding; nullopt when it is not.
std::optional<std::string> from_base64(std::string_view text);
/// `2026-11-20T13:00:00.123456789Z`, any number of fraction digits, as ns since the epoch; nullopt when it is not.
std::optional<std::int64_t> from_rfc3339(std::string_view text);
/// The `NATS/1.0` block of a message, in order of name.
header_list parse_headers(std::string_view block);

} // namespace millrace::nats
