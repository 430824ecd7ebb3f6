// SPDX-License-Identifier: Apache-2.0
// The second step of windows over several partitions (rule 3.4): partial accumulators into results.
//
// The states are those of windows in one step; their rows are partial accumulators instead of events. A row that came
// after the first of its windows may have closed (its watermark says so) waits until every partition is past that
// watermark, and is then taken in the order of (watermark, position): so the results, and their versions, do not depend
// on how the partitions' frames interleave.
#include "actors/windows/partial_state.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <deque>
#include <tuple>

namespace millrace::windows {

namespace {

constexpr std::uint8_t snapshot_version = 1;

/// A window of the second step.
struct merged_window {
  window_plan plan;
  schema_ptr layout;
  std::unique_ptr<window_state> state;
  std::unique_ptr<result_rows> results;
  /// Rows ahead of the partition's watermark.
  event_batch held;
};

class merge_processor final : public processor {
public:
  merge_processor(std::shared_ptr<const checked_plan> p, limits l) : plan_{std::move(p)}, limits_{l} { start(); }

  void process(const input& in, output& out) override;
  std::string snapshot() const override;
  result<void> restore(std::string_view bytes) override;
  const ledger& counters() const noexcept override { return counters_; }
  std::size_t state_keys() const noexcept override { return budget_.keys(); }
  std::size_t state_bytes() const noexcept override { return budget_.bytes() + held_bytes(); }

private:
  std::size_t held_bytes() const noexcept {
    std::size_t n = 0;
    for (const auto& w : windows_)
      n += estimate_bytes(w.held);
    return n;
  }
  void start();
  void load(binary_reader& in);
  bool load_held(binary_reader& in, merged_window& w);
  void take_section(const input& in, output& out);
  void absorb(merged_window& w, const event_batch& rows, nanoseconds_t bound, output& out);
  void release(merged_window& w, nanoseconds_t watermark, output& out);
  void reject(const event_batch& b, std::size_t row, std::string reason, std::string detail, output& out) const;

  std::shared_ptr<const checked_plan> plan_;
  limits limits_;
  nanoseconds_t watermark_ = no_watermark;
  ledger counters_;
  state_budget budget_;
  std::deque<merged_window> windows_;
};

/// The rows with dictionaries of their texts alone: what rows that are gone have left would grow for ever.
event_batch compacted(const event_batch& in) {
  batch_builder out{in.layout};
  for (std::size_t row = 0; row < in.rows; ++row) {
    for (std::size_t i = 0; i < in.columns.size(); ++i) {
      const auto& c = in.columns[i];
      if (c.is_null(row))
        continue;
      if (is_text(c.type))
        out.set_text(i, c.text(row));
      else if (c.type == data_type::boolean)
        out.set_bool(i, c.b8[row] != 0);
      else if (c.type == data_type::float64)
        out.set_double(i, c.f64[row]);
      else if (c.type == data_type::uint64)
        out.set_uint(i, c.u64(row));
      else
        out.set_int(i, c.i64[row]);
    }
    out.finish_row(in.time[row], in.watermark[row], in.position[row], in.shard[row]);
  }
  return out.finish();
}

/// The same window over rows that are partial accumulators.
window_plan second_step(const window_plan& first, const schema& layout) {
  auto w = first;
  w.where.reset();
  for (std::size_t i = 0; i < w.key_columns.size(); ++i)
    w.key_columns[i] = i;
  w.partial_column = layout.size() - 1;
  return w;
}

void merge_processor::start() {
  watermark_ = no_watermark;
  windows_.clear();
  budget_ = state_budget{limits_, {}};
  for (const auto& first : plan_->windows) {
    if (!first.options.merged)
      continue;
    const auto layout = partial_layout(first, *plan_->input);
    auto& w = windows_.emplace_back();
    w.plan = second_step(first, *layout);
    w.layout = layout;
    w.held = event_batch::make(layout);
    w.state = make_state(w.plan, *layout, static_cast<std::uint32_t>(windows_.size() - 1), budget_, 0);
    w.results = std::make_unique<result_rows>(w.plan);
    budget_.windows.push_back(w.state.get());
  }
}

void merge_processor::process(const input& in, output& out) {
  if (in.batch->rows != 0)
    take_section(in, out);
  const auto watermark = std::max(watermark_, in.watermark);
  for (auto& w : windows_) {
    if (watermark > watermark_)
      release(w, watermark, out);
    w.state->advance(watermark, *w.results);
    w.state->emit(*w.results, out);
    w.state->end_step();
  }
  watermark_ = watermark;
}

void merge_processor::take_section(const input& in, output& out) {
  const auto& b = *in.batch;
  const auto it =
    std::find_if(windows_.begin(), windows_.end(), [&](const auto& w) { return w.plan.options.name == in.section; });
  if (it == windows_.end() || !b.layout || *b.layout != *it->layout) {
    for (std::size_t row = 0; row < b.rows; ++row)
      reject(b, row, "malformed", "the partial result is not of a window of the pipeline definition", out);
    return;
  }
  std::vector<std::uint32_t> ready;
  std::vector<std::uint32_t> held;
  for (std::uint32_t row = 0; row < b.rows; ++row) {
    const auto bounds = it->plan.grid.slice_at(b.time[row]);
    const bool late = bounds && b.watermark[row] >= bounds->first_end;
    (late ? held : ready).push_back(row);
  }
  if (!held.empty())
    append(it->held, take(b, held));
  if (held.empty())
    absorb(*it, b, watermark_, out);
  else if (!ready.empty())
    absorb(*it, take(b, ready), watermark_, out);
}

void merge_processor::release(merged_window& w, nanoseconds_t watermark, output& out) {
  auto& b = w.held;
  if (b.rows == 0)
    return;
  std::vector<std::uint32_t> due;
  std::vector<std::uint32_t> rest;
  for (std::uint32_t row = 0; row < b.rows; ++row)
    (b.watermark[row] < watermark ? due : rest).push_back(row);
  if (due.empty())
    return;
  const auto rank = [&](auto row) { return std::tie(b.watermark[row], b.shard[row], b.position[row]); };
  std::sort(due.begin(), due.end(), [&](auto x, auto y) { return rank(x) < rank(y); });
  const auto rows = take(b, due);
  b = compacted(take(b, rest));
  absorb(w, rows, watermark, out);
}

void merge_processor::absorb(merged_window& w, const event_batch& rows, nanoseconds_t bound, output& out) {
  batch_pass pass{rows,
                  {},
                  {},
                  bound,
                  std::vector<fate>(rows.rows, fate::filtered),
                  std::vector<nanoseconds_t>(rows.rows, no_watermark),
                  {}};
  w.state->absorb(pass, *w.results);
  const auto what = [&](const refusal& r) -> std::string {
    if (r.why == fate::late)
      return "partial results of events that came too late";
    if (r.out_of_range)
      return "partial results of events whose time leaves the range of windows";
    return "partial results of events of a new key beyond the limits of " + std::to_string(limits_.keys) +
           " keys and " + std::to_string(limits_.bytes) + " bytes; raise `limits`, or use more partitions";
  };
  for (const auto& r : pass.refusals)
    reject(rows, r.row, r.why == fate::late ? "late" : "limit", "window '" + w.plan.options.name + "': " + what(r),
           out);
}

void merge_processor::reject(const event_batch& b, std::size_t row, std::string reason, std::string detail,
                             output& out) const {
  rejected_event r;
  r.stage = "window";
  r.reason = std::move(reason);
  r.detail = std::move(detail);
  // What is left of the events: whose they were.
  r.body = "{";
  for (std::size_t c = 0; b.layout && c + 1 < b.columns.size(); ++c) {
    if (c > 0)
      r.body += ',';
    codec::append_string(r.body, (*b.layout)[c].name);
    r.body += ':';
    codec::append_value(r.body, b.columns[c], row);
  }
  r.body += '}';
  r.watermark = b.watermark[row];
  r.position = b.position[row];
  r.shard = b.shard[row];
  r.origin = std::to_string(r.shard) + ":" + std::to_string(position_place(r.position)) + ":" +
             std::to_string(position_index(r.position));
  out.rejected.push_back(std::move(r));
}

std::string merge_processor::snapshot() const {
  binary_writer out;
  out.u8(snapshot_version);
  out.text(plan_->fingerprint);
  out.i64(watermark_);
  frame_encoder encoder;
  for (const auto& w : windows_) {
    w.state->save(out);
    frame f;
    if (w.held.rows != 0)
      f.sections.push_back(section{w.plan.options.name, compacted(w.held)});
    out.text(encoder.encode(f));
  }
  return out.finish();
}

bool merge_processor::load_held(binary_reader& in, merged_window& w) {
  auto f = decode_frame(in.text());
  if (!in.ok() || !f || f->sections.size() > 1)
    return false;
  if (f->sections.empty())
    return true;
  w.held = std::move(f->sections.front().batch);
  return w.held.layout && *w.held.layout == *w.layout;
}

void merge_processor::load(binary_reader& in) {
  watermark_ = in.i64();
  for (auto& w : windows_) {
    w.state->load(in, watermark_);
    if (!load_held(in, w))
      in.fail();
  }
}

result<void> merge_processor::restore(std::string_view bytes) {
  start();
  binary_reader in{bytes};
  if (const auto version = in.u8(); version != snapshot_version)
    return error{ec::corrupt, "state of merged windows of an unknown version " + std::to_string(version),
                 "this version reads " + std::to_string(snapshot_version)};
  if (in.text() != plan_->fingerprint)
    return error{ec::corrupt, "state of merged windows of another pipeline definition",
                 "restore it with the definition it had"};
  load(in);
  if (!in.at_end())
    return error{ec::corrupt, "state of merged windows is cut short or damaged", "use an older snapshot"};
  return {};
}

} // namespace

std::unique_ptr<processor> make_merge_processor(plan_ptr p, limits l) {
  auto checked = std::dynamic_pointer_cast<const checked_plan>(std::move(p));
  return checked ? std::make_unique<merge_processor>(std::move(checked), l) : nullptr;
}

} // namespace millrace::windows
