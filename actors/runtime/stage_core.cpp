// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/stage_core.hpp"

#include "actors/runtime/bytes.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

constexpr std::uint64_t state_version = 1;

/// An event of a shard that was idle comes after what the other shards have closed: it is judged by that. For any
/// other shard the partition's watermark is never ahead of the row's own.
void raise_watermarks(event_batch& b, nanoseconds_t partition) {
  if (b.rows == 0 || b.watermark.front() >= partition)
    return;
  for (auto& w : b.watermark)
    w = std::max(w, partition);
}

} // namespace

stage_core::stage_core(std::unique_ptr<processor> p, std::vector<std::string> writers, std::uint64_t definition)
  : processor_{std::move(p)}, input_{std::move(writers)}, queue_{definition}, no_rows_{event_batch::make(
                                                                                std::make_shared<schema>())} {}

result<void> stage_core::restore(std::string_view state) {
  byte_reader in{state};
  if (in.u64() != state_version)
    return error{ec::corrupt, "the snapshot has an unknown version", ""};
  if (auto r = input_.load(in.text()); !r)
    return r;
  const auto body = in.text();
  if (!in.done())
    return error{ec::corrupt, "the snapshot is cut short or too long", ""};
  return processor_->restore(body);
}

stage_state stage_core::snapshot() const {
  byte_writer out;
  out.u64(state_version);
  out.text(input_.save());
  out.text(processor_->snapshot());
  return {out.take(), input_.sequence()};
}

void stage_core::resume(const checkpoint& written, const reject_mark& rejected) {
  queue_.resume(written);
  rejected_ = rejected;
}

result<void> stage_core::accept(input_frame&& in) {
  const auto before = input_.watermark();
  if (auto r = input_.accept(in); !r)
    return r;
  // The input must be the one the output was computed from (rule 1.4).
  const auto& written = queue_.resumed().covered;
  if (in.sequence == written.sequence && written.checksum != 0 && in.checksum != written.checksum)
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
  for (std::size_t i = 0; i < sections.size(); ++i) {
    step.section = sections[i].name;
    step.batch = &sections[i].batch;
    step.watermark = i + 1 == sections.size() ? input_.watermark() : before;
    processor_->process(step, scratch_);
  }
  if (sections.empty() && input_.watermark() != before) {
    step.batch = &no_rows_;
    step.watermark = input_.watermark();
    processor_->process(step, scratch_);
  }
  collect(in);
  return {};
}

/// Queues what the processor emitted for `in`, less what the outputs already hold.
void stage_core::collect(const input_frame& in) {
  std::uint64_t n = 0;
  for (auto& r : scratch_.rejected)
    if (reject_mark mark{in.sequence, ++n}; mark > rejected_)
      rejects_.push_back({std::move(r), mark});
  if (in.sequence <= queue_.resumed().covered.sequence)
    return; // replayed: the subject holds all of it
  queue_.push({{in.sequence, in.checksum, 0}, input_.watermark(), input_.high_time(), processor_->counters()},
              in.content.source_stamp, std::move(scratch_.sections), !rejects_.empty());
}

stage_output stage_core::next(std::size_t max_bytes) { return {std::exchange(rejects_, {}), queue_.next(max_bytes)}; }

} // namespace millrace::runtime
