// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/seen_ids.hpp"

#include "actors/enrich/binary.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <xxhash.h>

namespace millrace::enrich {

namespace {

constexpr std::size_t first_block = 1024;
constexpr std::size_t block_bytes = 64 * 1024;

/// absl takes the low bits for its control bytes and the others for the place; a tag alone would leave most of them 0.
std::size_t spread(std::uint64_t tag) noexcept {
  const auto x = tag * 0x9e3779b97f4a7c15ULL;
  return static_cast<std::size_t>(x ^ (x >> 32));
}

nanoseconds_t minus(nanoseconds_t a, nanoseconds_t b) noexcept {
  constexpr auto lowest = std::numeric_limits<nanoseconds_t>::min();
  return a < lowest + b ? lowest : a - b;
}

std::uint64_t distance(nanoseconds_t a, nanoseconds_t b) noexcept {
  const auto x = static_cast<std::uint64_t>(a);
  const auto y = static_cast<std::uint64_t>(b);
  return a < b ? y - x : x - y;
}

error broken() { return {ec::corrupt, "the state of `duplicates` is damaged", ""}; }

} // namespace

bool seen_ids::arena::add(std::string_view id, nanoseconds_t time, std::uint64_t& reference) {
  const auto need = entry_header + id.size();
  if (blocks_.empty() || blocks_.back().size - blocks_.back().used < need) {
    if (blocks_.size() >= (std::uint64_t{1} << (reference_bits - offset_bits)))
      return false;
    // Small at first: a cell may stay nearly empty.
    const auto usual = blocks_.empty() ? first_block : std::min(blocks_.back().size * 2, block_bytes);
    const auto size = std::max(need, std::min(usual, block_bytes));
    blocks_.push_back({std::make_unique<char[]>(size), 0, size});
  }
  auto& b = blocks_.back();
  auto* to = b.data.get() + b.used;
  const auto length = static_cast<std::uint32_t>(id.size());
  std::memcpy(to, &time, 8);
  std::memcpy(to + 8, &length, 4);
  if (!id.empty())
    std::memcpy(to + entry_header, id.data(), id.size());
  reference = (static_cast<std::uint64_t>(blocks_.size() - 1) << offset_bits) | b.used;
  b.used += need;
  return true;
}

const char* seen_ids::arena::entry(std::uint64_t reference) const noexcept {
  return blocks_[reference >> offset_bits].data.get() + (reference & ((1U << offset_bits) - 1));
}

std::string_view seen_ids::arena::id(std::uint64_t reference) const noexcept {
  const auto* at = entry(reference);
  std::uint32_t length = 0;
  std::memcpy(&length, at + 8, 4);
  return {at + entry_header, length};
}

nanoseconds_t seen_ids::arena::time(std::uint64_t reference) const noexcept {
  nanoseconds_t time = 0;
  std::memcpy(&time, entry(reference), 8);
  return time;
}

void seen_ids::arena::save(std::string& out) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    for (std::size_t at = 0; at < blocks_[i].used;) {
      const auto reference = (static_cast<std::uint64_t>(i) << offset_bits) | at;
      const auto text = id(reference);
      put<8>(out, static_cast<std::uint64_t>(time(reference)));
      put<4>(out, text.size());
      out += text;
      at += entry_header + text.size();
    }
}

std::size_t seen_ids::slot_hash::operator()(std::uint64_t slot) const noexcept {
  return spread(slot >> arena::reference_bits);
}
std::size_t seen_ids::slot_hash::operator()(const probe& p) const noexcept {
  return spread(p.hash >> arena::reference_bits);
}

bool seen_ids::slot_equal::operator()(std::uint64_t slot, const probe& p) const noexcept {
  constexpr auto mask = (std::uint64_t{1} << arena::reference_bits) - 1;
  return (slot ^ p.hash) >> arena::reference_bits == 0 && ids->id(slot & mask) == p.bytes;
}

std::uint64_t seen_ids::hash_of(std::string_view bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

std::int64_t seen_ids::cell_of(nanoseconds_t time) const noexcept {
  if (within_ == std::numeric_limits<nanoseconds_t>::max())
    return time < 0 ? -1 : 0;
  const auto width = within_ + 1;
  const auto q = time / width;
  return time % width < 0 ? q - 1 : q;
}

void seen_ids::approach(nanoseconds_t time) {
  const auto c = cell_of(time);
  if (!stale_ && c == center_)
    return;
  std::fill(std::begin(near_), std::end(near_), nullptr);
  for (auto it = cells_.lower_bound(c - 1); it != cells_.end() && it->first <= c + 1; ++it)
    near_[it->first - (c - 1)] = &it->second;
  center_ = c;
  stale_ = false;
}

void seen_ids::prefetch(const probe& id, nanoseconds_t time) {
  approach(time);
  for (auto* c : near_)
    if (c)
      c->index.prefetch(id);
}

bool seen_ids::contains(const probe& id, nanoseconds_t time) {
  constexpr auto mask = (std::uint64_t{1} << arena::reference_bits) - 1;
  approach(time);
  for (auto* c : near_) {
    if (!c)
      continue;
    const auto it = c->index.find(id);
    if (it != c->index.end() && distance(c->ids.time(*it & mask), time) <= static_cast<std::uint64_t>(within_))
      return true;
  }
  return false;
}

bool seen_ids::insert(const probe& id, nanoseconds_t time) {
  approach(time);
  if (!near_[1])
    near_[1] = &cells_[center_];
  auto& c = *near_[1];
  std::uint64_t reference = 0;
  if (!c.ids.add(id.bytes, time, reference))
    return false;
  c.index.insert((id.hash >> arena::reference_bits << arena::reference_bits) | reference);
  ++keys_;
  c.bytes += bytes_of(id.bytes);
  bytes_ += bytes_of(id.bytes);
  return true;
}

void seen_ids::forget(nanoseconds_t watermark) {
  const auto keep = cell_of(minus(minus(watermark, within_), within_));
  while (!cells_.empty() && cells_.begin()->first < keep) {
    bytes_ -= cells_.begin()->second.bytes;
    keys_ -= cells_.begin()->second.index.size();
    cells_.erase(cells_.begin());
    stale_ = true;
  }
}

void seen_ids::save(std::string& out) const {
  put<8>(out, cells_.size());
  for (const auto& [number, c] : cells_) {
    put<8>(out, static_cast<std::uint64_t>(number));
    put<8>(out, c.index.size());
    c.ids.save(out);
  }
}

result<void> seen_ids::load_cell(std::string_view& in) {
  std::uint64_t number = 0;
  std::uint64_t n = 0;
  if (!take_number<8>(in, number) || !take_number<8>(in, n) || n == 0 || n > in.size() / entry_header ||
      (!cells_.empty() && cells_.rbegin()->first >= static_cast<std::int64_t>(number)))
    return broken();
  cells_[static_cast<std::int64_t>(number)].index.reserve(n);
  for (; n > 0; --n) {
    std::uint64_t time = 0;
    std::uint64_t length = 0;
    if (!take_number<8>(in, time) || !take_number<4>(in, length) || length > in.size())
      return broken();
    const probe id{in.substr(0, length), hash_of(in.substr(0, length))};
    in.remove_prefix(length);
    const auto at = static_cast<nanoseconds_t>(time);
    if (cell_of(at) != static_cast<std::int64_t>(number) || contains(id, at) || !insert(id, at))
      return broken();
  }
  return {};
}

result<void> seen_ids::load(std::string_view& in) {
  cells_.clear();
  keys_ = bytes_ = 0;
  stale_ = true;
  std::uint64_t cells = 0;
  if (!take_number<8>(in, cells))
    return broken();
  for (; cells > 0; --cells)
    if (auto ok = load_cell(in); !ok)
      return ok;
  return {};
}

} // namespace millrace::enrich
