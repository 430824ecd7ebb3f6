// SPDX-License-Identifier: Apache-2.0
/// @file
/// Where the events of one JSON message are: one object (also over several lines), an array of objects, or NDJSON.
/// The decoder and `count_events` both ask here, so they agree.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace millrace::codec {

/// [begin, end) in the message.
struct byte_range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

enum class body_shape { none, one, lines, array };

/// The rule: an *array* starts with `[` and its `]` is the last character (or there is only one line); *one* is an
/// object of several lines whose brackets close exactly at the end; anything else is *lines*, each an event. So a
/// truncated line of NDJSON cannot swallow its neighbours.
struct body_layout {
  body_shape shape = body_shape::none;
  /// Without surrounding white space and byte order mark.
  byte_range all;
  /// The elements of an array, trimmed; an element may be empty.
  std::vector<byte_range> elements;
  /// Elements from this index on are wrong whatever they hold, because of `broken_why`.
  std::size_t broken_from = static_cast<std::size_t>(-1);
  std::string_view broken_why;
};

/// Reuses the memory of `out`.
void split_body(std::string_view body, body_layout& out);

constexpr bool is_json_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
byte_range trim_range(std::string_view text, byte_range r) noexcept;

} // namespace millrace::codec
