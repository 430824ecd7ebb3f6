// SPDX-License-Identifier: Apache-2.0
#define XXH_INLINE_ALL
#include "messaging/frame.hpp"
#include "messaging/frame_envelope.hpp"

#include <algorithm>
#include <cstring>
#include <xxhash.h>

namespace millrace {
namespace {

// What tables, vtables, lengths and alignment take, rounded up.
constexpr std::size_t batch_overhead = 512;
constexpr std::size_t column_overhead = 160;

std::size_t code_width(std::size_t entries) noexcept { return entries <= 0x100 ? 1 : entries <= 0x1'0000 ? 2 : 4; }

/// The encoder writes only the entries in use, so both the whole dictionary and the sum over the rows are bounds.
std::size_t estimate_text(const column& c, std::size_t rows) noexcept {
  if (!c.dict || c.dict->size() == 0)
    return 0;
  const dictionary& d = *c.dict;
  const std::size_t entries = std::min(d.size(), rows);
  std::size_t bytes = d.bytes().size();
  if (bytes > 8 * rows) {
    std::size_t sum = 0;
    for (const std::uint32_t code : c.codes)
      sum += d.offsets()[code + 1] - d.offsets()[code];
    bytes = std::min(bytes, sum);
  }
  return bytes + entries * 4 + rows * code_width(entries);
}

} // namespace

ledger& operator+=(ledger& a, const ledger& b) noexcept {
  a.in += b.in;
  a.forwarded += b.forwarded;
  a.absorbed += b.absorbed;
  a.retired += b.retired;
  a.filtered += b.filtered;
  a.duplicate += b.duplicate;
  a.late += b.late;
  a.rejected += b.rejected;
  a.skipped += b.skipped;
  return a;
}

std::size_t estimate_bytes(const event_batch& b) noexcept {
  std::size_t bytes = batch_overhead + b.rows * (3 * sizeof(std::int64_t) + sizeof(std::uint32_t));
  for (std::size_t i = 0; i < b.columns.size(); ++i) {
    const column& c = b.columns[i];
    bytes += column_overhead + c.nulls.size() * sizeof(std::uint64_t);
    if (b.layout && i < b.layout->size())
      bytes += (*b.layout)[i].name.size();
    if (is_text(c.type))
      bytes += estimate_text(c, b.rows);
    else
      bytes += c.type == data_type::boolean ? b.rows / 8 + 1 : b.rows * 8;
  }
  return bytes;
}

std::uint64_t frame_checksum(std::string_view bytes) noexcept {
  if (bytes.size() < envelope::size || bytes.substr(0, envelope::magic.size()) != envelope::magic)
    return 0;
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + envelope::checksum_at, sizeof checksum);
  return checksum;
}

std::uint64_t envelope::checksum_of(const void* body, std::size_t length) noexcept { return XXH3_64bits(body, length); }

} // namespace millrace
