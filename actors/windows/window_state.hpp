// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the running state of one window definition is, whatever its kind: it takes rows, is told of time, emits
/// results, and can be saved. The kinds are `grid_state` (tumbling, sliding), `session_state`, `count_state`,
/// `global_state`.
#pragma once

#include "actors/windows/cell_store.hpp"
#include "actors/windows/key_table.hpp"
#include "actors/windows/result_rows.hpp"
#include "actors/windows/window_plan.hpp"

#include <memory>
#include <span>
#include <vector>

namespace millrace::windows {

class window_state;

/// What becomes of an event. Over several windows the largest one counts.
enum class fate : std::uint8_t { filtered, expression, late, limit, absorbed };

/// One window's reason for not taking an event.
struct refusal {
  std::uint32_t row = 0;
  std::uint32_t window = 0;
  fate why = fate::filtered;
  /// Limit only: the event's time cannot be represented in windows (else: too many keys or bytes).
  bool out_of_range = false;
  /// Late only: end of the last window that would have taken the event.
  nanoseconds_t end = no_watermark;
};

/// A batch on its way through the windows.
struct batch_pass {
  const event_batch& batch;
  std::span<const argument_view> arguments;
  std::span<const expressions::evaluation> evaluations;
  /// What may close during the rows: before row r, the partition's watermark is min(watermark[r], bound).
  nanoseconds_t bound = no_watermark;
  /// Per row.
  std::vector<fate> fates;
  /// Per row: the watermark at which the last window of an absorbed event is gone, as far as time decides it. Kinds
  /// whose windows end otherwise leave it alone and answer `held`.
  std::vector<nanoseconds_t> expires;
  std::vector<refusal> refusals;
};

/// The bounds of a partition's state over all windows.
struct state_budget {
  limits most;
  std::vector<const window_state*> windows;

  std::size_t keys() const noexcept;
  std::size_t bytes() const noexcept;
  /// Whether one more key may come.
  bool admits_key() const noexcept { return keys() < most.keys && bytes() < most.bytes; }
};

/// Not thread-safe.
class window_state {
public:
  window_state(const window_plan& w, std::uint32_t index, const state_budget& budget)
    : plan_{w}, index_{index}, budget_{budget} {}
  virtual ~window_state() = default;
  window_state(const window_state&) = delete;
  window_state& operator=(const window_state&) = delete;

  /// Takes the rows that `where` accepts, closing windows as the watermark goes.
  virtual void absorb(batch_pass& pass, result_rows& out) = 0;
  /// Closes what is due at the partition watermark `p` and drops what nobody can reach any more. `end_watermark`
  /// closes everything and emits what is left.
  virtual void advance(nanoseconds_t p, result_rows& out) = 0;
  /// To be called at the end of every step.
  virtual void end_step() = 0;
  virtual event_batch results(result_rows& rows) const = 0;
  /// Appends what is due to `out`: one section of results, named after the window.
  virtual void emit(result_rows& rows, output& out);

  virtual std::size_t keys() const noexcept = 0;
  /// Logical size of the state, within 20 % of what it takes in memory.
  virtual std::size_t bytes() const noexcept = 0;
  /// Events in this state whose going time alone does not decide (see `batch_pass::expires`).
  virtual std::uint64_t held() const noexcept { return 0; }

  /// Equal states give equal bytes.
  virtual void save(binary_writer& out) const = 0;
  /// @param p the partition watermark. Failure: the reader is failed.
  virtual void load(binary_reader& in, nanoseconds_t p) = 0;

protected:
  /// The rows that `where` accepts; the others are refused or filtered.
  void select(batch_pass& pass, std::vector<std::uint32_t>& selected);
  void refuse(batch_pass& pass, const refusal& r) const;
  void refuse(batch_pass& pass, std::uint32_t row, fate why, bool out_of_range = false) const {
    refuse(pass, refusal{row, index_, why, out_of_range, no_watermark});
  }

  const window_plan& plan_;
  const std::uint32_t index_;
  const state_budget& budget_;

private:
  std::vector<std::uint32_t> failed_;
};

/// @param input Layout of the rows.
/// @param merge_lanes Partitions of the second step for windows that are merged; 0: compute them in one step.
std::unique_ptr<window_state> make_state(const window_plan& w, const schema& input, std::uint32_t index,
                                         const state_budget& budget, std::uint32_t merge_lanes);

} // namespace millrace::windows
