// SPDX-License-Identifier: Apache-2.0
// Lines as machines write them, all alike: matched against the line before, without the first stage. Whatever is
// unusual goes the general way, so nothing is accepted here that would not be accepted there.
#include "messaging/codec/decode_columns.hpp"
#include "messaging/codec/json_kernel.hpp"

#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millrace::codec {
namespace {

/// Offset of the first byte at or behind `p` that is a quote, a backslash, a control character or not ASCII. The
/// block's last line end stops it.
inline const char* string_stop(const char* p) noexcept {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i slash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(' ');
  for (;; p += 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed comparison: bytes from 0x80 on are negative, hence below the space as well.
    const __m128i stop =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, quote), _mm_cmpeq_epi8(text, slash)), _mm_cmplt_epi8(text, space));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stop));
    if (mask != 0)
      return p + std::countr_zero(mask);
  }
#else
  while (*p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20 && static_cast<unsigned char>(*p) < 0x80)
    ++p;
  return p;
#endif
}

/// Letters, digits and signs of numbers, true, false and null.
constexpr bool in_scalar(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

} // namespace

std::uint32_t json_walker::plain_line(std::uint32_t begin) {
  next_generation();
  node& n = nodes_[0];
  const char* p = base_ + begin;
  if (*p != '{')
    return 0;
  std::uint32_t expected = n.first;
  do {
    const entry& e = n.entries[expected];
    expected = e.next;
    ++p;
    if (e.mask[0] == 0 || e.child != none ||
        (((detail::load64(p) ^ e.quoted[0]) & e.mask[0]) | ((detail::load64(p + 8) ^ e.quoted[1]) & e.mask[1])) != 0)
      return 0;
    p += e.length + 2;
    if (*p != ':')
      return 0;
    const char* const value = ++p;
    if (*p == '"') {
      p = string_stop(p + 1);
      if (*p != '"')
        return 0;
      ++p;
    } else {
      while (in_scalar(*p))
        ++p;
    }
    const auto from = static_cast<std::uint32_t>(value - base_);
    const auto to = static_cast<std::uint32_t>(p - base_);
    if (e.slot == none) {
      if (*value != '"' && !is_scalar(from, to))
        return 0;
    } else {
      json_slot& s = slots_[e.slot];
      if (from == to || s.generation == generation_)
        return 0;
      s = json_slot{generation_, from, to, false};
    }
  } while (*p == ',');
  return p[0] == '}' && p[1] == '\n' ? static_cast<std::uint32_t>(p + 1 - base_) : 0;
}

} // namespace millrace::codec
