// SPDX-License-Identifier: Apache-2.0
/// @file
/// Opaque page cursors: where a list stopped, as text that survives a URL. Private to this folder.
#pragma once

#include "messaging/errors.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::storage {

/// The last item of a page: which list it belongs to, its numbers and its text.
struct cursor {
  char kind = ' ';
  std::vector<std::int64_t> numbers;
  std::string text;

  friend bool operator==(const cursor&, const cursor&) = default;
};

/// URL-safe base64 without padding.
std::string encode_cursor(const cursor& c);
/// Errors: ec::invalid unless it is a cursor of that kind with that many numbers.
result<cursor> decode_cursor(std::string_view text, char kind, std::size_t numbers);

} // namespace millrace::storage
