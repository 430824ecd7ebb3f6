// SPDX-License-Identifier: Apache-2.0
/// @file
/// A partition of a stage as a deterministic machine between an input log and its output subjects (semantics.md,
/// section 1): takes input frames in sequence, runs the processor, hands out output frames, suppresses what a
/// replay would write again on each subject, and applies logged controls at their places (rule 7.1). Plain C++; not
/// thread-safe; does no I/O.
#pragma once

#include "actors/processor.hpp"
#include "actors/runtime/chain.hpp"
#include "actors/runtime/control_record.hpp"
#include "actors/runtime/frame_queue.hpp"
#include "messaging/frame.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace::runtime {

/// Place of the last reject on the rejected subject: suppresses replayed ones.
struct reject_mark {
  std::uint64_t sequence = 0;
  /// Rejects of that input already written, from 1.
  std::uint64_t count = 0;

  friend auto operator<=>(const reject_mark&, const reject_mark&) = default;
};

struct marked_reject {
  rejected_event event;
  reject_mark mark;
};

/// What one writer job carries for this partition: rejects first, then at most one frame per lane.
struct stage_output {
  std::vector<marked_reject> rejects;
  std::vector<lane_frame> frames;
};

struct stage_state {
  std::string bytes;
  std::uint64_t position = 0;
  /// Number of the last control it contains.
  std::uint64_t controls = 0;
};

class stage_core {
public:
  /// @param lanes Output subjects; `section::lane` says where rows go.
  stage_core(std::unique_ptr<processor> p, std::vector<std::string> writers, std::uint64_t definition,
             std::size_t lanes = 1);

  /// Restores a snapshot's state. Then `resume` tells what each output already holds, and the controls that were logged
  /// after the snapshot: they are applied at their places.
  result<void> restore(std::string_view state);
  void resume(const std::vector<checkpoint>& written, const reject_mark& rejected,
              std::vector<control_record> controls = {});
  /// The replay has passed everything that was written or logged before the restart.
  bool replayed() const noexcept;

  /// The first input sequence wanted.
  std::uint64_t position() const noexcept { return input_.sequence(); }
  const input_state& progress() const noexcept { return input_; }
  const processor& stage() const noexcept { return *processor_; }

  /// Takes the next input frame. Errors: those of `input_state::accept`, ec::internal when the processor names an
  /// output that there is not; the partition must then halt.
  result<void> accept(input_frame&& in);

  /// Number of the last control applied.
  std::uint64_t controls() const noexcept { return controls_; }
  /// Hash of the newest version of a control; null: there was none.
  const std::uint64_t* version(std::string_view name) const;
  /// Applies a control that is now logged for this position; only when `replayed()`. Errors: the processor's, which has
  /// then kept its state.
  result<void> apply(const control_record& c);

  /// Bytes (estimated) waiting to be handed out.
  std::size_t pending_bytes() const noexcept;
  bool has_output() const noexcept;
  /// All output of inputs up to `position` was handed out on every lane.
  bool settled(std::uint64_t position) const noexcept;
  std::size_t lanes() const noexcept { return lanes_.size(); }
  /// The next frame of each lane that has one, each of about `max_bytes`, with the rejects that must stand before them.
  stage_output next(std::size_t max_bytes);
  /// Ticks of the lanes whose origin or watermark moved since the last frame handed out (rule 1.7).
  /// @param origins Also of those of which only the origin moved.
  std::vector<lane_frame> ticks(bool origins = true);

  /// State as of `position()`; to be stored only once `settled(position)` and all of that is acknowledged (rule 6.2).
  stage_state snapshot() const;

private:
  result<void> collect(const input_frame& in);
  void apply_logged();
  void bound_sections(const std::vector<section>& sections, nanoseconds_t before);
  checkpoint now(std::uint64_t checksum) const;

  std::unique_ptr<processor> processor_;
  input_state input_;
  output scratch_;
  std::vector<nanoseconds_t> bounds_;
  std::vector<frame_queue> lanes_;
  /// Scratch: the sections of one input by lane.
  std::vector<std::vector<section>> split_;
  std::vector<marked_reject> rejects_;
  event_batch no_rows_;
  /// The last reject on the rejected subject, for suppression while replaying.
  reject_mark rejected_;
  /// Controls to apply while replaying.
  std::deque<control_record> logged_;
  std::uint64_t controls_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> versions_;
};

} // namespace millrace::runtime
