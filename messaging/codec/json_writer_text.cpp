// SPDX-License-Identifier: Apache-2.0
// Texts as JSON: escaping, UTF-8 repair, base64.
#include "messaging/codec/json_writer.hpp"

#include <array>
#include <cstring>

namespace millrace::codec {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

constexpr bool plain(unsigned char c) noexcept { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

/// True when all eight bytes are ASCII that needs no escape.
bool plain8(const char* p) noexcept {
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  const auto has_zero = [](std::uint64_t x) { return (x - ones) & ~x; };
  const std::uint64_t control = v - ones * 0x20;
  return ((v | control | has_zero(v ^ (ones * '"')) | has_zero(v ^ (ones * '\\'))) & (ones * 0x80)) == 0;
}

std::size_t plain_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i + 8 <= text.size() && plain8(text.data() + i))
    i += 8;
  while (i < text.size() && plain(static_cast<unsigned char>(text[i])))
    ++i;
  return i;
}

void append_escape(std::string& out, unsigned char c) {
  switch (c) {
  case '"': out += "\\\""; return;
  case '\\': out += "\\\\"; return;
  case '\b': out += "\\b"; return;
  case '\f': out += "\\f"; return;
  case '\n': out += "\\n"; return;
  case '\r': out += "\\r"; return;
  case '\t': out += "\\t"; return;
  default:
    out += "\\u00";
    out += hex_digits[c >> 4];
    out += hex_digits[c & 15];
  }
}

struct sequence {
  std::size_t length;
  bool valid;
};

/// The UTF-8 sequence at the start of `text`, whose first byte is not ASCII. An invalid one has the length of
/// its maximal subpart (Unicode, section 3.9, table 3-8), so that repairs agree with other decoders.
sequence utf8_sequence(std::string_view text) noexcept {
  const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0xC2 || lead > 0xF4)
    return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead == 0xE0)
    low = 0xA0;
  else if (lead == 0xED)
    high = 0x9F;
  else if (lead == 0xF0)
    low = 0x90;
  else if (lead == 0xF4)
    high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= text.size() || at(i) < low || at(i) > high)
      return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

} // namespace

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t n = plain_prefix(text);
    out.append(text.substr(0, n));
    text.remove_prefix(n);
    if (text.empty())
      break;
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x80) {
      append_escape(out, c);
      text.remove_prefix(1);
      continue;
    }
    const sequence s = utf8_sequence(text);
    out.append(s.valid ? text.substr(0, s.length) : replacement);
    text.remove_prefix(s.length);
  }
  out += '"';
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&bytes](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
  out += '"';
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t v = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    const std::array<char, 4> four{digits[v >> 18], digits[(v >> 12) & 63], digits[(v >> 6) & 63], digits[v & 63]};
    out.append(four.data(), four.size());
  }
  const std::size_t rest = bytes.size() - i;
  if (rest != 0) {
    const std::uint32_t v = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0U);
    const std::array<char, 4> four{digits[v >> 18], digits[(v >> 12) & 63], rest == 2 ? digits[(v >> 6) & 63] : '=',
                                   '='};
    out.append(four.data(), four.size());
  }
  out += '"';
}

} // namespace millrace::codec
