// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/chain.hpp"

#include "actors/runtime/bytes.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

/// One stamp may move log time by at most this much (rule 1.3): a broker clock that leaps cannot fling it.
constexpr std::int64_t max_step = std::int64_t{3600} * 1'000'000'000;

constexpr std::uint64_t state_version = 1;

std::string place(const input_frame& in) { return in.subject + " at sequence " + std::to_string(in.sequence); }

} // namespace

result<void> input_state::accept(const input_frame& in) {
  const auto& f = in.content;
  if (!writers_.empty() && std::find(writers_.begin(), writers_.end(), in.subject) == writers_.end())
    return error{ec::corrupt, "a frame by a writer that the pipeline does not name: " + place(in),
                 "the log belongs to another definition, or something else publishes on its subjects"};
  auto& w = seen_[in.subject];
  if (f.epoch < w.epoch)
    return error{ec::corrupt,
                 "epoch " + std::to_string(f.epoch) + " after a claim with epoch " + std::to_string(w.epoch) + ": " +
                   place(in),
                 "a writer without ownership got through the fence"};
  if (f.number != w.number + 1)
    return error{ec::gap,
                 "expected frame number " + std::to_string(w.number + 1) + ", found " + std::to_string(f.number) +
                   ": " + place(in),
                 "frames were removed from the log; restore it, or start the pipeline under a new name"};
  if (f.previous != w.checksum)
    return error{ec::corrupt, "the predecessor's checksum does not match: " + place(in), "the log was altered"};
  w.epoch = f.epoch;
  w.number = f.number;
  w.checksum = in.checksum;
  w.watermark = std::max(w.watermark, f.watermark);
  w.absent = w.watermark == no_watermark &&
             (f.idle || (w.absent && (f.kind == frame_kind::claim || f.kind == frame_kind::release)));
  high_time_ = std::max(high_time_, f.high_time);
  if (last_stamp_ == 0)
    log_time_ = in.stamp;
  else
    log_time_ += std::clamp<std::int64_t>(in.stamp - last_stamp_, 0, max_step);
  last_stamp_ = in.stamp;
  sequence_ = in.sequence;
  checksum_ = in.checksum;
  if (seen_.size() >= writers_.size()) {
    auto low = end_watermark;
    bool any = false;
    for (const auto& [subject, x] : seen_) {
      if (x.absent)
        continue;
      any = true;
      low = std::min(low, x.watermark);
    }
    if (any)
      watermark_ = std::max(watermark_, low);
  }
  return {};
}

std::string input_state::save() const {
  byte_writer out;
  out.u64(state_version);
  out.u64(sequence_);
  out.u64(checksum_);
  out.i64(watermark_);
  out.i64(high_time_);
  out.i64(log_time_);
  out.i64(last_stamp_);
  out.u64(seen_.size());
  for (const auto& [subject, w] : seen_) {
    out.text(subject);
    out.u64(w.epoch);
    out.u64(w.number);
    out.u64(w.checksum);
    out.i64(w.watermark);
    out.u64(w.absent ? 1 : 0);
  }
  return out.take();
}

result<void> input_state::load(std::string_view bytes) {
  byte_reader in{bytes};
  if (in.u64() != state_version)
    return error{ec::corrupt, "the reader state has an unknown version", ""};
  sequence_ = in.u64();
  checksum_ = in.u64();
  watermark_ = in.i64();
  high_time_ = in.i64();
  log_time_ = in.i64();
  last_stamp_ = in.i64();
  seen_.clear();
  for (auto n = in.u64(); n > 0 && in.ok(); --n) {
    auto subject = std::string{in.text()};
    writer_state w;
    w.epoch = in.u64();
    w.number = in.u64();
    w.checksum = in.u64();
    w.watermark = in.i64();
    w.absent = in.u64() != 0;
    seen_.emplace(std::move(subject), w);
  }
  if (!in.done())
    return error{ec::corrupt, "the reader state is cut short or too long", ""};
  return {};
}

} // namespace millrace::runtime
