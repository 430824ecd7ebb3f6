// SPDX-License-Identifier: Apache-2.0
// Lines as machines write them, all alike: matched against the line before, without the first stage. Whatever is
// unusual goes the general way, so nothing is accepted here that would not be accepted there.
#include "messaging/codec/decode_columns.hpp"
#include "messaging/codec/json_kernel.hpp"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#define MILLRACE_AVX2 __attribute__((target("avx2,bmi")))
#endif

namespace millrace::codec {
namespace {

/// Ways to find what ends a value. The block's last line end stops them all.
///
/// `string_stop`: the first byte at or behind `p` that is a quote, a backslash, a control character or not ASCII.
/// `scalar_stop`: the first that is a comma, a closing brace, white space or a control character (or not ASCII).
struct portable_scan {
  static const char* string_stop(const char* p) noexcept {
#if defined(__x86_64__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (;; p += 16) {
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      // Signed comparison: bytes from 0x80 on are negative, hence below the space as well.
      const __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, quote), _mm_cmpeq_epi8(text, slash)),
                                        _mm_cmplt_epi8(text, space));
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

  static const char* scalar_stop(const char* p) noexcept {
#if defined(__x86_64__)
    const __m128i comma = _mm_set1_epi8(',');
    const __m128i brace = _mm_set1_epi8('}');
    const __m128i visible = _mm_set1_epi8('!');
    for (;; p += 16) {
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      const __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(text, comma), _mm_cmpeq_epi8(text, brace)),
                                        _mm_cmplt_epi8(text, visible));
      const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stop));
      if (mask != 0)
        return p + std::countr_zero(mask);
    }
#else
    while (*p != ',' && *p != '}' && static_cast<unsigned char>(*p) > 0x20 && static_cast<unsigned char>(*p) < 0x80)
      ++p;
    return p;
#endif
  }
};

#if defined(MILLRACE_AVX2)
/// Most values end within one step.
struct avx2_scan {
  MILLRACE_AVX2 static inline const char* string_stop(const char* p) noexcept {
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i slash = _mm256_set1_epi8('\\');
    const __m256i space = _mm256_set1_epi8(' ');
    for (;; p += 32) {
      const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      const __m256i stop =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(text, quote), _mm256_cmpeq_epi8(text, slash)),
                        _mm256_cmpgt_epi8(space, text));
      const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(stop));
      if (mask != 0)
        return p + std::countr_zero(mask);
    }
  }

  MILLRACE_AVX2 static inline const char* scalar_stop(const char* p) noexcept {
    const __m256i comma = _mm256_set1_epi8(',');
    const __m256i brace = _mm256_set1_epi8('}');
    const __m256i visible = _mm256_set1_epi8('!');
    for (;; p += 32) {
      const __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      const __m256i stop =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(text, comma), _mm256_cmpeq_epi8(text, brace)),
                        _mm256_cmpgt_epi8(visible, text));
      const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(stop));
      if (mask != 0)
        return p + std::countr_zero(mask);
    }
  }
};
#endif

/// Numbers, true, false and null begin with these.
constexpr bool begins_scalar(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'; }

} // namespace

template <class Scan>
[[gnu::always_inline]] inline std::uint32_t json_walker::plain_line_by(std::uint32_t begin) {
  next_generation();
  const char* const base = base_;
  const std::uint32_t generation = generation_;
  const entry* const entries = nodes_[0].entries.data();
  json_slot* const slots = slots_.data();
  const char* p = base + begin;
  if (*p != '{')
    return 0;
  std::uint32_t expected = nodes_[0].first;
  do {
    const entry& e = entries[expected];
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
      p = Scan::string_stop(p + 1);
      if (*p != '"')
        return 0;
      ++p;
    } else {
      // What else stands up to the stop, the conversion of the value decides.
      if (!begins_scalar(*p))
        return 0;
      p = Scan::scalar_stop(p);
    }
    const auto from = static_cast<std::uint32_t>(value - base);
    const auto to = static_cast<std::uint32_t>(p - base);
    if (e.slot == none) {
      if (*value != '"' && !is_scalar(from, to))
        return 0;
    } else {
      json_slot& s = slots[e.slot];
      if (s.generation == generation)
        return 0;
      s = json_slot{generation, from, to, false};
    }
  } while (*p == ',');
  return p[0] == '}' && p[1] == '\n' ? static_cast<std::uint32_t>(p + 1 - base) : 0;
}

std::uint32_t json_walker::plain_line_portably(std::uint32_t begin) { return plain_line_by<portable_scan>(begin); }

#if defined(MILLRACE_AVX2)
MILLRACE_AVX2 std::uint32_t json_walker::plain_line_avx2(std::uint32_t begin) {
  return plain_line_by<avx2_scan>(begin);
}
#else
std::uint32_t json_walker::plain_line_avx2(std::uint32_t begin) { return plain_line_portably(begin); }
#endif

std::uint32_t (json_walker::*json_walker::choose_plain_line() noexcept)(std::uint32_t) {
#if defined(MILLRACE_AVX2)
  if (__builtin_cpu_supports("avx2"))
    return &json_walker::plain_line_avx2;
#endif
  return &json_walker::plain_line_portably;
}

} // namespace millrace::codec
