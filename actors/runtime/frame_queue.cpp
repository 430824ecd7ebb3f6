// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/frame_queue.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

/// Drops the first `n` rows of a list of sections.
void drop_rows(std::vector<section>& sections, std::uint64_t n) {
  std::size_t keep = 0;
  while (keep < sections.size() && n >= sections[keep].batch.rows)
    n -= sections[keep++].batch.rows;
  sections.erase(sections.begin(), sections.begin() + static_cast<std::ptrdiff_t>(keep));
  if (!sections.empty() && n > 0)
    sections.front().batch = slice(sections.front().batch, n, sections.front().batch.rows);
}

std::size_t rows_of(const std::vector<section>& sections) {
  std::size_t n = 0;
  for (const auto& s : sections)
    n += s.batch.rows;
  return n;
}

std::size_t bytes_of(const std::vector<section>& sections) {
  std::size_t n = 0;
  for (const auto& s : sections)
    n += estimate_bytes(s.batch);
  return n;
}

} // namespace

void frame_queue::resume(const checkpoint& written) {
  written_ = written;
  done_ = written;
  said_ = written.covered.sequence;
  said_watermark_ = std::max(written.watermark, written.told);
}

/// Drops rows that a cut frame before the restart already carried.
void frame_queue::suppress(std::vector<section>& sections) {
  if (written_.covered.rows <= replayed_rows_)
    return;
  const auto rows = std::min<std::uint64_t>(written_.covered.rows - replayed_rows_, rows_of(sections));
  drop_rows(sections, rows);
  replayed_rows_ += rows;
}

void frame_queue::push(const checkpoint& at, nanoseconds_t source_stamp, std::vector<section> sections, bool forced) {
  std::erase_if(sections, [](const section& s) { return s.batch.rows == 0; });
  suppress(sections);
  // A replay that brings only some of the rows which the subject holds behind its origin says nothing new: to move the
  // origin now would forget how many there are.
  if (replayed_rows_ < written_.covered.rows)
    return;
  auto moved = at;
  moved.watermark = std::max(moved.watermark, written_.watermark);
  if (sections.empty() && !forced) {
    if (!items_.empty()) {
      items_.back().at = moved;
    } else {
      // A tick's latency is that of the first input whose progress it says; time that merely passes has none.
      if (!moved_)
        done_stamp_ = source_stamp;
      done_ = moved;
      moved_ = true;
    }
    return;
  }
  const auto bytes = bytes_of(sections);
  bytes_ += bytes;
  items_.push_back({moved, source_stamp, std::move(sections), bytes});
}

frame frame_queue::stamped() {
  said_ = done_.covered.sequence;
  said_watermark_ = std::max(said_watermark_, done_.watermark);
  frame f;
  f.origin = done_.covered;
  f.watermark = said_watermark_;
  f.origin_watermark = done_.watermark;
  f.high_time = done_.high_time;
  f.counters = done_.counters;
  f.source_stamp = done_stamp_;
  f.definition = definition_;
  return f;
}

/// Moves rows of `from` into `into` until it holds about `max_bytes`, at least one row.
void frame_queue::cut_rows(item& from, frame& into, std::size_t max_bytes) {
  std::size_t used = 0;
  std::uint64_t rows = 0;
  while (!from.sections.empty() && used < max_bytes) {
    auto& s = from.sections.front();
    const auto bytes = std::max<std::size_t>(estimate_bytes(s.batch), 1);
    auto n = s.batch.rows;
    if (used + bytes > max_bytes)
      n = std::clamp<std::size_t>(s.batch.rows * (max_bytes - used) / bytes, 1, s.batch.rows);
    if (n == s.batch.rows) {
      into.sections.push_back(std::move(s));
      from.sections.erase(from.sections.begin());
    } else {
      into.sections.push_back({s.name, slice(s.batch, 0, n)});
      s.batch = slice(s.batch, n, s.batch.rows);
    }
    used += bytes;
    rows += n;
  }
  const auto left = bytes_of(from.sections);
  bytes_ -= std::min(bytes_, from.bytes - std::min(from.bytes, left));
  from.bytes = left;
  done_.covered.rows += rows;
}

/// How far time has come before the rows that are left of a cut input: events say it themselves (rule 1.9). So a
/// window closes before the late events behind the cut, as it does when frames are large enough.
nanoseconds_t frame_queue::watermark_within(const item& x) {
  auto low = x.at.watermark;
  for (const auto& s : x.sections) {
    if (!s.name.empty())
      return no_watermark;
    for (const auto w : s.batch.watermark)
      low = std::min(low, w);
  }
  return low;
}

std::optional<frame> frame_queue::next(std::size_t max_bytes) {
  if (items_.empty())
    return {};
  frame rows;
  std::size_t bytes = 0;
  while (!items_.empty()) {
    auto& x = items_.front();
    if (!rows.sections.empty() && bytes + x.bytes > max_bytes)
      break;
    if (rows.sections.empty() || done_stamp_ == 0)
      done_stamp_ = x.source_stamp;
    if (x.bytes > max_bytes) {
      cut_rows(x, rows, max_bytes);
      if (!x.sections.empty()) {
        said_watermark_ = std::max(said_watermark_, watermark_within(x));
        break; // done_ keeps its origin and says how many rows follow it
      }
    }
    bytes += x.bytes;
    bytes_ -= std::min(bytes_, x.bytes);
    for (auto& s : x.sections)
      rows.sections.push_back(std::move(s));
    done_ = x.at;
    items_.pop_front();
  }
  moved_ = false;
  auto f = stamped();
  f.sections = std::move(rows.sections);
  f.kind = f.sections.empty() ? frame_kind::tick : frame_kind::rows;
  return f;
}

std::optional<frame> frame_queue::tick() {
  if (!moved_ || !items_.empty())
    return {};
  moved_ = false;
  auto f = stamped();
  f.kind = frame_kind::tick;
  return f;
}

} // namespace millrace::runtime
