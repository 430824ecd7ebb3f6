// SPDX-License-Identifier: Apache-2.0
/// @file
/// The batch that a decoder fills: columns that grow in steps, written by row index, so that one row costs no
/// allocation, and a text column that gives codes without allocating.
#pragma once

#include "messaging/event_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::codec {

/// Bytes that must be readable (not meaningful) behind every text that is handed to a `text_collector`.
inline constexpr std::size_t text_slack = 16;

namespace detail {

inline std::uint64_t load64(const char* p) noexcept {
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// The first n bytes (of 8) of a little-endian word.
inline std::uint64_t keep_low(std::uint64_t word, std::size_t n) noexcept {
  return n >= 8 ? word : word & ((std::uint64_t{1} << (8 * n)) - 1);
}

/// The first n bytes at p in a word, the rest zero; reads 8.
inline std::uint64_t load_low(const char* p, std::size_t n) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return keep_low(load64(p), n);
#else
  std::uint64_t v = 0;
  std::memcpy(&v, p, n < 8 ? n : 8);
  return v;
#endif
}

/// Equality of two texts of n bytes, both with slack behind them. Without branches on n up to 16: the lengths of
/// neighbouring values differ at random.
inline bool equal_with_slack(const char* a, const char* b, std::size_t n) noexcept {
  if (n <= 16) {
    const std::size_t high = n > 8 ? n - 8 : 0;
    return ((load_low(a, n) ^ load_low(b, n)) | (load_low(a + 8, high) ^ load_low(b + 8, high))) == 0;
  }
  std::uint64_t difference = load64(a + n - 8) ^ load64(b + n - 8);
  for (std::size_t i = 0; i + 8 <= n; i += 8)
    difference |= load64(a + i) ^ load64(b + i);
  return difference == 0;
}

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Only places texts in the table below; codes follow first appearance, so no output depends on it.
inline std::uint64_t hash_with_slack(const char* p, std::size_t n) noexcept {
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15U;
  constexpr std::uint64_t k1 = 0xe7037ed1a0b428dbU;
  if (n <= 16)
    return mix(load_low(p, n) ^ k0, load_low(p + 8, n > 8 ? n - 8 : 0) ^ (n + k1));
  // The products do not wait for each other.
  std::uint64_t h = mix(load64(p + n - 16) ^ k1, load64(p + n - 8) ^ n);
  for (std::size_t i = 0; i + 16 < n; i += 16)
    h += mix(load64(p + i) ^ (k0 + i), load64(p + i + 8) ^ k1);
  return h ^ (h >> 29);
}

} // namespace detail

/// Distinct texts of one column and their codes, like `dictionary_builder`, but for the hot path: texts have
/// slack behind them; a dictionary that serves the batch after it as well is handed out again (who looks up its
/// entries can then remember what he found); and a column in which almost every text is new is not searched for
/// repetitions (the dictionary then says that it is not unique). So codes depend on what came before, values do not.
class text_collector {
public:
  text_collector();

  std::uint32_t code(std::string_view text) {
    if (appending_)
      return append(text);
    const std::uint64_t hash = detail::hash_with_slack(text.data(), text.size());
    const auto tag = static_cast<std::uint32_t>(hash >> 32) | 1U;
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const slot& s = slots_[at];
      if (s.tag == tag && s.length == text.size() &&
          detail::equal_with_slack(bytes_.data() + s.from, text.data(), text.size()))
        return s.code;
      if (s.tag == 0)
        return insert(text, tag, at);
    }
  }
  std::size_t size() const noexcept { return count_; }
  /// Told once in a while how many rows the column has: decides whether to search on for repetitions.
  void note_rows(std::size_t rows) noexcept {
    if (rows >= 1024 && new_texts() > rows - rows / 32) {
      appending_ = true;
      unique_ = false;
    }
  }
  /// Hands out the texts for a batch of `rows` rows, and begins the next one.
  dictionary_ptr finish(std::size_t rows);

private:
  struct slot {
    /// High half of the hash, made odd; 0: free.
    std::uint32_t tag = 0;
    std::uint32_t code = 0;
    std::uint32_t from = 0;
    std::uint32_t length = 0;
  };

  std::uint32_t append(std::string_view text) {
    const std::size_t end = used_ + text.size();
    if (end + text_slack > bytes_.size() || count_ + 1 >= offsets_.size()) [[unlikely]]
      make_room(end + text_slack);
    char* to = bytes_.data() + used_;
    const char* from = text.data();
    // Both have slack, so whole words can be copied.
    for (std::size_t i = 0; i < text.size(); i += text_slack)
      std::memcpy(to + i, from + i, text_slack);
    used_ = end;
    offsets_[++count_] = static_cast<std::uint32_t>(end);
    return static_cast<std::uint32_t>(count_ - 1);
  }
  std::uint32_t insert(std::string_view text, std::uint32_t tag, std::size_t at);
  void make_room(std::size_t least_bytes);
  void grow_slots();
  void clear();
  std::size_t new_texts() const noexcept { return count_ - (last_ ? last_->size() : 0); }

  std::vector<slot> slots_;
  std::size_t mask_ = 0;
  bool slots_used_ = false;
  /// Texts are not looked up.
  bool appending_ = false;
  /// Batches for which that still holds, before looking again whether it is right.
  unsigned appending_batches_ = 0;
  bool unique_ = true;
  /// Kept from batch to batch, for their memory; `used_` bytes and `count_` + 1 offsets count.
  std::vector<char> bytes_;
  std::size_t used_ = 0;
  std::vector<std::uint32_t> offsets_;
  std::size_t count_ = 0;
  /// What was handed out last, while its entries are still the first ones here.
  dictionary_ptr last_;
};

/// The rows under construction. Values are set at `row()`, then `commit` makes the row count or `discard` makes it
/// as if it had never been begun. Texts are only noted by `set_text`: their codes are made by `commit`, so that
/// discarded rows leave nothing in a dictionary.
class row_sink {
public:
  explicit row_sink(schema_ptr layout);

  std::size_t row() const noexcept { return batch_.rows; }
  const schema_ptr& layout() const noexcept { return batch_.layout; }

  void set_bool(std::size_t c, bool v) noexcept { batch_.columns[c].b8[batch_.rows] = v ? 1 : 0; }
  void set_int(std::size_t c, std::int64_t v) noexcept { batch_.columns[c].i64[batch_.rows] = v; }
  void set_double(std::size_t c, double v) noexcept { batch_.columns[c].f64[batch_.rows] = v; }
  /// `v` has `text_slack` readable bytes behind it and lives until the row is committed. Once per row and column.
  void set_text(std::size_t c, std::string_view v) noexcept { staged_[staged_count_++] = {c, v}; }
  void set_null(std::size_t c);
  void discard();
  void commit(nanoseconds_t time, std::int64_t position, std::uint32_t shard) {
    for (std::size_t i = 0; i < staged_count_; ++i) {
      const auto& [c, text] = staged_[i];
      batch_.columns[c].codes[batch_.rows] = texts_[c].code(text);
    }
    staged_count_ = 0;
    batch_.time[batch_.rows] = time;
    batch_.position[batch_.rows] = position;
    batch_.shard[batch_.rows] = shard;
    if (++batch_.rows == capacity_)
      grow();
  }
  event_batch finish();

private:
  void grow();
  void resize(std::size_t rows);

  event_batch batch_;
  std::vector<text_collector> texts_;
  std::vector<std::pair<std::size_t, std::string_view>> staged_;
  std::size_t staged_count_ = 0;
  std::size_t capacity_ = 0;
};

} // namespace millrace::codec
