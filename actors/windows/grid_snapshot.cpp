// SPDX-License-Identifier: Apache-2.0
// State of a window definition as bytes: keys by rank, so that equal states give equal bytes whatever ids they use.
#include "actors/windows/grid_state.hpp"
#include "actors/windows/snapshot_ranks.hpp"

#include <algorithm>

namespace millrace::windows {

void grid_state::save(binary_writer& out) const {
  const auto keys = keys_.sorted();
  const auto ranks = ranks_of(keys, keys_.capacity());
  out.u64(keys.size());
  for (const auto id : keys)
    keys_.save(id, out);
  out.u64(slices_.size());
  for (const auto& [where, s] : slices_)
    save_slice(s, ranks, out);
  out.u64(versions_.size());
  for (const auto& [end, by_key] : versions_) {
    std::vector<std::pair<key_id, std::uint64_t>> counts;
    for (const auto& [key, n] : by_key)
      counts.emplace_back(ranks[key], n);
    std::sort(counts.begin(), counts.end());
    out.i64(end);
    out.u64(counts.size());
    for (const auto& [rank, n] : counts) {
      out.u64(rank);
      out.u64(n);
    }
  }
  if (stacks_)
    stacks_->save(out);
}

void grid_state::save_slice(const slice& s, const std::vector<key_id>& ranks, binary_writer& out) const {
  out.i64(s.bounds.start);
  out.i64(s.bounds.first_end);
  auto entries = s.entries();
  std::sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) { return ranks[a.key] < ranks[b.key]; });
  out.u64(entries.size());
  for (const auto& e : entries) {
    out.u64(ranks[e.key]);
    cells_.save(e.cell, out);
    // What has changed shows in windows that are still open, or never.
    if (early_ != 0)
      out.u8(rounds_[e.cell] == round_ && s.bounds.last_end > closed_ ? 1 : 0);
  }
}

void grid_state::load(binary_reader& in, nanoseconds_t p) {
  std::vector<key_id> ids;
  for (auto n = in.count(8); n > 0 && in.ok(); --n)
    ids.push_back(keys_.load(in));
  for (auto n = in.count(24); n > 0 && in.ok(); --n)
    load_slice(in, ids, p);
  for (auto n = in.count(16); n > 0 && in.ok(); --n)
    load_versions(in, ids);
  if (stacks_)
    stacks_->load(in);
  if (keys_.live() != ids.size())
    in.fail();
  if (!in.ok())
    return;
  closed_ = p;
  next_end_ = next_open_end();
}

void grid_state::load_slice(binary_reader& in, const std::vector<key_id>& ids, nanoseconds_t p) {
  const auto start = in.i64();
  const auto first_end = in.i64();
  const auto bounds = grid_.slice_at(start);
  const slice_key where{start, first_end};
  if (!bounds || bounds->start != start || first_end < bounds->first_end || first_end > bounds->last_end ||
      (first_end - bounds->first_end) % grid_.every != 0 || (!slices_.empty() && where <= slices_.rbegin()->first)) {
    in.fail();
    return;
  }
  auto b = *bounds;
  b.first_end = first_end;
  auto& s = slice_of(b);
  std::uint64_t next = 0;
  std::uint64_t rank = 0;
  for (auto n = in.count(9); n > 0 && read_rank(in, ids.size(), next, rank); --n) {
    const auto cell = add_cell(s, ids[rank]);
    cells_.load(cell, in);
    if (early_ != 0 && in.flag())
      mark(s, ids[rank], cell, p);
  }
}

void grid_state::load_versions(binary_reader& in, const std::vector<key_id>& ids) {
  const auto end = in.i64();
  if (!versions_.empty() && end <= versions_.rbegin()->first) {
    in.fail();
    return;
  }
  auto& by_key = versions_[end];
  std::uint64_t next = 0;
  std::uint64_t rank = 0;
  for (auto n = in.count(16); n > 0 && read_rank(in, ids.size(), next, rank); --n)
    by_key[ids[rank]] = in.u64();
  version_count_ += by_key.size();
}

} // namespace millrace::windows
