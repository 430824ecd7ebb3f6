// SPDX-License-Identifier: Apache-2.0
// Plain loops over arrays that the compiler turns into vector code; `messaging/CMakeLists.txt` gives this
// file the optimisation level that does so.
#include "messaging/frame_pack.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace millrace::pack {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are written as the machine holds them");

using u64 = std::uint64_t;

constexpr std::uint8_t width_of(u64 range) noexcept {
  if (range <= 0xFF)
    return 1;
  if (range <= 0xFFFF)
    return 2;
  return range <= 0xFFFF'FFFF ? 4 : 8;
}

template <class T>
u64 bits_of(T value) noexcept {
  return static_cast<u64>(value);
}

/// Most columns are not a sequence, and their ends show it.
template <class T>
bool is_step(std::span<const T> v, u64 step) noexcept {
  const std::size_t n = v.size();
  if (bits_of(v[0]) + step * (n - 1) != bits_of(v[n - 1]) || bits_of(v[0]) + step * (n / 2) != bits_of(v[n / 2]))
    return false;
  u64 wrong = 0;
  for (std::size_t first = 0; first < n; first += 1024) {
    const std::size_t last = std::min(n, first + 1024);
    for (std::size_t i = first; i < last; ++i)
      wrong |= (bits_of(v[0]) + step * i) ^ bits_of(v[i]);
    if (wrong != 0)
      return false;
  }
  return true;
}

template <class T>
struct extent {
  T low;
  T high;
};

/// Four lanes, because a chain of dependent comparisons would take its latency for every value.
template <class T>
extent<T> extent_of(std::span<const T> v) noexcept {
  std::array<T, 4> low{v[0], v[0], v[0], v[0]};
  std::array<T, 4> high = low;
  std::size_t i = 0;
  for (; i + 4 <= v.size(); i += 4)
    for (std::size_t lane = 0; lane < 4; ++lane) {
      low[lane] = std::min(low[lane], v[i + lane]);
      high[lane] = std::max(high[lane], v[i + lane]);
    }
  for (; i < v.size(); ++i) {
    low[0] = std::min(low[0], v[i]);
    high[0] = std::max(high[0], v[i]);
  }
  return {std::min(std::min(low[0], low[1]), std::min(low[2], low[3])),
          std::max(std::max(high[0], high[1]), std::max(high[2], high[3]))};
}

template <class Narrow, class T>
void write_offsets(std::span<const T> v, T base, std::uint8_t* out) noexcept {
  for (std::size_t i = 0; i < v.size(); ++i) {
    const auto u = static_cast<Narrow>(bits_of(v[i]) - bits_of(base));
    std::memcpy(out + i * sizeof u, &u, sizeof u);
  }
}

constexpr u64 inverse_of_odd(u64 odd) noexcept {
  u64 x = odd; // right in the lowest three bits; each round doubles that
  for (int round = 0; round < 5; ++round)
    x *= 2 - odd * x;
  return x;
}

/// A divisor with exact division as a multiplication and a rotation; the quotient of a value that is no
/// multiple comes out above 2^64 / Scale (Warren, "Hacker's Delight", 10-17).
template <u64 Scale>
struct divisor {
  static constexpr int shift = std::countr_zero(Scale);
  static constexpr u64 inverse = inverse_of_odd(Scale >> shift);
  static u64 quotient(u64 value) noexcept { return std::rotr(value * inverse, shift); }
};

template <u64 Scale, class Narrow>
bool write_scaled(std::span<const std::int64_t> v, std::int64_t base, u64 range, std::uint8_t* out) noexcept {
  const u64 limit = range / Scale;
  const std::size_t hop = std::max<std::size_t>(1, v.size() / 8);
  for (std::size_t i = 0; i < v.size(); i += hop) // cheap look before the whole pass
    if (divisor<Scale>::quotient(bits_of(v[i]) - bits_of(base)) > limit)
      return false;
  bool wrong = false;
  for (std::size_t i = 0; i < v.size(); ++i) {
    const u64 q = divisor<Scale>::quotient(bits_of(v[i]) - bits_of(base));
    wrong |= q > limit;
    const auto u = static_cast<Narrow>(q);
    std::memcpy(out + i * sizeof u, &u, sizeof u);
  }
  return !wrong;
}

/// Packs at `Scale` if that saves a width and every difference is a multiple of it.
template <u64 Scale>
bool try_scale(std::span<const std::int64_t> v, std::int64_t base, u64 range, std::uint8_t* out,
               packing& result) noexcept {
  const std::uint8_t width = width_of(range / Scale);
  if (width >= width_of(range) || range % Scale != 0)
    return false;
  const bool fits = width == 1   ? write_scaled<Scale, std::uint8_t>(v, base, range, out)
                    : width == 2 ? write_scaled<Scale, std::uint16_t>(v, base, range, out)
                                 : write_scaled<Scale, std::uint32_t>(v, base, range, out);
  if (fits)
    result = {base, static_cast<std::int64_t>(Scale), encoding::packed, width};
  return fits;
}

template <class T>
packing pack_offsets(std::span<const T> v, T base, u64 range, std::uint8_t* out) noexcept {
  const std::uint8_t width = width_of(range);
  switch (width) {
  case 1: write_offsets<std::uint8_t>(v, base, out); break;
  case 2: write_offsets<std::uint16_t>(v, base, out); break;
  case 4: write_offsets<std::uint32_t>(v, base, out); break;
  default: write_offsets<u64>(v, base, out); break;
  }
  return {static_cast<std::int64_t>(base), 1, encoding::packed, width};
}

/// True when a constant or a step does, which needs no data.
template <class T>
bool pack_without_data(std::span<const T> v, packing& result) noexcept {
  if (v.empty())
    return true;
  const auto base = static_cast<std::int64_t>(v[0]);
  const u64 step = v.size() == 1 ? 0 : bits_of(v[1]) - bits_of(v[0]);
  if (!is_step(v, step))
    return false;
  result = {base, static_cast<std::int64_t>(step), step == 0 ? encoding::constant : encoding::step, 0};
  return true;
}

template <class Narrow>
void read_offsets(const packing& p, const std::uint8_t* data, std::span<std::int64_t> out) noexcept {
  const u64 base = bits_of(p.base);
  const u64 scale = bits_of(p.scale);
  const auto at = [data](std::size_t i) {
    Narrow u = 0;
    std::memcpy(&u, data + i * sizeof u, sizeof u);
    return u64{u};
  };
  if (scale == 1) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::int64_t>(base + at(i));
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::int64_t>(base + scale * at(i));
}

/// False when a value lies above `limit`.
template <class Narrow>
bool read_codes(std::uint32_t base, const std::uint8_t* data, std::span<std::uint32_t> out,
                std::uint32_t limit) noexcept {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Narrow u = 0;
    std::memcpy(&u, data + i * sizeof u, sizeof u);
    largest = std::max(largest, std::uint32_t{u});
    out[i] = base + u;
  }
  return largest <= limit - base;
}

} // namespace

std::size_t data_bytes(const packing& p, std::size_t rows) noexcept {
  switch (p.enc) {
  case encoding::packed: return rows * p.width;
  case encoding::raw: return rows * 8;
  case encoding::bits: return (rows + 7) / 8;
  default: return 0;
  }
}

packing pack_integers(std::span<const std::int64_t> values, std::uint8_t* out) noexcept {
  packing result;
  if (pack_without_data(values, result))
    return result;
  const auto [low, high] = extent_of(values);
  const u64 range = bits_of(high) - bits_of(low);
  // Powers of ten for the resolutions of clocks, 2^20 for positions (whole messages).
  if (try_scale<1'000'000'000>(values, low, range, out, result) ||
      try_scale<1U << 20>(values, low, range, out, result) || try_scale<1'000'000>(values, low, range, out, result) ||
      try_scale<1'000>(values, low, range, out, result))
    return result;
  return pack_offsets(values, low, range, out);
}

packing pack_integers(std::span<const std::uint32_t> values, std::uint8_t* out) noexcept {
  packing result;
  if (pack_without_data(values, result))
    return result;
  const auto [low, high] = extent_of(values);
  // A base of 0 costs nothing where it saves nothing, and spares the reader an addition.
  const std::uint32_t base = width_of(high) == width_of(high - low) ? 0 : low;
  return pack_offsets(values, base, high - base, out);
}

packing pack_doubles(std::span<const double> values, std::uint8_t* out) noexcept {
  if (values.empty())
    return {};
  u64 differs = 0;
  const u64 first = std::bit_cast<u64>(values[0]);
  for (std::size_t i = 0; i < values.size() && differs == 0; ++i)
    differs = std::bit_cast<u64>(values[i]) ^ first;
  if (differs == 0)
    return {static_cast<std::int64_t>(first), 0, encoding::constant, 0};
  std::memcpy(out, values.data(), values.size_bytes());
  return {0, 0, encoding::raw, 8};
}

packing pack_bools(std::span<const std::uint8_t> values, std::uint8_t* out) noexcept {
  std::size_t ones = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    ones += values[i] != 0 ? 1U : 0U;
  if (ones == 0 || ones == values.size())
    return {ones == 0 ? 0 : 1, 0, encoding::constant, 0};
  for (std::size_t i = 0; i < values.size(); i += 8) {
    unsigned byte = 0;
    for (std::size_t k = 0; k < 8 && i + k < values.size(); ++k)
      byte |= (values[i + k] != 0 ? 1U : 0U) << k;
    out[i / 8] = static_cast<std::uint8_t>(byte);
  }
  return {0, 0, encoding::bits, 0};
}

bool unpack(const packing& p, const std::uint8_t* data, std::span<std::int64_t> out) noexcept {
  switch (p.enc) {
  case encoding::constant: std::fill(out.begin(), out.end(), p.base); return true;
  case encoding::step:
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::int64_t>(bits_of(p.base) + bits_of(p.scale) * i);
    return true;
  case encoding::packed: break;
  default: return false;
  }
  switch (p.width) {
  case 1: read_offsets<std::uint8_t>(p, data, out); return true;
  case 2: read_offsets<std::uint16_t>(p, data, out); return true;
  case 4: read_offsets<std::uint32_t>(p, data, out); return true;
  case 8: read_offsets<u64>(p, data, out); return true;
  default: return false;
  }
}

bool unpack(const packing& p, const std::uint8_t* data, std::span<std::uint32_t> out, std::uint32_t limit) noexcept {
  if (out.empty())
    return p.enc == encoding::constant;
  if (p.base < 0 || p.base > std::int64_t{limit})
    return false;
  const auto base = static_cast<std::uint32_t>(p.base);
  switch (p.enc) {
  case encoding::constant: std::fill(out.begin(), out.end(), base); return true;
  case encoding::step: {
    // The ends are in range and the step is constant, so everything between is.
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    if (p.scale < -most || p.scale > most || out.size() > (std::size_t{1} << 30))
      return false;
    const std::int64_t last = p.base + p.scale * static_cast<std::int64_t>(out.size() - 1);
    if (last < 0 || last > std::int64_t{limit})
      return false;
    const auto scale = static_cast<std::uint32_t>(p.scale);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = base + scale * static_cast<std::uint32_t>(i);
    return true;
  }
  case encoding::packed: break;
  default: return false;
  }
  if (p.scale != 1)
    return false;
  switch (p.width) {
  case 1: return read_codes<std::uint8_t>(base, data, out, limit);
  case 2: return read_codes<std::uint16_t>(base, data, out, limit);
  case 4: return read_codes<std::uint32_t>(base, data, out, limit);
  default: return false;
  }
}

bool unpack(const packing& p, const std::uint8_t* data, std::span<double> out) noexcept {
  if (p.enc == encoding::constant) {
    std::fill(out.begin(), out.end(), std::bit_cast<double>(p.base));
    return true;
  }
  if (p.enc != encoding::raw)
    return false;
  if (!out.empty())
    std::memcpy(out.data(), data, out.size_bytes());
  return true;
}

bool unpack(const packing& p, const std::uint8_t* data, std::span<std::uint8_t> out) noexcept {
  if (p.enc == encoding::constant) {
    std::fill(out.begin(), out.end(), static_cast<std::uint8_t>(p.base != 0 ? 1 : 0));
    return p.base == 0 || p.base == 1;
  }
  if (p.enc != encoding::bits)
    return false;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>((data[i / 8] >> (i % 8)) & 1U);
  return true;
}

} // namespace millrace::pack
