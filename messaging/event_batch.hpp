// SPDX-License-Identifier: Apache-2.0
/// @file
/// Events as typed columns: what every processor reads and writes. One batch holds rows of one
/// schema, each with an envelope (event time, watermark, position, shard).
///
/// Thread-safety: a batch has one owner; dictionaries are shared and immutable.
#pragma once

#include "messaging/schema.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Event time and watermarks: nanoseconds since the epoch, UTC.
using nanoseconds_t = std::int64_t;

/// A watermark that is not known yet: nothing may close.
inline constexpr nanoseconds_t no_watermark = std::numeric_limits<nanoseconds_t>::min();
/// The watermark of a source that has ended: everything may close.
inline constexpr nanoseconds_t end_watermark = std::numeric_limits<nanoseconds_t>::max();

/// The distinct values of a text column. Code i stands for value i. Values need not be unique
/// (concatenation does not compare), so compare texts, not codes, across rows when `unique()` is false.
class dictionary {
public:
  dictionary() : offsets_(1, 0) {}
  /// @param offsets n + 1 ascending offsets into `bytes`, starting at 0.
  dictionary(std::string bytes, std::vector<std::uint32_t> offsets, bool unique)
    : bytes_{std::move(bytes)}, offsets_{std::move(offsets)}, unique_{unique} {}

  std::size_t size() const noexcept { return offsets_.size() - 1; }
  std::string_view operator[](std::uint32_t code) const noexcept {
    return {bytes_.data() + offsets_[code], offsets_[code + 1] - offsets_[code]};
  }
  bool unique() const noexcept { return unique_; }
  std::string_view bytes() const noexcept { return bytes_; }
  std::span<const std::uint32_t> offsets() const noexcept { return offsets_; }

private:
  std::string bytes_;
  std::vector<std::uint32_t> offsets_;
  bool unique_ = true;
};

using dictionary_ptr = std::shared_ptr<const dictionary>;

/// Collects distinct texts and gives each a code. Not thread-safe.
class dictionary_builder {
public:
  dictionary_builder();
  /// The code of `text`, added if new. Amortised constant; no allocation for a known text.
  std::uint32_t code(std::string_view text);
  std::size_t size() const noexcept { return offsets_.size() - 1; }
  std::size_t byte_size() const noexcept { return bytes_.size(); }
  /// Hands out what was collected and starts anew.
  dictionary_ptr finish();

private:
  void grow();

  struct slot {
    std::uint32_t hash = 0;
    std::uint32_t generation = 0;
    std::uint32_t code = 0;
  };
  std::vector<slot> slots_;
  std::uint32_t generation_ = 1;
  std::string bytes_;
  std::vector<std::uint32_t> offsets_;
};

/// One column. Exactly one of the value vectors is used, chosen by `type`:
/// `b8` boolean; `i64` int64, timestamp, duration, and uint64 (as its bit pattern); `f64` float64;
/// `codes` + `dict` the text types. The value at a null row is unspecified but present (codes: any
/// valid code or, in an empty dictionary, 0: look at the null first).
struct column {
  data_type type = data_type::int64;
  std::vector<std::uint8_t> b8;
  std::vector<std::int64_t> i64;
  std::vector<double> f64;
  std::vector<std::uint32_t> codes;
  dictionary_ptr dict;
  /// Bit set = null. Empty means that no row is null; otherwise (rows + 63) / 64 words.
  std::vector<std::uint64_t> nulls;

  column() = default;
  explicit column(data_type t) : type{t} {}

  std::size_t size() const noexcept;
  bool has_nulls() const noexcept { return !nulls.empty(); }
  bool is_null(std::size_t row) const noexcept { return !nulls.empty() && ((nulls[row >> 6] >> (row & 63)) & 1U) != 0; }
  /// Marks `row` of a column with `rows` rows as null.
  void set_null(std::size_t row, std::size_t rows);
  std::string_view text(std::size_t row) const noexcept { return (*dict)[codes[row]]; }
  std::uint64_t u64(std::size_t row) const noexcept { return static_cast<std::uint64_t>(i64[row]); }
};

/// Bits of `event_batch::position`: place in the source (stream sequence, byte offset) and the index
/// of the event inside that message.
inline constexpr unsigned position_index_bits = 20;
constexpr std::int64_t make_position(std::uint64_t place, std::uint32_t index) noexcept {
  return static_cast<std::int64_t>((place << position_index_bits) | index);
}
constexpr std::uint64_t position_place(std::int64_t position) noexcept {
  return static_cast<std::uint64_t>(position) >> position_index_bits;
}
constexpr std::uint32_t position_index(std::int64_t position) noexcept {
  return static_cast<std::uint32_t>(position & ((std::int64_t{1} << position_index_bits) - 1));
}

/// Rows of one schema. Invariant: every column and every envelope vector has `rows` entries.
struct event_batch {
  schema_ptr layout;
  std::size_t rows = 0;
  std::vector<column> columns;
  /// Event time, nanoseconds.
  std::vector<std::int64_t> time;
  /// For an event: its shard's watermark before it (rule 1.9). For a derived record (window result,
  /// alert): the smallest watermark at which it is due, which orders records whatever the chunking.
  std::vector<std::int64_t> watermark;
  /// `make_position(place, index)`.
  std::vector<std::int64_t> position;
  /// Index of the source shard in the pipeline's list of shards.
  std::vector<std::uint32_t> shard;

  /// An empty batch with one (empty) column per field of `s`.
  static event_batch make(schema_ptr s);

  const column* find(std::string_view name) const noexcept;
};

/// The rows named by `rows`, in that order. Dictionaries are shared, not copied.
event_batch take(const event_batch& in, std::span<const std::uint32_t> rows);
/// One column's rows named by `rows`.
column take(const column& in, std::span<const std::uint32_t> rows);
/// Rows [first, last).
event_batch slice(const event_batch& in, std::size_t first, std::size_t last);
/// Appends the rows of `in` (same schema) to `out`; dictionaries are merged.
void append(event_batch& out, const event_batch& in);

/// Appends single values; for low-rate records (window results, alerts) and tests. Not thread-safe.
class batch_builder {
public:
  explicit batch_builder(schema_ptr s);

  void set_bool(std::size_t column, bool value);
  void set_int(std::size_t column, std::int64_t value); ///< int64, timestamp, duration
  void set_uint(std::size_t column, std::uint64_t value);
  void set_double(std::size_t column, double value);
  void set_text(std::size_t column, std::string_view value);
  /// Ends the row; columns not set are null.
  void finish_row(nanoseconds_t time, nanoseconds_t watermark, std::int64_t position, std::uint32_t shard);

  std::size_t rows() const noexcept { return batch_.rows; }
  /// Approximate encoded size, for cutting frames.
  std::size_t byte_size() const noexcept { return bytes_; }
  /// Hands out the rows and starts anew.
  event_batch finish();

private:
  event_batch batch_;
  std::vector<dictionary_builder> texts_;
  std::vector<std::uint8_t> set_;
  std::size_t bytes_ = 0;
};

/// A canonical, self-delimiting encoding of some columns of one row, equal for equal values whatever
/// the batch: the key of keyed state and the input of `partition_of`. Appends to `out`.
void append_key(std::string& out, const event_batch& in, std::span<const std::size_t> columns, std::size_t row);
/// The partition of a canonical key: XXH3-64 modulo `partitions`. Part of the wire contract.
std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) noexcept;
/// `partition_of` for every row; texts are hashed once per dictionary entry where one text column is the key.
void partition_rows(const event_batch& in, std::span<const std::size_t> key_columns, std::uint32_t partitions,
                    std::vector<std::uint32_t>& out);

} // namespace millrace
