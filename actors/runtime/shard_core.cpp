// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/shard_core.hpp"

#include "actors/runtime/reader.hpp"

#include <algorithm>

namespace millrace::runtime {

shard_core::shard_core(std::unique_ptr<ingest::shard> s, std::uint32_t index, std::uint32_t partitions,
                       std::uint64_t definition, std::string file, bool lines)
  : shard_{std::move(s)}, index_{index}, file_{std::move(file)}, lines_{lines},
    lanes_(partitions, frame_queue{definition}), rows_(partitions) {}

void shard_core::resume(const std::vector<checkpoint>& lanes, const reject_mark& rejected) {
  const auto* lowest = &lanes.front();
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes_[i].resume(lanes[i]);
    const auto& c = lanes[i];
    // Subjects at the same origin may differ by an idle tick that not all of them got: the furthest one counts.
    if (c.covered.sequence < lowest->covered.sequence ||
        (c.covered.sequence == lowest->covered.sequence && c.watermark > lowest->watermark))
      lowest = &c;
  }
  place_ = lowest->covered.sequence;
  shard_->resume(lowest->watermark, lowest->high_time, lowest->counters);
  rejected_ = rejected;
  if (!ended())
    return;
  // A crash between the subjects' last frames: those that were not told of the end are told now.
  for (std::size_t i = 0; i < lanes.size(); ++i)
    if (lanes[i].watermark != end_watermark)
      lanes_[i].push(now(), 0, {}, true);
}

checkpoint shard_core::now() const {
  return {{place_, 0, 0}, shard_->watermark(), shard_->high_time(), shard_->counters()};
}

bool shard_core::suppressed(std::size_t lane, std::int64_t position) const {
  const auto written = lanes_[lane].resumed().covered.sequence;
  // A line's place is where it begins, a message's its sequence; `written` is the end of the last line or that message.
  return lines_ ? position_place(position) < written : position_place(position) <= written;
}

result<void> shard_core::take(source_run& run) {
  std::int64_t stamp = 0;
  for (auto& m : run.messages) {
    // The oldest event of a chunk is the one whose latency counts.
    if (stamp == 0)
      stamp = m.stamp;
    if (m.header(end_header) == "true") {
      // What came before the mark is judged by the time before it.
      place_ = m.sequence - 1;
      finish_chunk(stamp, false);
      shard_->end();
      place_ = m.sequence;
      finish_chunk(stamp, true);
      continue;
    }
    codec::source_message in;
    in.payload = m.payload;
    in.shard = index_;
    in.place = m.sequence;
    in.arrival = m.stamp;
    in.subject = m.subject;
    in.file = file_;
    header_list attributes;
    for (const auto& [name, value] : m.headers)
      if (name.size() > 3 && (name.starts_with("ce-") || name.starts_with("Ce-") || name.starts_with("CE-")))
        attributes.emplace_back(name.substr(3), value);
    if (!attributes.empty())
      in.attributes = &attributes;
    if (run.lines)
      shard_->feed_lines(in);
    else
      shard_->feed(in);
  }
  if (run.next_place > 0)
    place_ = run.next_place;
  if (!run.messages.empty()) {
    idle_ = false;
    finish_chunk(stamp, false);
  }
  if (run.ended && !ended()) {
    shard_->end();
    finish_chunk(stamp, true);
  }
  return {};
}

void shard_core::finish_chunk(std::int64_t stamp, bool forced) {
  auto chunk = shard_->take();
  for (auto& r : chunk.rejected)
    if (reject_mark mark{position_place(r.position), position_index(r.position) + 1ULL}; mark > rejected_)
      rejects_.push_back({std::move(r), mark});
  const auto at = now();
  if (chunk.batch.rows > 0)
    shard_->split(chunk.batch, rows_);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    std::vector<section> sections;
    if (chunk.batch.rows > 0) {
      auto& rows = rows_[i];
      if (lanes_[i].resumed().covered.sequence > 0)
        std::erase_if(rows, [&](std::uint32_t r) { return suppressed(i, chunk.batch.position[r]); });
      if (rows.size() == chunk.batch.rows && lanes_.size() == 1)
        sections.push_back({"", std::move(chunk.batch)});
      else if (!rows.empty())
        sections.push_back({"", millrace::take(chunk.batch, rows)});
    }
    if (at.covered.sequence < lanes_[i].resumed().covered.sequence)
      continue; // still replaying what this subject already says
    lanes_[i].push(at, stamp, std::move(sections), forced);
  }
}

void shard_core::idle(std::int64_t elapsed) {
  if (ended())
    return;
  const auto before = shard_->watermark();
  if (shard_->high_time() != no_watermark)
    shard_->idle_until(shard_->high_time() + elapsed);
  if (shard_->watermark() == before && idle_)
    return;
  idle_ = true;
  for (auto& l : lanes_)
    l.push(now(), 0, {}, true);
}

bool shard_core::has_output() const noexcept {
  return !rejects_.empty() || std::any_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return !l.empty(); });
}

std::size_t shard_core::pending_bytes() const noexcept {
  std::size_t n = 0;
  for (const auto& l : lanes_)
    n += l.bytes();
  return n;
}

std::uint64_t shard_core::covered() const noexcept {
  auto low = place_;
  for (const auto& l : lanes_)
    low = std::min(low, l.covered());
  return low;
}

shard_output shard_core::next(std::size_t max_bytes) {
  shard_output out{std::exchange(rejects_, {}), {}};
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (auto f = lanes_[i].next(max_bytes)) {
      f->idle = idle_;
      out.frames.push_back({i, std::move(*f)});
    }
  return out;
}

std::vector<lane_frame> shard_core::ticks() {
  std::vector<lane_frame> out;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (auto f = lanes_[i].tick()) {
      f->idle = idle_;
      out.push_back({i, std::move(*f)});
    }
  return out;
}

} // namespace millrace::runtime
