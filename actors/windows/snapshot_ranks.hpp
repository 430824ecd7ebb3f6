// SPDX-License-Identifier: Apache-2.0
/// @file
/// Keys in snapshots: written once, in canonical order, and referred to by rank, so that equal states give equal bytes
/// whatever ids they use.
#pragma once

#include "actors/windows/binary.hpp"
#include "actors/windows/key_table.hpp"

#include <cstdint>
#include <vector>

namespace millrace::windows {

/// By key id the place in `sorted`.
inline std::vector<key_id> ranks_of(const std::vector<key_id>& sorted, std::size_t capacity) {
  std::vector<key_id> ranks(capacity, no_key);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    ranks[sorted[i]] = static_cast<key_id>(i);
  return ranks;
}

/// Reads a rank greater than the previous one, the caller's order being ascending.
inline bool read_rank(binary_reader& in, std::size_t keys, std::uint64_t& next, std::uint64_t& rank) {
  rank = in.u64();
  if (rank < next || rank >= keys)
    in.fail();
  next = rank + 1;
  return in.ok();
}

/// Writes the keys with cells. @return their ids by rank
inline std::vector<key_id> save_keys(const key_table& keys, binary_writer& out) {
  auto sorted = keys.sorted();
  out.u64(sorted.size());
  for (const auto id : sorted)
    keys.save(id, out);
  return sorted;
}

/// Ids by rank of the keys that `save_keys` wrote.
inline std::vector<key_id> load_keys(key_table& keys, binary_reader& in) {
  std::vector<key_id> ids;
  for (auto n = in.count(16); n > 0 && in.ok(); --n)
    ids.push_back(keys.load(in));
  return ids;
}

} // namespace millrace::windows
