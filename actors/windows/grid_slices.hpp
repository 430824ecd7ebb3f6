// SPDX-License-Identifier: Apache-2.0
/// @file
/// The slices of a window definition on a time grid: which keys have a cell in them.
///
/// A *slice* is identified by its start and the end of the first window that takes its events. Usually that is the
/// first window over the slice; an event that comes too late for that one, but not for later windows over the same
/// slice, goes to a slice of its own, which only the later windows read. So what a window holds does not depend on
/// what other events came, or when.
#pragma once

#include "actors/windows/grid.hpp"
#include "actors/windows/key_table.hpp"

#include <absl/container/flat_hash_set.h>

#include <map>
#include <utility>
#include <vector>

namespace millrace::windows {

/// Not thread-safe. Not copied or moved: the index refers to the entries.
class slice {
public:
  struct entry {
    key_id key;
    cell_id cell;
  };

  slice() : index_{0, hash_of{&entries_}, equal_to{&entries_}} {}
  slice(const slice&) = delete;
  slice& operator=(const slice&) = delete;

  /// Null when the key has no cell here.
  const cell_id* find(key_id key) const {
    const auto it = index_.find(key_ref{key});
    return it == index_.end() ? nullptr : &entries_[*it].cell;
  }
  /// @pre the key has no cell here.
  void add(key_id key, cell_id cell) {
    grow_to(entries_, entries_.size() + 1);
    entries_.push_back(entry{key, cell});
    index_.insert(static_cast<std::uint32_t>(entries_.size() - 1));
  }
  const std::vector<entry>& entries() const noexcept { return entries_; }

  /// `first_end` is that of the first window that takes the events of this slice.
  slice_bounds bounds;
  /// Names the slice among those that there are.
  std::uint32_t number = 0;

private:
  struct key_ref {
    key_id key;
  };
  struct hash_of {
    using is_transparent = void;
    const std::vector<entry>* entries;
    std::size_t operator()(std::uint32_t i) const { return absl::HashOf((*entries)[i].key); }
    std::size_t operator()(key_ref k) const { return absl::HashOf(k.key); }
  };
  struct equal_to {
    using is_transparent = void;
    const std::vector<entry>* entries;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(key_ref a, std::uint32_t b) const { return a.key == (*entries)[b].key; }
    bool operator()(std::uint32_t a, key_ref b) const { return (*this)(b, a); }
  };

  std::vector<entry> entries_;
  absl::flat_hash_set<std::uint32_t, hash_of, equal_to> index_;
};

/// (start, first_end)
using slice_key = std::pair<nanoseconds_t, nanoseconds_t>;
using slice_map = std::map<slice_key, slice>;

/// Calls `visit` for the slices that start in [from, to), in order.
template <class F>
void each_slice(const slice_map& slices, nanoseconds_t from, nanoseconds_t to, F&& visit) {
  for (auto it = slices.lower_bound(slice_key{from, no_watermark}); it != slices.end() && it->first.first < to; ++it)
    visit(it->second);
}

} // namespace millrace::windows
