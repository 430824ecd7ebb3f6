// SPDX-License-Identifier: Apache-2.0
#include "actors/ingest/shard.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <numeric>

namespace millrace::ingest {
namespace {

/// a − b for b ≥ 0, never below the smallest known watermark.
nanoseconds_t minus(nanoseconds_t a, nanoseconds_t b) noexcept {
  nanoseconds_t r = 0;
  if (__builtin_sub_overflow(a, b, &r) || r == no_watermark)
    return no_watermark + 1;
  return r;
}

std::string origin_text(std::uint32_t shard, std::int64_t position) {
  return std::to_string(shard) + ":" + std::to_string(position_place(position)) + ":" +
         std::to_string(position_index(position));
}

std::string time_text(nanoseconds_t t) {
  std::string text;
  codec::append_timestamp(text, t);
  return text;
}

} // namespace

result<std::unique_ptr<shard>> shard::make(shard_options options, std::uint32_t index) {
  if (options.partitions == 0)
    return error{ec::config, "partitions must be at least 1", ""};
  if (options.max_delay < 0 || options.max_ahead < 0)
    return error{ec::config, "max_delay and max_ahead must not be negative", ""};
  auto decoder = codec::make_decoder(options.decode);
  if (!decoder)
    return decoder.error();
  std::unique_ptr<shard> made{new shard};
  made->decoder_ = std::move(*decoder);
  made->index_ = index;
  const schema_ptr layout = made->decoder_->layout();
  for (const std::string& name : options.key) {
    const auto column = layout->index_of(name);
    if (!column)
      return error{ec::config, "event.key names \"" + name + "\", which is not a decoded field",
                   "name a field that is declared and kept"};
    made->key_columns_.push_back(*column);
  }
  made->options_ = std::move(options);
  return made;
}

schema_ptr shard::layout() const { return decoder_->layout(); }
codec::event_decoder& shard::decoder() { return *decoder_; }
std::size_t shard::pending_rows() const { return decoder_->rows(); }
nanoseconds_t shard::watermark() const noexcept { return watermark_; }
nanoseconds_t shard::high_time() const noexcept { return high_time_; }
const ledger& shard::counters() const noexcept { return counters_; }

void shard::note_arrival(nanoseconds_t arrival) {
  const std::size_t row = decoder_->rows();
  if (options_.max_ahead == 0 || (!arrivals_.empty() && arrivals_.back().second == arrival))
    return;
  if (!arrivals_.empty() && arrivals_.back().first == row)
    arrivals_.back().second = arrival;
  else
    arrivals_.emplace_back(row, arrival);
}

void shard::feed(const codec::source_message& m) {
  note_arrival(m.arrival);
  codec::source_message mine = m;
  mine.shard = index_;
  decoder_->decode(mine);
}

void shard::feed_lines(const codec::source_message& m) {
  note_arrival(m.arrival);
  codec::source_message mine = m;
  mine.shard = index_;
  decoder_->decode_lines(mine);
}

void shard::accept(nanoseconds_t time) noexcept {
  high_time_ = std::max(high_time_, time);
  watermark_ = std::max(watermark_, minus(time, options_.max_delay));
}

bool shard::is_future(nanoseconds_t time, nanoseconds_t log_time) const noexcept {
  nanoseconds_t limit = 0;
  return options_.max_ahead > 0 && !__builtin_add_overflow(log_time, options_.max_ahead, &limit) && time > limit;
}

rejected_event shard::stamp(codec::decode_reject&& r) const {
  rejected_event e;
  e.stage = "ingest";
  e.reason = std::move(r.reason);
  e.origin = origin_text(index_, r.position);
  e.detail = std::move(r.detail);
  e.body = std::move(r.body);
  e.is_json = r.is_json;
  e.watermark = watermark_;
  e.position = r.position;
  e.shard = index_;
  return e;
}

rejected_event shard::future(const event_batch& b, std::size_t row, nanoseconds_t log_time) const {
  rejected_event e;
  e.stage = "ingest";
  e.reason = "future";
  e.origin = origin_text(index_, b.position[row]);
  std::string ahead;
  codec::append_duration(ahead, options_.max_ahead);
  e.detail = "event time " + time_text(b.time[row]) + " is more than max_ahead " + ahead + " after the arrival " +
             time_text(log_time) + " (event " + std::to_string(position_index(b.position[row])) +
             "); mend the sender's clock or unit of time, or raise event.max_ahead";
  codec::append_event(e.body, b, row);
  e.watermark = watermark_;
  e.position = b.position[row];
  e.shard = index_;
  return e;
}

void shard::judge(event_batch& b, std::vector<codec::decode_reject>&& rejects, std::vector<rejected_event>& out) {
  std::vector<std::uint32_t> kept;
  bool all_kept = true;
  std::size_t next_reject = 0;
  std::size_t message = 0;
  for (std::size_t row = 0; row < b.rows; ++row) {
    while (next_reject < rejects.size() && rejects[next_reject].before_row <= row)
      out.push_back(stamp(std::move(rejects[next_reject++])));
    b.watermark[row] = watermark_;
    if (options_.max_ahead > 0) {
      while (message + 1 < arrivals_.size() && arrivals_[message + 1].first <= row)
        ++message;
      if (is_future(b.time[row], arrivals_[message].second)) {
        if (all_kept) {
          kept.resize(row);
          std::iota(kept.begin(), kept.end(), 0U);
          all_kept = false;
        }
        out.push_back(future(b, row, arrivals_[message].second));
        continue;
      }
    }
    if (!all_kept)
      kept.push_back(static_cast<std::uint32_t>(row));
    accept(b.time[row]);
  }
  while (next_reject < rejects.size())
    out.push_back(stamp(std::move(rejects[next_reject++])));
  if (!all_kept)
    b = millrace::take(b, kept);
}

chunk shard::take() {
  chunk made;
  made.batch = decoder_->finish();
  judge(made.batch, decoder_->take_rejects(), made.rejected);
  arrivals_.clear();
  counters_.in += made.batch.rows + made.rejected.size();
  counters_.forwarded += made.batch.rows;
  counters_.rejected += made.rejected.size();
  return made;
}

void shard::end() { watermark_ = end_watermark; }

void shard::idle_until(nanoseconds_t log_time) {
  watermark_ = std::max(watermark_, minus(log_time, options_.max_delay));
}

void shard::resume(nanoseconds_t watermark, nanoseconds_t high_time, const ledger& counters) {
  watermark_ = watermark;
  high_time_ = high_time;
  counters_ = counters;
}

void shard::split(const event_batch& b, std::vector<std::vector<std::uint32_t>>& rows) const {
  rows.resize(options_.partitions);
  for (auto& r : rows)
    r.clear();
  if (options_.partitions == 1 || key_columns_.empty()) {
    rows[0].resize(b.rows);
    std::iota(rows[0].begin(), rows[0].end(), 0U);
    return;
  }
  std::vector<std::uint32_t> partition;
  partition_rows(b, key_columns_, options_.partitions, partition);
  for (std::size_t i = 0; i < b.rows; ++i)
    rows[partition[i]].push_back(static_cast<std::uint32_t>(i));
}

} // namespace millrace::ingest
