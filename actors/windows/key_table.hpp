// SPDX-License-Identifier: Apache-2.0
/// @file
/// The keys of one window definition as small dense ids: what they were (for results) and how many cells they have.
/// A key without cells keeps its id until `sweep`, so ids remembered during a batch stay good.
///
/// A key is kept once, as its canonical bytes, and the index holds ids only: JSON text and column values are made from
/// the bytes when a result is written. So ten million keys fit in memory.
#pragma once

#include "actors/windows/aggregate.hpp"
#include "actors/windows/window_plan.hpp"

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::windows {

using key_id = std::uint32_t;
inline constexpr key_id no_key = 0xFFFFFFFFU;

/// Makes room for `n` elements; large vectors grow by an eighth, for a doubled one would be half empty.
template <class T>
void grow_to(std::vector<T>& v, std::size_t n) {
  constexpr std::size_t large = 1U << 16;
  if (n > v.capacity())
    v.reserve(n < large ? 2 * n : n + n / 8);
}

/// Bytes that a block of `n` takes from the allocator.
constexpr std::size_t block_bytes(std::size_t n) noexcept { return n <= 24 ? 32 : (n + 8 + 15) / 16 * 16; }

/// A key's place. Trivial, so that the table can grow by copying; the table frees the text.
struct key_entry {
  std::uint32_t cells = 0;
  std::uint32_t size = 0;

  /// `append_key` of the fields.
  std::string_view canonical() const noexcept { return {size <= sizeof near ? near : far(), size}; }
  char* far() const noexcept {
    char* p = nullptr;
    std::memcpy(&p, near, sizeof p);
    return p;
  }

  /// The bytes, or where they are.
  char near[16] = {};
};

/// Not thread-safe.
class key_table {
public:
  key_table(const window_plan& w, const schema& input);
  ~key_table();
  key_table(const key_table&) = delete;
  key_table& operator=(const key_table&) = delete;

  /// Prepares `id_of` for the rows of a batch, which must outlive the calls.
  void begin(const event_batch& batch);
  /// The key of a row; new keys get an id. A text column costs a hash per distinct text of the batch.
  /// A number that came lately costs none.
  key_id id_of(std::uint32_t row) {
    if (memo_column_ != nullptr && !memo_column_->is_null(row)) {
      auto& id = memo_[memo_column_->codes[row]];
      if (id == no_key)
        id = find_or_add(row);
      return id;
    }
    if (number_column_ != nullptr && !number_column_->is_null(row))
      return id_of_number(row);
    return keyless_ ? keyless_id(row) : find_or_add(row);
  }
  /// Forgets keys without cells that were touched since the last call.
  void sweep();

  key_entry& operator[](key_id id) { return entries_[id]; }
  const key_entry& operator[](key_id id) const { return entries_[id]; }
  /// Ids ever given: bound for vectors indexed by id.
  std::size_t capacity() const noexcept { return entries_.size(); }
  /// Keys with cells.
  std::size_t live() const noexcept { return live_; }
  /// Bytes of the keys with cells.
  std::size_t bytes() const noexcept { return bytes_; }

  /// Counts cells of a key.
  void add_cell(key_id id);
  void remove_cell(key_id id);

  /// Sets columns `first`... of the row under way to the key's fields.
  void write(key_id id, batch_builder& out, std::size_t first) const;
  /// Appends the key as JSON text, the order of results.
  void append_json(key_id id, std::string& out) const;
  /// Ids of the keys with cells, ordered by canonical key.
  std::vector<key_id> sorted() const;
  void save(key_id id, binary_writer& out) const;
  /// Adds a key, none when the reader failed or the key is there already.
  key_id load(binary_reader& in);

private:
  struct hash_of {
    using is_transparent = void;
    const key_table* table;
    std::size_t operator()(key_id id) const { return (*this)(table->entries_[id].canonical()); }
    std::size_t operator()(std::string_view key) const { return absl::HashOf(key); }
  };
  struct equal_to {
    using is_transparent = void;
    const key_table* table;
    bool operator()(key_id a, key_id b) const { return a == b; }
    bool operator()(std::string_view a, key_id b) const { return a == table->entries_[b].canonical(); }
    bool operator()(key_id a, std::string_view b) const { return (*this)(b, a); }
  };

  key_id find_or_add(std::uint32_t row);
  key_id keyless_id(std::uint32_t row) {
    if (keyless_key_ == no_key)
      keyless_key_ = find_or_add(row);
    return keyless_key_;
  }
  key_id id_of_number(std::uint32_t row) {
    const auto number = number_column_->i64[row];
    auto& known = numbers_[(static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15ULL) >> (64 - number_bits)];
    if (known.id == no_key || known.number != number)
      known = known_number{number, find_or_add(row)};
    return known.id;
  }
  key_id add(std::string_view canonical);
  /// Whether the bytes can be a key of these columns.
  bool fits(std::string_view canonical) const;
  static std::size_t bytes_of(const key_entry& e) noexcept;

  const window_plan& plan_;
  const schema& input_;
  std::vector<key_entry> entries_;
  std::vector<key_id> free_;
  /// Keys that may have no cells.
  std::vector<key_id> idle_;
  absl::flat_hash_set<key_id, hash_of, equal_to> ids_;
  std::size_t live_ = 0;
  std::size_t bytes_ = 0;

  const event_batch* batch_ = nullptr;
  const column* memo_column_ = nullptr;
  std::vector<key_id> memo_;
  /// Keys of one number: those seen last, by their hash.
  struct known_number {
    std::int64_t number = 0;
    key_id id = no_key;
  };
  static constexpr unsigned number_bits = 12;
  const column* number_column_ = nullptr;
  std::vector<known_number> numbers_;
  bool keyless_ = false;
  key_id keyless_key_ = no_key;
  std::string scratch_;
};

} // namespace millrace::windows
