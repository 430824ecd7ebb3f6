// SPDX-License-Identifier: Apache-2.0
/// @file
/// Session windows: activity of a key up to a gap of silence, [first, last + gap), on accumulators only.
///
/// An event joins the session before it and the session after it (by first event) if it is closer than `gap` to them,
/// which merges the two. Sessions that nobody can reach at its row watermark any more (watermark >= end + lateness) do
/// not count, whether they are still in memory or not: so what a session holds depends on the events and their
/// watermarks, never on batches. An event that joins none is late if it could not be reached itself, else it opens one.
///
/// `max` bounds last - first. An event that would stretch a session beyond `max` does not join it; if it can join the
/// session before or the session after it but not both, it joins the earlier one. So a long activity is cut where the
/// event came that did not fit: the sessions' events stay apart in time, though the end (last + gap) of one may lie
/// after the start of the next.
///
/// A session is known by its key and start. It is emitted when the watermark reaches its end, at once for a late
/// event that leaves the end behind the watermark, and, once it has begun, at multiples of `early` between (not before
/// its start: which multiples the watermark passed before it was first known depends on batches). When its start moves,
/// or another session absorbs it, what was published is retracted; the new start begins with version 0.
#pragma once

#include "actors/windows/window_state.hpp"

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

namespace millrace::windows {

/// Not thread-safe.
class session_state final : public window_state {
public:
  session_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget);

  void absorb(batch_pass& pass, result_rows& out) override;
  void advance(nanoseconds_t p, result_rows& out) override;
  void end_step() override { keys_.sweep(); }
  event_batch results(result_rows& out) const override { return out.finish(keys_); }

  std::size_t keys() const noexcept override { return keys_.live(); }
  std::size_t bytes() const noexcept override;
  std::uint64_t held() const noexcept override { return held_; }

  void save(binary_writer& out) const override;
  void load(binary_reader& in, nanoseconds_t p) override;

private:
  using session_id = std::uint32_t;
  static constexpr session_id no_session = std::numeric_limits<session_id>::max();
  static constexpr nanoseconds_t unchanged = end_watermark;

  struct session {
    nanoseconds_t first = 0;
    nanoseconds_t last = 0;
    /// Where it stands in the queue: at or before what is due next.
    nanoseconds_t queued = 0;
    std::uint64_t serial = 0;
    std::uint64_t events = 0;
    /// How often it was emitted under this start.
    std::int64_t emitted = 0;
    /// When an early result is due, if it has changed.
    nanoseconds_t tick = unchanged;
    key_id key = no_key;
    cell_id cell = 0;
    /// The watermark has reached the end.
    bool closed = false;
    /// It has closed under this start: alert rules have seen it, and do not look again when a late event reopens it.
    bool announced = false;
  };
  /// Key, first event, and the order of opening.
  using place_key = std::tuple<key_id, nanoseconds_t, std::uint64_t>;
  using place_map = absl::btree_map<place_key, session_id>;
  /// A session that is gone but for its last emission.
  struct leaving_session {
    key_id key;
    cell_id cell;
    emission what;
  };
  /// A row under way; `watermark` decides what it can reach.
  struct row_context {
    std::uint32_t row;
    key_id key;
    nanoseconds_t time;
    nanoseconds_t watermark;
  };

  nanoseconds_t end_of(const session& s) const noexcept { return s.last + gap_; }
  bool in_range(nanoseconds_t time) const noexcept {
    return time > no_watermark + margin_ && time < end_watermark - margin_;
  }
  bool reaches(const session& s, nanoseconds_t watermark) const noexcept { return end_of(s) + lateness_ > watermark; }
  bool fits_newest(const row_context& r) const noexcept;
  bool joins(const session& s, const row_context& r) const noexcept;
  bool can_merge(const session& left, const session& right) const noexcept {
    return max_ == 0 || std::max(left.last, right.last) <= left.first + max_;
  }

  void take(batch_pass& pass, const row_context& r, session& s);
  void take_slowly(batch_pass& pass, const row_context& r, result_rows& out);
  /// The session that the row goes to, with its range; none if the row was refused.
  session_id place(batch_pass& pass, const row_context& r, result_rows& out);
  void flush(const batch_pass& pass, result_rows& out);
  /// The nearest session at or before the row's time, and after it, that the row can reach.
  session_id session_before(const row_context& r, place_map::const_iterator from) const;
  session_id session_after(const row_context& r, place_map::const_iterator from) const;

  static place_key place_of(const session& s) { return {s.key, s.first, s.serial}; }
  void set_newest(key_id key);
  session_id open(key_id key, nanoseconds_t first);
  void move_start(session_id id, const row_context& r, result_rows& out);
  void merge(session_id into, session_id from, const row_context& r, result_rows& out);
  /// The cell stays with the caller.
  void drop(session_id id);

  void queue(session_id id, nanoseconds_t at);
  void mark(session_id id);
  void unmark(session_id id);
  void publish(session_id id, const emission& how, result_rows& out);
  void retract(const session& s, nanoseconds_t due, result_rows& out) const;
  void pass_time(nanoseconds_t p, result_rows& out);
  void close_until(nanoseconds_t p, result_rows& out);
  void leave(result_rows& out);
  void emit_early(nanoseconds_t tick, result_rows& out);
  nanoseconds_t next_tick() const noexcept { return changed_.empty() ? end_watermark : changed_.begin()->first; }

  bool load_session(binary_reader& in, const std::vector<key_id>& ids, std::uint64_t& rank, nanoseconds_t p);

  const nanoseconds_t gap_;
  const nanoseconds_t max_;
  const nanoseconds_t lateness_;
  const nanoseconds_t early_;
  /// Times closer than this to the ends of the range could overflow.
  const nanoseconds_t margin_;

  key_table keys_;
  cell_store cells_;
  std::vector<session> sessions_;
  std::vector<session_id> free_;
  /// In order; a session that only slower shards can reach may have the start of one that others have opened since.
  place_map by_start_;
  /// By key id: the last session in that order.
  std::vector<session_id> newest_;
  std::uint64_t next_serial_ = 0;
  /// Sessions by a time at or before their next closing or dropping. Growing sessions stay where they are until that
  /// time comes, so that an event costs nothing here.
  absl::btree_set<std::pair<nanoseconds_t, session_id>> queue_;
  /// Open sessions that have changed, by the tick of their early result.
  absl::btree_set<std::pair<nanoseconds_t, session_id>> changed_;
  std::uint64_t held_ = 0;

  /// The partition watermark.
  nanoseconds_t closed_ = no_watermark;
  /// Nothing is due before this.
  nanoseconds_t next_due_ = end_watermark;

  /// Rows taken but not yet added to their cells.
  std::vector<std::uint32_t> pending_rows_;
  std::vector<cell_id> pending_cells_;
  /// Sessions closed for good, which wait for their pending rows.
  std::vector<leaving_session> leaving_;
  std::vector<std::uint32_t> selected_;
};

} // namespace millrace::windows
