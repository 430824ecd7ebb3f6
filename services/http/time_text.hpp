// SPDX-License-Identifier: Apache-2.0
/// @file
/// RFC 3339 in requests and headers. Private to this folder.
#pragma once

#include "messaging/event_batch.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace millrace::http {

/// `2026-11-20T13:00:00Z`, with up to 9 fraction digits and `Z` or an offset. A space before the offset counts as `+`:
/// that is what becomes of a plus sign that a client did not escape. Nothing for anything else, or a time that
/// 64 bits of nanoseconds cannot hold.
std::optional<nanoseconds_t> parse_time(std::string_view text);

/// The header `Millrace-Watermark`: RFC 3339, `none` while unknown, `end` once the input has ended.
std::string watermark_text(nanoseconds_t watermark);

} // namespace millrace::http
