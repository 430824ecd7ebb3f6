// SPDX-License-Identifier: Apache-2.0
// dictionary_builder: open addressing with linear probing. A slot belongs to the present contents only if it
// carries the present generation, so starting anew costs nothing, however large the table has grown.
#define XXH_INLINE_ALL
#include "messaging/event_batch.hpp"

#include <bit>
#include <cstring>
#include <xxhash.h>

namespace millrace {
namespace {

constexpr std::size_t initial_slots = 64;

std::uint64_t load8(const char* p) noexcept {
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::uint64_t load4(const char* p) noexcept {
  std::uint32_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a ^ 0x9E3779B97F4A7C15ULL) * (b ^ 0xD6E8FEB86659FD93ULL);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Only places codes in the table: it reaches no output, so it may differ between machines.
std::uint32_t hash_text(std::string_view text) noexcept {
  const std::size_t n = text.size();
  const char* p = text.data();
  std::uint64_t h = 0;
  if (n > 16) {
    h = XXH3_64bits(p, n);
  } else if (n >= 8) {
    h = mix(load8(p) ^ n, load8(p + n - 8));
  } else if (n >= 4) {
    h = mix(load4(p) ^ n, load4(p + n - 4));
  } else if (n > 0) {
    const auto at = [p](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])); };
    h = mix(at(0) | at(n / 2) << 8 | at(n - 1) << 16, n);
  }
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

} // namespace

dictionary_builder::dictionary_builder() : slots_(initial_slots), offsets_(1, 0) {}

std::uint32_t dictionary_builder::code(std::string_view text) {
  const std::uint32_t hash = hash_text(text);
  std::size_t mask = slots_.size() - 1;
  std::size_t i = hash & mask;
  for (; slots_[i].generation == generation_; i = (i + 1) & mask) {
    const slot& s = slots_[i];
    if (s.hash != hash)
      continue;
    const std::uint32_t first = offsets_[s.code];
    const std::size_t length = offsets_[s.code + 1] - first;
    if (length == text.size() && (length == 0 || std::memcmp(bytes_.data() + first, text.data(), length) == 0))
      return s.code;
  }
  const auto code = static_cast<std::uint32_t>(size());
  slots_[i] = {hash, generation_, code};
  bytes_.append(text);
  offsets_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  if (size() * 2 > slots_.size())
    grow();
  return code;
}

void dictionary_builder::grow() {
  std::vector<slot> bigger(slots_.size() * 2);
  const std::size_t mask = bigger.size() - 1;
  for (const slot& s : slots_) {
    if (s.generation != generation_)
      continue;
    std::size_t i = s.hash & mask;
    while (bigger[i].generation == generation_)
      i = (i + 1) & mask;
    bigger[i] = s;
  }
  slots_ = std::move(bigger);
}

dictionary_ptr dictionary_builder::finish() {
  const std::size_t bytes = bytes_.size();
  const std::size_t entries = offsets_.size();
  auto done = std::make_shared<const dictionary>(std::move(bytes_), std::move(offsets_), true);
  bytes_ = std::string{};
  offsets_ = std::vector<std::uint32_t>{};
  // The next batch of a stream looks like this one.
  bytes_.reserve(bytes);
  offsets_.reserve(entries);
  offsets_.push_back(0);
  if (++generation_ == 0) {
    slots_.assign(slots_.size(), slot{});
    generation_ = 1;
  }
  return done;
}

} // namespace millrace
