// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/cursor.hpp"

#include <charconv>
#include <optional>

namespace millrace::storage {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes) {
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8) | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6)
      out += alphabet[(buffer >> (bits - 6)) & 63];
  }
  if (bits > 0)
    out += alphabet[(buffer << (6 - bits)) & 63];
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string_view::npos)
      return std::nullopt;
    buffer = (buffer << 6) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((buffer >> bits) & 255);
    }
  }
  return out;
}

} // namespace

std::string encode_cursor(const cursor& c) {
  std::string plain{c.kind};
  for (const auto n : c.numbers)
    plain += std::to_string(n) + ';';
  return encode(plain + c.text);
}

result<cursor> decode_cursor(std::string_view text, char kind, std::size_t numbers) {
  const millrace::error bad{ec::invalid, "cursor: not one that this list gave", "pass the `next` of the previous page"};
  const auto plain = decode(text);
  if (!plain || plain->empty() || plain->front() != kind)
    return bad;
  cursor c{kind, {}, {}};
  std::string_view rest = *plain;
  rest.remove_prefix(1);
  while (c.numbers.size() < numbers) {
    std::int64_t n = 0;
    const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
    if (failure != std::errc{} || end == rest.data() + rest.size() || *end != ';')
      return bad;
    c.numbers.push_back(n);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
  c.text = rest;
  return c;
}

} // namespace millrace::storage
