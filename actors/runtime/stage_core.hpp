// SPDX-License-Identifier: Apache-2.0
/// @file
/// A partition of a stage as a deterministic machine between an input log and its output subjects (semantics.md,
/// section 1): takes input frames in sequence, runs the processor, hands out output frames, suppresses what a
/// replay would write again. Plain C++; not thread-safe; does no I/O.
#pragma once

#include "actors/processor.hpp"
#include "actors/runtime/chain.hpp"
#include "actors/runtime/frame_queue.hpp"
#include "messaging/frame.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
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

/// What one writer job carries for this partition: rejects first, then the frame.
struct stage_output {
  std::vector<marked_reject> rejects;
  std::optional<frame> out;
};

struct stage_state {
  std::string bytes;
  std::uint64_t position = 0;
};

class stage_core {
public:
  stage_core(std::unique_ptr<processor> p, std::vector<std::string> writers, std::uint64_t definition);

  /// Restores a snapshot's state. Then `resume` tells what the outputs already hold.
  result<void> restore(std::string_view state);
  void resume(const checkpoint& written, const reject_mark& rejected);

  /// The first input sequence wanted.
  std::uint64_t position() const noexcept { return input_.sequence(); }
  const input_state& progress() const noexcept { return input_; }
  const processor& stage() const noexcept { return *processor_; }

  /// Takes the next input frame. Errors: those of `input_state::accept`; the partition must then halt.
  result<void> accept(input_frame&& in);

  /// Bytes (estimated) waiting to be handed out.
  std::size_t pending_bytes() const noexcept { return queue_.bytes(); }
  bool has_output() const noexcept { return !queue_.empty() || !rejects_.empty(); }
  /// The next frame of about `max_bytes` with the rejects that must stand before it; empty when there is nothing.
  stage_output next(std::size_t max_bytes);
  /// A tick, when origin or watermark moved since the last frame handed out (rule 1.7).
  std::optional<frame> tick() { return queue_.tick(); }

  /// State as of `position()`; to be stored only once all output handed out by then is acknowledged (rule 6.2).
  stage_state snapshot() const;

private:
  void collect(const input_frame& in);

  std::unique_ptr<processor> processor_;
  input_state input_;
  output scratch_;
  frame_queue queue_;
  std::vector<marked_reject> rejects_;
  event_batch no_rows_;
  /// The last reject on the rejected subject, for suppression while replaying.
  reject_mark rejected_;
};

} // namespace millrace::runtime
