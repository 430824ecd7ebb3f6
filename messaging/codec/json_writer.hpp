// SPDX-License-Identifier: Apache-2.0
/// @file
/// Values and output records as JSON text, exactly as `interface.md` ("Output records") defines them.
/// Everything appends to a string; nothing allocates but the string.
#pragma once

#include "messaging/event_batch.hpp"
#include "messaging/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::codec {

/// Shortest text that reads back as the same number, `.0` when integral (exponents stay: 1e+300 is `1e+300`);
/// non-finite values as the strings "NaN", "Infinity", "-Infinity".
void append_double(std::string& out, double value);
void append_int(std::string& out, std::int64_t value);
void append_uint(std::string& out, std::uint64_t value);
/// Quoted and escaped; invalid UTF-8 is replaced by U+FFFD.
void append_string(std::string& out, std::string_view text);
/// Quoted RFC 3339, UTC, with 3, 6 or 9 fraction digits, as few as are exact.
void append_timestamp(std::string& out, std::int64_t ns);
/// Quoted seconds as CEL prints durations: `"1.5s"`, `"-0.000000001s"`.
void append_duration(std::string& out, std::int64_t ns);
/// Quoted base64 (RFC 4648, with padding).
void append_base64(std::string& out, std::string_view bytes);
/// One value of a column by its type; null is `null`; json columns verbatim (compacted to one line).
void append_value(std::string& out, const column& c, std::size_t row);
/// One event: `{"field":value,...}` in schema order.
void append_event(std::string& out, const event_batch& b, std::size_t row);

/// Names of the fixed columns of a window section: the key fields come first, then these in this order
/// (`$seq` only for count windows), then the values, then `$errors`. See `windows/plan.hpp`.
inline constexpr std::string_view column_start = "$start";
inline constexpr std::string_view column_end = "$end";
inline constexpr std::string_view column_seq = "$seq";
inline constexpr std::string_view column_version = "$version";
inline constexpr std::string_view column_final = "$final";
inline constexpr std::string_view column_retracted = "$retracted";
inline constexpr std::string_view column_errors = "$errors";

/// Section name of alert transitions; columns rule, id, key(json), state, at, since, severity, labels(json),
/// summary, values(json).
inline constexpr std::string_view section_alerts = "$alerts";

/// `{"kind":"window",...}` of one row of a window section, without newline.
void append_window_record(std::string& out, std::string_view window, const event_batch& b, std::size_t row);
/// Only the key object of a window row: `{"symbol":"AAPL"}`.
void append_window_key(std::string& out, const event_batch& b, std::size_t row);
/// Only the values object of a window row.
void append_window_values(std::string& out, const event_batch& b, std::size_t row);
/// `{"kind":"alert",...}` of one row of the alerts section, without newline.
void append_alert_record(std::string& out, const event_batch& b, std::size_t row);

} // namespace millrace::codec
