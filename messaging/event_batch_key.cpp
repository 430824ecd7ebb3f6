// SPDX-License-Identifier: Apache-2.0
// Canonical keys, one column after the other: a tag (0 null, else data_type + 1), then bool 1 byte; numbers
// 8 bytes little-endian (doubles with one zero and one NaN, for equal values must be equal bytes); texts a
// length of 4 bytes little-endian and the bytes. Part of the wire contract: never change it.
#define XXH_INLINE_ALL
#include "messaging/event_batch.hpp"

#include <bit>
#include <cstring>
#include <xxhash.h>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "wire formats are written as the machine holds them");

constexpr std::uint64_t canonical_nan = 0x7FF8000000000000ULL;

template <class T>
void append_raw(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof raw);
}

std::uint64_t canonical_bits(double value) noexcept {
  if (value == 0.0)
    return 0;
  return value != value ? canonical_nan : std::bit_cast<std::uint64_t>(value);
}

void append_text_key(std::string& out, data_type type, std::string_view text) {
  out.push_back(static_cast<char>(static_cast<int>(type) + 1));
  append_raw(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

void append_column_key(std::string& out, const column& c, std::size_t row) {
  if (c.is_null(row)) {
    out.push_back('\0');
    return;
  }
  if (is_text(c.type)) {
    append_text_key(out, c.type, c.text(row));
    return;
  }
  out.push_back(static_cast<char>(static_cast<int>(c.type) + 1));
  if (c.type == data_type::boolean)
    out.push_back(c.b8[row] != 0 ? '\1' : '\0');
  else if (c.type == data_type::float64)
    append_raw(out, canonical_bits(c.f64[row]));
  else
    append_raw(out, c.i64[row]);
}

/// One text column whose values repeat: one hash per dictionary entry.
void partition_text(const column& c, std::size_t rows, std::uint32_t partitions, std::vector<std::uint32_t>& out) {
  std::string key;
  std::vector<std::uint32_t> of_code(c.dict->size());
  for (std::uint32_t code = 0; code < of_code.size(); ++code) {
    key.clear();
    append_text_key(key, c.type, (*c.dict)[code]);
    of_code[code] = partition_of(key, partitions);
  }
  const std::uint32_t of_null = partition_of(std::string_view{"\0", 1}, partitions);
  if (!c.has_nulls()) {
    for (std::size_t row = 0; row < rows; ++row)
      out[row] = of_code[c.codes[row]];
    return;
  }
  for (std::size_t row = 0; row < rows; ++row)
    out[row] = c.is_null(row) ? of_null : of_code[c.codes[row]];
}

} // namespace

void append_key(std::string& out, const event_batch& in, std::span<const std::size_t> columns, std::size_t row) {
  for (const std::size_t i : columns)
    append_column_key(out, in.columns[i], row);
}

std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) noexcept {
  if (partitions <= 1)
    return 0;
  return static_cast<std::uint32_t>(XXH3_64bits(key.data(), key.size()) % partitions);
}

void partition_rows(const event_batch& in, std::span<const std::size_t> key_columns, std::uint32_t partitions,
                    std::vector<std::uint32_t>& out) {
  out.assign(in.rows, 0);
  if (partitions <= 1 || in.rows == 0)
    return;
  if (key_columns.empty()) {
    out.assign(in.rows, partition_of({}, partitions));
    return;
  }
  const column& first = in.columns[key_columns.front()];
  if (key_columns.size() == 1 && is_text(first.type) && first.dict && first.dict->size() <= in.rows) {
    partition_text(first, in.rows, partitions, out);
    return;
  }
  std::string key;
  for (std::size_t row = 0; row < in.rows; ++row) {
    key.clear();
    append_key(key, in, key_columns, row);
    out[row] = partition_of(key, partitions);
  }
}

} // namespace millrace
