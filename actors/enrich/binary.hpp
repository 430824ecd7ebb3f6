// SPDX-License-Identifier: Apache-2.0
/// @file
/// Little-endian writing and bounds-checked reading of the stage's state. Internal to the folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::enrich {

template <unsigned Bytes>
void put(std::string& out, std::uint64_t x) {
  char b[Bytes];
  for (unsigned i = 0; i < Bytes; ++i)
    b[i] = static_cast<char>((x >> (8 * i)) & 0xff);
  out.append(b, Bytes);
}

/// False: `in` is too short.
template <unsigned Bytes>
bool take_number(std::string_view& in, std::uint64_t& x) {
  if (in.size() < Bytes)
    return false;
  x = 0;
  for (unsigned i = 0; i < Bytes; ++i)
    x |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  in.remove_prefix(Bytes);
  return true;
}

inline void put_text(std::string& out, std::string_view text) {
  put<8>(out, text.size());
  out += text;
}

inline bool take_text(std::string_view& in, std::string_view& text) {
  std::uint64_t n = 0;
  if (!take_number<8>(in, n) || n > in.size())
    return false;
  text = in.substr(0, n);
  in.remove_prefix(n);
  return true;
}

} // namespace millrace::enrich
