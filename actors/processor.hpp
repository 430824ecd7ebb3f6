// SPDX-License-Identifier: Apache-2.0
/// @file
/// The contract of a processor (rule 1.2): plain single-threaded C++ that sees one input at a time and
/// appends rows. No I/O, threads, clock or unseeded randomness; no unordered iteration that reaches the
/// output; `restore(snapshot(x))` behaves exactly as x.
///
/// Who calls: the partition of the runtime, or `millrace batch` directly; always one thread at a time.
#pragma once

#include "messaging/errors.hpp"
#include "messaging/event_batch.hpp"
#include "messaging/frame.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// One step of input: some rows (of one section) and then, perhaps, progress of time.
struct input {
  /// Section name: empty for events, the window's name for results.
  std::string_view section;
  /// Never null; may have no rows (time only).
  const event_batch* batch = nullptr;
  /// The partition's watermark after the rows: the minimum over its writers. `end_watermark`: input has ended.
  nanoseconds_t watermark = no_watermark;
  /// Largest event time of the input so far.
  nanoseconds_t high_time = no_watermark;
  /// Log time (rule 1.3) of the input frame, ns.
  nanoseconds_t log_time = 0;
};

/// `shard` (envelope) of a window result by which its window closes: the emission that alert rules evaluate. Other rows
/// have 0.
inline constexpr std::uint32_t row_closing = 1;

/// An event that has no effect, with its reason.
struct rejected_event {
  /// `ingest`, `enrich`, `window`, `alert`, `storage`.
  std::string stage;
  /// `malformed`, `type`, `missing`, `expression`, `lookup`, `future`, `late`, `limit`, `oversize`, `poison`.
  std::string reason;
  /// `<shard>:<place>:<index>` for people and tools.
  std::string origin;
  /// What exactly, naming field, position and remedy.
  std::string detail;
  /// The event as JSON text, or the original bytes when they are not JSON (`is_json` false).
  std::string body;
  bool is_json = true;
  /// Envelope, for ordering and for Millrace-Origin.
  nanoseconds_t watermark = no_watermark;
  std::int64_t position = 0;
  std::uint32_t shard = 0;
};

/// Collects what a processor emits for one input. Sections keep the order of first use.
struct output {
  std::vector<section> sections;
  std::vector<rejected_event> rejected;

  void clear() {
    sections.clear();
    rejected.clear();
  }
  std::size_t rows() const noexcept {
    std::size_t n = 0;
    for (const auto& s : sections)
      n += s.batch.rows;
    return n;
  }
};

class processor {
public:
  virtual ~processor() = default;

  /// Takes the rows, then the progress of time; appends to `out`. Must not throw for bad data: that is what
  /// `out.rejected` is for.
  virtual void process(const input& in, output& out) = 0;

  /// Takes a change that was logged at this place of the input (rule 7.1), e.g. the new contents of the lookup table
  /// `name`: between two calls of `process`, never within one. Part of the state: a snapshot contains its effect, and a
  /// replay gets it at the same place again. Errors leave the state as it was.
  virtual result<void> control(std::string_view name, std::string_view contents) {
    (void)name, (void)contents;
    return {};
  }

  /// Everything `process` depends on beside its input, counters included. Equal states give equal bytes.
  virtual std::string snapshot() const = 0;
  /// Takes the state of a snapshot by the same definition. Errors: ec::corrupt; the processor is then unusable.
  virtual result<void> restore(std::string_view bytes) = 0;

  /// Dispositions so far (part of the state).
  virtual const ledger& counters() const noexcept = 0;
  /// Keys and approximate bytes of state.
  virtual std::size_t state_keys() const noexcept { return 0; }
  virtual std::size_t state_bytes() const noexcept { return 0; }
};

} // namespace millrace
