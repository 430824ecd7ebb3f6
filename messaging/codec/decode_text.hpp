// SPDX-License-Identifier: Apache-2.0
/// @file
/// Texts of JSON tokens and CSV cells as values: numbers, times, durations, base64, JSON strings. Pure functions
/// without allocation (but for the output string); nullopt means "not such a value".
#pragma once

#include "messaging/codec/decoder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::codec {

/// 1 to 16 digits without sign and leading zero, by words; false: anything else. 16 bytes from `p` on are readable.
bool short_digits(const char* p, std::size_t n, std::uint64_t& out) noexcept;
/// Integers exactly as JSON writes them without fraction and exponent (`-0` is 0; no leading zeros, no `+`).
std::optional<std::int64_t> parse_int(std::string_view text) noexcept;
std::optional<std::uint64_t> parse_uint(std::string_view text) noexcept;
/// A JSON number as a finite double, correctly rounded; beyond the range of double: nullopt.
std::optional<double> parse_double(std::string_view text) noexcept;
/// True when `text` is a number by the grammar of JSON, whatever its size.
bool is_json_number(std::string_view text) noexcept;

/// RFC 3339 with offset (`t` and `z` accepted, 1 to 9 fraction digits), as nanoseconds since the epoch, UTC.
/// Times outside the range of 64-bit nanoseconds (1677 to 2262) and second 60 are refused.
std::optional<std::int64_t> parse_rfc3339(std::string_view text) noexcept;
/// Nanoseconds in one of `unit`, which counts since the epoch.
std::int64_t unit_nanoseconds(timestamp_unit unit) noexcept;
/// A decimal number (fraction and exponent allowed) of `unit` as nanoseconds; digits below 1 ns are cut off.
std::optional<std::int64_t> parse_epoch(std::string_view text, timestamp_unit unit) noexcept;
/// Text by a strptime-like pattern: %Y (4 digits) %m %d %H %M %S (1 or 2 digits) %f (1 to 9 digits of a
/// fraction) %F (%Y-%m-%d) %T (%H:%M:%S) %z (`Z`, `+hh:mm`, `+hhmm`) %%; all else literally. UTC unless %z.
std::optional<std::int64_t> parse_pattern(std::string_view text, std::string_view pattern) noexcept;
/// Empty when `parse_pattern` knows every specifier of `pattern`, else the first unknown one.
std::string_view unknown_specifier(std::string_view pattern) noexcept;
/// A text of one of the units: RFC 3339, pattern, or a number.
std::optional<std::int64_t> parse_time(std::string_view text, timestamp_unit unit, std::string_view pattern) noexcept;

/// `1.5s`, `250ms`, `1m30s`, `-2h`, `7d`: decimal numbers with units ns us (or µs) ms s m h d; `0` alone is zero.
std::optional<std::int64_t> parse_duration(std::string_view text) noexcept;

/// Appends the bytes of base64 text (RFC 4648, standard alphabet, padding may be missing). False: not base64;
/// `out` is then unchanged.
bool append_decoded_base64(std::string& out, std::string_view text);

/// Appends what the inside of a JSON string stands for. False: a bad escape or a lone surrogate.
bool append_unescaped(std::string& out, std::string_view inside);
/// True when every escape in the inside of a JSON string is right.
bool has_valid_escapes(std::string_view inside) noexcept;

} // namespace millrace::codec
