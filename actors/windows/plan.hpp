// SPDX-License-Identifier: Apache-2.0
/// @file
/// The window-aggregate stage: options, the checked plan, and its processor.
#pragma once

#include "actors/processor.hpp"
#include "messaging/errors.hpp"
#include "messaging/schema.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::windows {

enum class window_kind : std::uint8_t { tumbling, sliding, session, count, global };

/// Events in one count window, at most.
inline constexpr std::uint64_t max_count = 1'000'000;

struct window_options {
  std::string name;
  /// Fields of the key; empty: one window over everything.
  std::vector<std::string> key;
  window_kind kind = window_kind::tumbling;
  nanoseconds_t size = 0;
  /// Slide; equal to `size` for tumbling; the period of a global window.
  nanoseconds_t every = 0;
  nanoseconds_t lateness = 0;
  /// CEL over the event; empty: all.
  std::string where;
  /// name: aggregate call, or an expression over aggregate calls and earlier names; in order.
  std::vector<std::pair<std::string, std::string>> aggregates;
  /// Session: silence that ends one, and the longest one (0: no bound).
  nanoseconds_t gap = 0;
  nanoseconds_t max = 0;
  /// Count: events in a window, and events from one window to the next.
  std::int64_t count = 0;
  std::int64_t count_every = 0;
  /// Emit partial results this often (event time), if changed; 0: never.
  nanoseconds_t early = 0;
  /// The key does not contain the event key: partitions compute partial accumulators, which are merged by this key
  /// (rule 3.4). Live only; tumbling, sliding and global windows.
  bool merged = false;
};

/// State bounds of one partition (rule 7.4).
struct limits {
  std::uint64_t keys = 1'000'000;
  std::uint64_t bytes = 1ULL << 30;
};

/// Checked windows with compiled expressions. Immutable, thread-safe.
class plan {
public:
  virtual ~plan() = default;
  virtual schema_ptr input_schema() const = 0;
  virtual std::size_t size() const = 0;
  virtual const window_options& window(std::size_t i) const = 0;
  /// Layout of the result section of window i: key fields (nullable as in the input), `$start`, `$end` (timestamp), for
  /// count windows `$seq` (int64),
  /// `$version` (int64), `$final` (bool), `$retracted` (bool), one nullable field per aggregate in order, `$errors`
  /// (json, nullable).
  virtual schema_ptr result_schema(std::size_t i) const = 0;
  virtual std::vector<std::string> fields_read() const = 0;
};
using plan_ptr = std::shared_ptr<const plan>;

/// Reports every finding with its path (`windows[0].aggregate.vwap`, `windows[1].key[0]`, `windows[0].where`).
plan_ptr make_plan(std::vector<window_options> windows, schema_ptr input, std::vector<diagnostic>& findings);

/// Emits one section per window named after it. Result rows: `time` = window end, `watermark` = end (the smallest
/// watermark at which the window is due; for a late update the row watermark of the late event), ordered by end,
/// then key text, within one progress of time. Windows close per row watermark (`batch.watermark`, with the
/// partition watermark as the bound of what may close) and by `input.watermark` after the rows; `end_watermark`
/// closes everything. An event counts once in the ledger: see interface.md, "Stages and reasons".
///
/// @param merge_lanes Partitions of the second step (rule 3.4): the sections of windows that are `merged` then carry
/// partial accumulators instead of results, those for partition q in output lane 1 + q. 0: every window in one step.
std::unique_ptr<processor> make_processor(plan_ptr p, limits l, std::uint32_t merge_lanes = 0);

/// The second step: takes the partial accumulators of all partitions, emits the results of the `merged` windows. Its
/// ledger stays zero: its rows are parts of events that the first step has counted.
std::unique_ptr<processor> make_merge_processor(plan_ptr p, limits l);

} // namespace millrace::windows
