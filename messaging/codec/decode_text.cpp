// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace millrace::codec {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr unsigned digit(char c) noexcept { return static_cast<unsigned>(c - '0'); }

/// Eight digits at once (D. Lemire, "Quickly parsing eight digits"); false: not all are digits.
bool eight_digits(const char* p, std::uint64_t& out) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  if (((v & 0xF0F0F0F0F0F0F0F0U) | (((v + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) != 0x3333333333333333U)
    return false;
  v = (v & 0x0F0F0F0F0F0F0F0FU) * 2561 >> 8;
  v = (v & 0x00FF00FF00FF00FFU) * 6553601 >> 16;
  out = (v & 0x0000FFFF0000FFFFU) * 42949672960001U >> 32;
  return true;
#else
  (void)p;
  (void)out;
  return false;
#endif
}

/// Digits without sign, no leading zero. False: not such a number, or beyond 64 bits.
bool digits_to_u64(std::string_view text, std::uint64_t& out) noexcept {
  if (text.empty() || text.size() > 20 || (text[0] == '0' && text.size() > 1))
    return false;
  const std::size_t safe = text.size() < 19 ? text.size() : 19;
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (std::uint64_t eight = 0; i + 8 <= safe && eight_digits(text.data() + i, eight); i += 8)
    value = value * 100'000'000 + eight;
  for (; i < safe; ++i) {
    if (!is_digit(text[i]))
      return false;
    value = value * 10 + digit(text[i]);
  }
  if (text.size() == 20) {
    if (!is_digit(text[19]) || value > std::numeric_limits<std::uint64_t>::max() / 10)
      return false;
    const std::uint64_t tens = value * 10;
    value = tens + digit(text[19]);
    if (value < tens)
      return false;
  }
  out = value;
  return true;
}

constexpr std::array<double, 23> powers_of_ten{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

std::optional<double> parse_double_slowly(std::string_view text) noexcept {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size())
    return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too small is a number (zero or subnormal), too large is not; from_chars does not tell which. Cold.
    const std::string copy{text};
    value = std::strtod(copy.c_str(), nullptr);
  } else if (error != std::errc{}) {
    return std::nullopt;
  }
  return std::isfinite(value) ? std::optional{value} : std::nullopt;
}

} // namespace

bool short_digits(const char* p, std::size_t n, std::uint64_t& out) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (n - 1 >= 16 || (*p == '0' && n > 1))
    return false;
  // Zeros in front make it eight digits, or twice eight.
  constexpr std::uint64_t zeros = 0x3030303030303030U;
  const auto padded = [](const char* from, std::size_t digits) {
    std::uint64_t v = 0;
    std::memcpy(&v, from, sizeof v);
    return digits == 8 ? v : v << (64 - 8 * digits) | zeros >> (8 * digits);
  };
  const auto number = [](std::uint64_t v, bool& ok) {
    ok = ok &&
         ((v & 0xF0F0F0F0F0F0F0F0U) | (((v + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) == 0x3333333333333333U;
    v = (v & 0x0F0F0F0F0F0F0F0FU) * 2561 >> 8;
    v = (v & 0x00FF00FF00FF00FFU) * 6553601 >> 16;
    return (v & 0x0000FFFF0000FFFFU) * 42949672960001U >> 32;
  };
  bool ok = true;
  if (n <= 8) {
    out = number(padded(p, n), ok);
    return ok;
  }
  std::uint64_t last = 0;
  std::memcpy(&last, p + n - 8, sizeof last);
  const std::uint64_t first = number(padded(p, n - 8), ok);
  out = first * 100'000'000 + number(last, ok);
  return ok;
#else
  (void)p;
  (void)n;
  (void)out;
  return false;
#endif
}

std::optional<std::int64_t> parse_int(std::string_view text) noexcept {
  const bool negative = !text.empty() && text[0] == '-';
  std::uint64_t magnitude = 0;
  if (!digits_to_u64(text.substr(negative ? 1 : 0), magnitude))
    return std::nullopt;
  constexpr std::uint64_t limit = std::uint64_t{1} << 63;
  if (negative)
    return magnitude <= limit ? std::optional{static_cast<std::int64_t>(~magnitude + 1)} : std::nullopt;
  return magnitude < limit ? std::optional{static_cast<std::int64_t>(magnitude)} : std::nullopt;
}

std::optional<std::uint64_t> parse_uint(std::string_view text) noexcept {
  std::uint64_t value = 0;
  return digits_to_u64(text, value) ? std::optional{value} : std::nullopt;
}

bool is_json_number(std::string_view text) noexcept {
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
  const auto skip_digits = [&] {
    const std::size_t start = i;
    while (is_digit(at(i)))
      ++i;
    return i > start;
  };
  if (at(i) == '-')
    ++i;
  if (at(i) == '0')
    ++i;
  else if (!skip_digits())
    return false;
  if (at(i) == '.') {
    ++i;
    if (!skip_digits())
      return false;
  }
  if (at(i) == 'e' || at(i) == 'E') {
    ++i;
    if (at(i) == '+' || at(i) == '-')
      ++i;
    if (!skip_digits())
      return false;
  }
  return i == text.size() && !text.empty();
}

std::optional<double> parse_double(std::string_view text) noexcept {
  // Clinger's fast path: up to 2^53 and a power of ten that is exact need one rounding only. It reads
  // exactly the grammar of JSON; everything else goes the slow way, which checks the grammar first.
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  p += negative ? 1 : 0;
  const char* const first = p;
  std::uint64_t mantissa = 0;
  while (p != end && is_digit(*p))
    mantissa = mantissa * 10 + digit(*p++);
  auto digits = p - first;
  if (digits == 0 || (*first == '0' && digits > 1))
    return std::nullopt;
  std::ptrdiff_t fraction = 0;
  if (p != end && *p == '.') {
    const char* const point = ++p;
    while (p != end && is_digit(*p))
      mantissa = mantissa * 10 + digit(*p++);
    fraction = p - point;
    digits += fraction;
    if (fraction == 0)
      return std::nullopt;
  }
  if (p == end && digits <= 19 && fraction <= 22 && mantissa <= (std::uint64_t{1} << 53)) {
    const double value = static_cast<double>(mantissa) / powers_of_ten[static_cast<std::size_t>(fraction)];
    return negative ? -value : value;
  }
  return is_json_number(text) ? parse_double_slowly(text) : std::nullopt;
}

namespace {

constexpr std::array<std::uint8_t, 256> make_base64_table() noexcept {
  std::array<std::uint8_t, 256> table{};
  for (auto& t : table)
    t = 255;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return table;
}
constexpr auto base64_table = make_base64_table();

} // namespace

bool append_decoded_base64(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i)
      text.remove_suffix(1);
  }
  const std::size_t tail = text.size() % 4;
  if (tail == 1)
    return false;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::uint8_t v = base64_table[static_cast<unsigned char>(c)];
    if (v == 255) {
      out.resize(before);
      return false;
    }
    bits = (bits << 6) | v;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xffU);
    }
  }
  return true;
}

namespace {

/// Four hex digits at `text[at]`, or -1.
int hex4(std::string_view text, std::size_t at) noexcept {
  if (at + 4 > text.size())
    return -1;
  int value = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    int v = 0;
    if (is_digit(c))
      v = c - '0';
    else if (c >= 'a' && c <= 'f')
      v = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      v = c - 'A' + 10;
    else
      return -1;
    value = value * 16 + v;
  }
  return value;
}

/// The code point of the `\u` escape whose `u` is at `at`, moving `at` behind it; -1: bad. Surrogates only in pairs.
int code_point(std::string_view text, std::size_t& at) noexcept {
  const int high = hex4(text, at + 1);
  at += 5;
  if (high < 0xd800 || high > 0xdfff)
    return high;
  if (high > 0xdbff || at + 1 >= text.size() || text[at] != '\\' || text[at + 1] != 'u')
    return -1;
  const int low = hex4(text, at + 2);
  at += 6;
  return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

void append_utf8(std::string& out, int c) {
  const auto put = [&](int byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

char simple_escape(char c) noexcept {
  switch (c) {
  case '"': return '"';
  case '\\': return '\\';
  case '/': return '/';
  case 'b': return '\b';
  case 'f': return '\f';
  case 'n': return '\n';
  case 'r': return '\r';
  case 't': return '\t';
  default: return '\0';
  }
}

template <class Text, class Code>
bool for_each_escape(std::string_view inside, Text&& plain, Code&& escaped) {
  std::size_t i = 0;
  while (i < inside.size()) {
    const std::size_t slash = inside.find('\\', i);
    if (slash == std::string_view::npos) {
      plain(inside.substr(i));
      return true;
    }
    plain(inside.substr(i, slash - i));
    if (slash + 1 >= inside.size())
      return false;
    i = slash + 1;
    if (inside[i] == 'u') {
      const int c = code_point(inside, i);
      if (c < 0)
        return false;
      escaped(c);
    } else {
      const char c = simple_escape(inside[i++]);
      if (c == '\0')
        return false;
      escaped(static_cast<int>(c));
    }
  }
  return true;
}

} // namespace

bool append_unescaped(std::string& out, std::string_view inside) {
  return for_each_escape(
    inside, [&](std::string_view plain) { out += plain; }, [&](int c) { append_utf8(out, c); });
}

bool has_valid_escapes(std::string_view inside) noexcept {
  return for_each_escape(
    inside, [](std::string_view) {}, [](int) {});
}

} // namespace millrace::codec
