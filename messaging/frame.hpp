// SPDX-License-Identifier: Apache-2.0
/// @file
/// The wire format of everything that stands on a Millrace log: FlatBuffers inside an envelope with
/// magic, version and XXH3-64 checksum. Untrusted bytes are verified before use. See docs/adr/0002.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Frames never exceed this many bytes, below the broker's `max_payload` of 1 MiB.
inline constexpr std::size_t max_frame_bytes = 1000 * 1000;
/// Under load, a frame is cut at about this size (rule 2.3).
inline constexpr std::size_t default_frame_bytes = 256 * 1024;

enum class frame_kind : std::uint8_t {
  /// Rows, and what they make of origin and watermark.
  rows = 0,
  /// No rows: origin and watermark moved (rule 1.7).
  tick = 1,
  /// A new owner took the subject (rule 2.1).
  claim = 2,
  /// The owner left in order (rule 2.7).
  release = 3,
  /// A piece of a snapshot: `note` is the snapshot's id, `blob` the bytes.
  chunk = 4,
  /// The end of a snapshot: `blob` is JSON naming position, epoch and chunks.
  manifest = 5,
};

/// What input a frame covers (rule 1.4).
struct origin {
  /// Sequence of the last input message covered whole (for a file: byte offset after its last line); 0: none yet.
  std::uint64_t sequence = 0;
  /// Checksum of that input message; 0 where the source has none.
  std::uint64_t checksum = 0;
  /// Output rows already written on this subject that derive from input after `sequence`: what a replay of the
  /// next input suppresses, whatever the frame boundaries were. Frames with rows > 0 advance nothing else.
  std::uint64_t rows = 0;

  friend bool operator==(const origin&, const origin&) = default;
};

/// Dispositions of events in one stage and partition, for the ledger (section 9).
struct ledger {
  std::uint64_t in = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t retired = 0;
  std::uint64_t filtered = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t late = 0;
  std::uint64_t rejected = 0;
  std::uint64_t skipped = 0;

  /// in − (forwarded + absorbed + filtered + duplicate + late + rejected + skipped); always 0.
  /// (`retired` is the part of `absorbed` whose last window is gone.)
  std::int64_t imbalance() const noexcept {
    return static_cast<std::int64_t>(in - (forwarded + absorbed + filtered + duplicate + late + rejected + skipped));
  }
  friend bool operator==(const ledger&, const ledger&) = default;
};
ledger& operator+=(ledger& a, const ledger& b) noexcept;

/// Rows of one schema inside a frame. `name` is empty for events, the window's name for window results,
/// `alerts` for alert transitions.
struct section {
  std::string name;
  event_batch batch;
  /// Which of the stage's output subjects the rows go to: an index, 0 for most stages. Not on the wire.
  std::uint32_t lane = 0;
};

struct frame {
  frame_kind kind = frame_kind::rows;
  /// Instance that wrote it, for people.
  std::string writer;
  /// Ownership of the subject (section 2) and consecutive number on it (rule 1.6).
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  /// Checksum of the predecessor on the subject; 0 for the first.
  std::uint64_t previous = 0;
  millrace::origin origin;
  /// Holds after the frame's rows. `no_watermark` until known, `end_watermark` once the input has ended.
  nanoseconds_t watermark = no_watermark;
  /// The writer's watermark as of `origin`, from which it resumes. Differs from `watermark` only in a frame that ends
  /// inside an input (`origin.rows` > 0): its readers are told how far its rows have brought time (docs/adr/0008).
  nanoseconds_t origin_watermark = no_watermark;
  /// Largest event time seen so far by the writer; `no_watermark` if none.
  nanoseconds_t high_time = no_watermark;
  /// The writer has read to its source's end and nothing came for `idle_timeout` (rule 4.2).
  bool idle = false;
  /// Broker time at which the oldest source message behind the rows was stored, ns; 0 if unknown. For latency only.
  nanoseconds_t source_stamp = 0;
  /// Fingerprint of the pipeline definition that computed the rows (rule 7.2).
  std::uint64_t definition = 0;
  /// The writer's counters as of `origin`.
  millrace::ledger counters;
  std::string note;
  std::string blob;
  std::vector<section> sections;

  std::size_t rows() const noexcept {
    std::size_t n = 0;
    for (const auto& s : sections)
      n += s.batch.rows;
    return n;
  }
};

/// Encodes frames; reuses its buffers. Not thread-safe.
class frame_encoder {
public:
  frame_encoder();
  ~frame_encoder();
  frame_encoder(const frame_encoder&) = delete;
  frame_encoder& operator=(const frame_encoder&) = delete;

  /// The encoded frame. The caller keeps it below `max_frame_bytes` by cutting (`estimate_bytes`).
  std::string encode(const frame& f);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Upper estimate of the encoded size of a batch, cheap: for cutting.
std::size_t estimate_bytes(const event_batch& b) noexcept;

/// Verifies and decodes. Errors: ec::corrupt with what was wrong (magic, version, checksum, verifier,
/// column lengths, codes out of range, encodings). Never reads beyond `bytes`, never allocates more than a
/// small multiple of the bytes plus 64 MiB of expanded constant columns (row count is bounded).
result<frame> decode_frame(std::string_view bytes);

/// The checksum in an encoded frame's envelope; 0 when it is not a frame.
std::uint64_t frame_checksum(std::string_view bytes) noexcept;

} // namespace millrace
