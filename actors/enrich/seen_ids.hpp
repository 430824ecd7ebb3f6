// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which ids were accepted at which event times, as long as a duplicate of them can still come. Exact: it compares the
/// ids' own bytes, a hash only finds them.
///
/// Event time is cut into cells of `within` + 1 ns. Two accepted times of one id are further apart than `within`, so a
/// cell holds an id at most once, and what is close to a time stands in its cell or in a neighbour. Forgetting drops
/// whole cells.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"

#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::enrich {

/// Not thread-safe.
class seen_ids {
public:
  explicit seen_ids(nanoseconds_t within) : within_{within} {}

  /// An id's canonical bytes with their hash.
  struct probe {
    std::string_view bytes;
    std::uint64_t hash = 0;
  };
  static std::uint64_t hash_of(std::string_view bytes) noexcept;

  /// Begins to load what `contains` will look at.
  void prefetch(const probe& id, nanoseconds_t time);
  /// Whether `id` was accepted at most `within` before or after `time`.
  bool contains(const probe& id, nanoseconds_t time);
  /// Accepts an id that `contains` did not find. False: there are more ids in one cell than can be addressed.
  bool insert(const probe& id, nanoseconds_t time);
  /// Forgets cells none of whose ids can be that of a duplicate: one must be younger than `watermark` - `within` to be
  /// judged at all, and at most `within` away.
  void forget(nanoseconds_t watermark);

  std::size_t keys() const noexcept { return keys_; }
  /// What the ids take, by count and length: the same for equal contents, whatever came before.
  std::size_t bytes() const noexcept { return bytes_; }
  static std::size_t bytes_of(std::string_view id) noexcept { return entry_header + index_bytes + id.size(); }

  /// Cells by time, each in order of acceptance: equal input gives equal bytes, however it was cut into batches.
  void save(std::string& out) const;
  /// Takes what `save` wrote from the front of `in`.
  result<void> load(std::string_view& in);

private:
  /// Time and length before an id's bytes.
  static constexpr std::size_t entry_header = 12;
  /// 9 bytes a slot at the load factors of a table that doubles, 7/16 to 7/8.
  static constexpr std::size_t index_bytes = 14;

  /// Ids in blocks that never move. A reference is a block's number and an offset below 64 KiB.
  class arena {
  public:
    static constexpr unsigned offset_bits = 16;
    static constexpr unsigned reference_bits = 36;

    /// False: full.
    bool add(std::string_view id, nanoseconds_t time, std::uint64_t& reference);
    std::string_view id(std::uint64_t reference) const noexcept;
    nanoseconds_t time(std::uint64_t reference) const noexcept;
    void save(std::string& out) const;

  private:
    struct block {
      std::unique_ptr<char[]> data;
      std::size_t used = 0;
      std::size_t size = 0;
    };
    const char* entry(std::uint64_t reference) const noexcept;
    std::vector<block> blocks_;
  };

  /// A slot is 28 bits of an id's hash above its reference, so growing an index reads no id.
  struct slot_hash {
    using is_transparent = void;
    std::size_t operator()(std::uint64_t slot) const noexcept;
    std::size_t operator()(const probe& p) const noexcept;
  };
  struct slot_equal {
    using is_transparent = void;
    const arena* ids = nullptr;
    bool operator()(std::uint64_t a, std::uint64_t b) const noexcept { return a == b; }
    bool operator()(std::uint64_t slot, const probe& p) const noexcept;
    bool operator()(const probe& p, std::uint64_t slot) const noexcept { return (*this)(slot, p); }
  };
  struct cell {
    cell() : index{0, slot_hash{}, slot_equal{&ids}} {}
    cell(const cell&) = delete;
    cell& operator=(const cell&) = delete;
    arena ids;
    std::size_t bytes = 0;
    absl::flat_hash_set<std::uint64_t, slot_hash, slot_equal> index;
  };

  std::int64_t cell_of(nanoseconds_t time) const noexcept;
  /// Points `near_` at the cells around that of `time`; null where there is none.
  void approach(nanoseconds_t time);
  result<void> load_cell(std::string_view& in);

  nanoseconds_t within_;
  std::map<std::int64_t, cell> cells_;
  std::size_t keys_ = 0;
  std::size_t bytes_ = 0;
  /// Cells `center_` - 1, `center_`, `center_` + 1, unless `stale_`.
  cell* near_[3] = {};
  std::int64_t center_ = 0;
  bool stale_ = true;
};

} // namespace millrace::enrich
