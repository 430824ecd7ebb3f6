// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/stage_core.hpp"

#include "actors/runtime/bytes.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

constexpr std::uint64_t state_version = 1;
/// With the controls applied so far; written only when there were any.
constexpr std::uint64_t state_version_controls = 2;

/// An event of a shard that was idle comes after what the other shards have closed: it is judged by that. For any
/// other shard the partition's watermark is never ahead of the row's own.
void raise_watermarks(event_batch& b, nanoseconds_t partition) {
  if (b.rows == 0 || b.watermark.front() >= partition)
    return;
  for (auto& w : b.watermark)
    w = std::max(w, partition);
}

} // namespace

stage_core::stage_core(std::unique_ptr<processor> p, std::vector<std::string> writers, std::uint64_t definition,
                       std::size_t lanes)
  : processor_{std::move(p)}, input_{std::move(writers)}, lanes_(lanes, frame_queue{definition}),
    split_(lanes), no_rows_{event_batch::make(std::make_shared<schema>())} {}

result<void> stage_core::restore(std::string_view state) {
  byte_reader in{state};
  const auto version = in.u64();
  if (version != state_version && version != state_version_controls)
    return error{ec::corrupt, "the snapshot has an unknown version", ""};
  if (auto r = input_.load(in.text()); !r)
    return r;
  const auto body = in.text();
  controls_ = 0;
  versions_.clear();
  if (version == state_version_controls) {
    controls_ = in.u64();
    for (auto n = in.u64(); n > 0 && in.ok(); --n) {
      auto name = std::string{in.text()};
      versions_[std::move(name)] = in.u64();
    }
  }
  if (!in.done())
    return error{ec::corrupt, "the snapshot is cut short or too long", ""};
  return processor_->restore(body);
}

stage_state stage_core::snapshot() const {
  byte_writer out;
  out.u64(controls_ == 0 ? state_version : state_version_controls);
  out.text(input_.save());
  out.text(processor_->snapshot());
  if (controls_ > 0) {
    out.u64(controls_);
    out.u64(versions_.size());
    for (const auto& [name, hash] : versions_) {
      out.text(name);
      out.u64(hash);
    }
  }
  return {out.take(), input_.sequence(), controls_};
}

void stage_core::resume(const std::vector<checkpoint>& written, const reject_mark& rejected,
                        std::vector<control_record> controls) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i].resume(written[i]);
    // A snapshot says that the subject has all output up to it, but perhaps nobody has told the subject's readers yet.
    if (written[i].covered.sequence < input_.sequence())
      lanes_[i].push(now(input_.checksum()), 0, {});
  }
  rejected_ = rejected;
  for (auto& c : controls)
    if (c.serial > controls_)
      logged_.push_back(std::move(c));
  apply_logged();
}

checkpoint stage_core::now(std::uint64_t checksum) const {
  return {{input_.sequence(), checksum, 0}, input_.watermark(), input_.high_time(), processor_->counters()};
}

bool stage_core::replayed() const noexcept {
  const auto at = input_.sequence();
  return logged_.empty() && at >= rejected_.sequence &&
         std::all_of(lanes_.begin(), lanes_.end(), [at](const auto& l) { return l.replayed(at); });
}

const std::uint64_t* stage_core::version(std::string_view name) const {
  const auto at = versions_.find(name);
  return at == versions_.end() ? nullptr : &at->second;
}

result<void> stage_core::apply(const control_record& c) {
  controls_ = c.serial;
  versions_[c.what->name] = c.what->hash;
  return processor_->control(c.what->name, c.what->contents);
}

/// A control that the processor refused when it came is refused again: it was reported then.
void stage_core::apply_logged() {
  while (!logged_.empty() && logged_.front().position <= input_.sequence()) {
    (void)apply(logged_.front());
    logged_.pop_front();
  }
}

/// The watermark after each section. A frame that collects several inputs says only its last one; but time has reached
/// what every later row of the frame knows already, so that windows close before late rows as they would have done had
/// each input come alone. Results of windows are taken at once: their rows' watermarks are other times.
void stage_core::bound_sections(const std::vector<section>& sections, nanoseconds_t before) {
  bounds_.assign(sections.size(), before);
  auto low = input_.watermark();
  for (auto i = sections.size(); i-- > 0 && sections[i].name.empty();) {
    bounds_[i] = std::max(before, low);
    if (i > 0)
      for (const auto w : sections[i].batch.watermark)
        low = std::min(low, w);
  }
  if (!sections.empty())
    bounds_.back() = input_.watermark();
}

result<void> stage_core::accept(input_frame&& in) {
  const auto before = input_.watermark();
  if (auto r = input_.accept(in); !r)
    return r;
  // The input must be the one the output was computed from (rule 1.4).
  const bool replaced = std::any_of(lanes_.begin(), lanes_.end(), [&in](const auto& l) {
    const auto& written = l.resumed().covered;
    return in.sequence == written.sequence && written.checksum != 0 && in.checksum != written.checksum;
  });
  if (replaced)
    return error{ec::corrupt,
                 "input sequence " + std::to_string(in.sequence) + " on " + in.subject +
                   " is not the one that the output was computed from",
                 "the input log was replaced; restore it, or start the pipeline under a new name"};
  scratch_.clear();
  auto& sections = in.content.sections;
  for (auto& x : sections)
    if (x.name.empty())
      raise_watermarks(x.batch, before);
  millrace::input step;
  step.high_time = input_.high_time();
  step.log_time = input_.log_time();
  bound_sections(sections, before);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    step.section = sections[i].name;
    step.batch = &sections[i].batch;
    step.watermark = bounds_[i];
    processor_->process(step, scratch_);
  }
  if (sections.empty() && input_.watermark() != before) {
    step.batch = &no_rows_;
    step.watermark = input_.watermark();
    processor_->process(step, scratch_);
  }
  if (auto r = collect(in); !r)
    return r;
  apply_logged();
  return {};
}

/// Queues what the processor emitted for `in`, less what the outputs already hold.
result<void> stage_core::collect(const input_frame& in) {
  std::uint64_t n = 0;
  for (auto& r : scratch_.rejected)
    if (reject_mark mark{in.sequence, ++n}; mark > rejected_)
      rejects_.push_back({std::move(r), mark});
  for (auto& s : scratch_.sections) {
    if (s.lane >= lanes_.size())
      return error{ec::internal,
                   "the stage wrote to output " + std::to_string(s.lane) + " of " + std::to_string(lanes_.size()),
                   "report this as a bug"};
    split_[s.lane].push_back(std::move(s));
  }
  const auto at = now(in.checksum);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto sections = std::exchange(split_[i], {});
    if (in.sequence > lanes_[i].resumed().covered.sequence) // else replayed: the subject holds all of it
      lanes_[i].push(at, in.content.source_stamp, std::move(sections), i == 0 && !rejects_.empty());
  }
  return {};
}

std::size_t stage_core::pending_bytes() const noexcept {
  std::size_t n = 0;
  for (const auto& l : lanes_)
    n += l.bytes();
  return n;
}

bool stage_core::has_output() const noexcept {
  return !rejects_.empty() || std::any_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return !l.empty(); });
}

bool stage_core::settled(std::uint64_t position) const noexcept {
  return (rejects_.empty() || rejects_.front().mark.sequence > position) &&
         std::all_of(lanes_.begin(), lanes_.end(), [position](const auto& l) { return l.settled(position); });
}

stage_output stage_core::next(std::size_t max_bytes) {
  stage_output out{std::exchange(rejects_, {}), {}};
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (auto f = lanes_[i].next(max_bytes))
      out.frames.push_back({i, std::move(*f)});
  return out;
}

std::vector<lane_frame> stage_core::ticks(bool origins) {
  std::vector<lane_frame> out;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (origins || lanes_[i].time_moved())
      if (auto f = lanes_[i].tick())
        out.push_back({i, std::move(*f)});
  return out;
}

} // namespace millrace::runtime
