// SPDX-License-Identifier: Apache-2.0
/// @file
/// What stands before a frame's FlatBuffer: magic, version, checksum of the rest; little-endian. Internal to
/// the frame codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::envelope {

inline constexpr std::string_view magic = "MRF1";
inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t version_at = 4;
inline constexpr std::size_t checksum_at = 8;
inline constexpr std::size_t size = 16;

/// XXH3-64.
std::uint64_t checksum_of(const void* body, std::size_t size) noexcept;

/// No section has more rows: bounds what a few bytes of constant columns may expand to.
inline constexpr std::size_t max_rows = std::size_t{1} << 20;
inline constexpr std::size_t max_columns = 4096;

} // namespace millrace::envelope
