// SPDX-License-Identifier: Apache-2.0
/// @file
/// The keys of one window definition as small dense ids: what they were (for results) and how many cells they have.
/// A key without cells keeps its id until `sweep`, so ids remembered during a batch stay good.
#pragma once

#include "actors/windows/aggregate.hpp"
#include "actors/windows/window_plan.hpp"

#include <absl/container/flat_hash_map.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace millrace::windows {

using key_id = std::uint32_t;
inline constexpr key_id no_key = 0xFFFFFFFFU;

/// A key field's value: null, bool, int64 (int, timestamp, duration), uint64, double, text.
using key_value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;

struct key_entry {
  /// `append_key` of the fields.
  std::string canonical;
  /// The key as JSON text, the order of results.
  std::string json;
  std::vector<key_value> values;
  std::uint32_t cells = 0;
};

/// Not thread-safe.
class key_table {
public:
  key_table(const window_plan& w, const schema& input);

  /// Prepares `id_of` for the rows of a batch, which must outlive the calls.
  void begin(const event_batch& batch);
  /// The key of a row; new keys get an id. A text column costs a hash per distinct text of the batch.
  key_id id_of(std::uint32_t row) {
    if (memo_column_ != nullptr && !memo_column_->is_null(row)) {
      auto& id = memo_[memo_column_->codes[row]];
      if (id == no_key)
        id = find_or_add(row);
      return id;
    }
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
  /// Approximate bytes of the keys with cells.
  std::size_t bytes() const noexcept { return bytes_; }

  /// Counts cells of a key.
  void add_cell(key_id id);
  void remove_cell(key_id id);

  /// Sets columns `first`... of the row under way to the key's fields.
  void write(key_id id, batch_builder& out, std::size_t first) const;
  /// Ids of the keys with cells, ordered by canonical key.
  std::vector<key_id> sorted() const;
  void save(key_id id, binary_writer& out) const;
  /// Adds a key, none when the reader failed or the key is there already.
  key_id load(binary_reader& in);

private:
  key_id find_or_add(std::uint32_t row);
  key_id keyless_id(std::uint32_t row) {
    if (keyless_key_ == no_key)
      keyless_key_ = find_or_add(row);
    return keyless_key_;
  }
  key_id add(key_entry entry);
  static std::size_t bytes_of(const key_entry& e) noexcept;

  const window_plan& plan_;
  const schema& input_;
  std::vector<key_entry> entries_;
  std::vector<key_id> free_;
  /// Keys that may have no cells.
  std::vector<key_id> idle_;
  absl::flat_hash_map<std::string, key_id> ids_;
  std::size_t live_ = 0;
  std::size_t bytes_ = 0;

  const event_batch* batch_ = nullptr;
  const column* memo_column_ = nullptr;
  std::vector<key_id> memo_;
  bool keyless_ = false;
  key_id keyless_key_ = no_key;
  std::string scratch_;
};

} // namespace millrace::windows
