// SPDX-License-Identifier: Apache-2.0
/// @file
/// How the columns of a frame become small: integers relative to a base, at a scale, in as few bytes as
/// do. Internal to the frame codec; the encodings are part of the wire format (docs/adr/0002-frames.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::pack {

/// Values are part of the wire format: append only.
enum class encoding : std::uint8_t {
  /// Every value is `base`; no data.
  constant = 0,
  /// Value i is base + i * scale; no data.
  step = 1,
  /// Value i is base + scale * u, u being `width` bytes (1, 2, 4, 8), little-endian.
  packed = 2,
  /// Eight bytes a value, as they are: doubles.
  raw = 3,
  /// One bit a value, least significant first: booleans.
  bits = 4,
  /// The values of the section's `time`; no data.
  event_time = 5,
};

struct packing {
  std::int64_t base = 0;
  std::int64_t scale = 0;
  encoding enc = encoding::constant;
  std::uint8_t width = 0;
};

/// Bytes of data that `rows` values take, whatever the packing claims; the decoder compares.
std::size_t data_bytes(const packing& p, std::size_t rows) noexcept;

/// Packs integers into `out`, which has room for 8 bytes a value; all arithmetic is modulo 2^64.
packing pack_integers(std::span<const std::int64_t> values, std::uint8_t* out) noexcept;
/// The same for codes, lengths and shards; 4 bytes a value.
packing pack_integers(std::span<const std::uint32_t> values, std::uint8_t* out) noexcept;
/// Doubles by their bits: constant, or raw.
packing pack_doubles(std::span<const double> values, std::uint8_t* out) noexcept;
/// Bytes that count as true when not 0: constant, or bits. `out` has room for a byte a value.
packing pack_bools(std::span<const std::uint8_t> values, std::uint8_t* out) noexcept;

/// Reads what `pack_integers` wrote. `data` holds `data_bytes(p, out.size())` bytes. False: unknown packing.
[[nodiscard]] bool unpack(const packing& p, const std::uint8_t* data, std::span<std::int64_t> out) noexcept;
/// False: unknown packing, or a value above `limit`.
[[nodiscard]] bool unpack(const packing& p, const std::uint8_t* data, std::span<std::uint32_t> out,
                          std::uint32_t limit) noexcept;
[[nodiscard]] bool unpack(const packing& p, const std::uint8_t* data, std::span<double> out) noexcept;
[[nodiscard]] bool unpack(const packing& p, const std::uint8_t* data, std::span<std::uint8_t> out) noexcept;

} // namespace millrace::pack
