// SPDX-License-Identifier: Apache-2.0
// The window processor: one batch through all windows, then the ledger of its events.
#include "actors/windows/window_state.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <map>

namespace millrace::windows {

namespace {

constexpr std::uint8_t snapshot_version = 2;

/// The text that a JSON writer quotes, without the quotes.
template <class F>
std::string unquoted(F&& append, std::int64_t value) {
  std::string text;
  append(text, value);
  return text.size() >= 2 ? text.substr(1, text.size() - 2) : text;
}

std::string watermark_text(nanoseconds_t w) {
  if (w == end_watermark)
    return "the end of the input";
  return w == no_watermark ? "unknown" : unquoted(codec::append_timestamp, w);
}

class window_processor final : public processor {
public:
  window_processor(std::shared_ptr<const checked_plan> p, limits l, std::uint32_t merge_lanes)
    : plan_{std::move(p)}, limits_{l}, merge_lanes_{merge_lanes} {
    start();
  }

  void process(const input& in, output& out) override;
  std::string snapshot() const override;
  result<void> restore(std::string_view bytes) override;
  const ledger& counters() const noexcept override { return counters_; }
  std::size_t state_keys() const noexcept override { return budget_.keys(); }
  std::size_t state_bytes() const noexcept override { return budget_.bytes(); }

private:
  /// An empty state.
  void start();
  void load(binary_reader& in);
  bool has_layout(const event_batch& b);
  void refuse_all(const event_batch& b, output& out);
  void evaluate(const event_batch& b);
  void absorb(const event_batch& b, nanoseconds_t watermark, output& out);
  void settle(const batch_pass& pass, output& out);
  void retire();
  void reject(const batch_pass& pass, std::uint32_t row, std::size_t first_refusal, output& out) const;
  std::string detail(const batch_pass& pass, const refusal& r) const;
  std::string late_detail(const batch_pass& pass, const refusal& r) const;

  std::shared_ptr<const checked_plan> plan_;
  limits limits_;
  std::uint32_t merge_lanes_;

  nanoseconds_t watermark_ = no_watermark;
  ledger counters_;
  /// Absorbed events by the watermark at which their last window is gone.
  std::map<nanoseconds_t, std::uint64_t> live_;
  /// Sum of `live_`.
  std::uint64_t timed_ = 0;
  state_budget budget_;
  std::vector<std::unique_ptr<window_state>> windows_;
  std::vector<result_rows> results_;

  schema_ptr known_layout_;
  std::vector<bool> is_argument_;
  std::vector<bool> is_condition_;
  std::vector<expressions::evaluation> evaluations_;
  std::vector<argument_view> arguments_;
  std::vector<std::vector<std::uint64_t>> skips_;
  std::vector<fate> fates_;
  std::vector<nanoseconds_t> expires_;
};

void window_processor::start() {
  watermark_ = no_watermark;
  counters_ = ledger{};
  live_.clear();
  timed_ = 0;
  windows_.clear();
  results_.clear();
  budget_ = state_budget{limits_, {}};
  const auto n = plan_->events.size();
  is_argument_.assign(n, false);
  is_condition_.assign(n, false);
  evaluations_.resize(n);
  arguments_.resize(n);
  skips_.resize(n);
  for (const auto& w : plan_->windows) {
    const auto index = static_cast<std::uint32_t>(windows_.size());
    windows_.push_back(make_state(w, *plan_->input, index, budget_, merge_lanes_));
    results_.emplace_back(w);
    budget_.windows.push_back(windows_.back().get());
    if (w.where)
      is_condition_[*w.where] = true;
    for (const auto& h : w.hidden)
      if (h.argument)
        is_argument_[*h.argument] = true;
  }
}

void window_processor::process(const input& in, output& out) {
  const auto& batch = *in.batch;
  const auto watermark = std::max(watermark_, in.watermark);
  counters_.in += batch.rows;
  if (batch.rows != 0 && !in.section.empty())
    counters_.filtered += batch.rows; // Only events have windows.
  else if (batch.rows != 0 && !has_layout(batch))
    refuse_all(batch, out);
  else if (batch.rows != 0)
    absorb(batch, watermark, out);
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    windows_[i]->advance(watermark, results_[i]);
    windows_[i]->emit(results_[i], out);
    windows_[i]->end_step();
  }
  watermark_ = watermark;
  retire();
}

/// An event is retired when its last window is gone. Where time alone does not say when that is (sessions, counts),
/// the state that holds most events stands for all of them.
void window_processor::retire() {
  while (!live_.empty() && live_.begin()->first <= watermark_) {
    timed_ -= live_.begin()->second;
    live_.erase(live_.begin());
  }
  auto in_state = timed_;
  for (const auto& w : windows_)
    in_state = std::max(in_state, w->held());
  counters_.retired = std::max(counters_.retired, counters_.absorbed - std::min(counters_.absorbed, in_state));
}

bool window_processor::has_layout(const event_batch& b) {
  if (!b.layout || b.columns.size() != plan_->input->size())
    return false;
  // Frames bring a schema of their own each; the last good one is remembered, so its address cannot be reused.
  if (b.layout != known_layout_ && b.layout != plan_->input && *b.layout != *plan_->input)
    return false;
  known_layout_ = b.layout;
  return true;
}

void window_processor::refuse_all(const event_batch& b, output& out) {
  counters_.rejected += b.rows;
  for (std::size_t row = 0; row < b.rows; ++row) {
    rejected_event r;
    r.stage = "window";
    r.reason = "malformed";
    r.detail = "the fields of the event are not those of the pipeline definition";
    if (b.layout)
      codec::append_event(r.body, b, row);
    else
      r.body = "null";
    r.watermark = b.watermark[row];
    r.position = b.position[row];
    r.shard = b.shard[row];
    r.origin = std::to_string(r.shard) + ":" + std::to_string(position_place(r.position)) + ":" +
               std::to_string(position_index(r.position));
    out.rejected.push_back(std::move(r));
  }
}

void window_processor::evaluate(const event_batch& b) {
  for (std::size_t i = 0; i < plan_->events.size(); ++i) {
    const auto& e = plan_->events[i];
    auto& a = arguments_[i];
    a = argument_view{};
    if (e.column && is_argument_[i]) {
      a.values = &b.columns[*e.column];
      a.skip = a.values->has_nulls() ? a.values->nulls.data() : nullptr;
      if (!is_condition_[i])
        continue;
    }
    evaluations_[i] = {};
    e.program->evaluate(b, evaluations_[i]);
    const auto& values = evaluations_[i].values;
    const auto& errors = evaluations_[i].errors;
    if (a.values != nullptr)
      continue;
    a.values = &values;
    a.skip = values.has_nulls() ? values.nulls.data() : nullptr;
    if (errors.empty())
      continue;
    a.failed = &evaluations_[i];
    auto& skip = skips_[i];
    skip = errors;
    for (std::size_t k = 0; k < std::min(skip.size(), values.nulls.size()); ++k)
      skip[k] |= values.nulls[k];
    a.skip = skip.data();
  }
}

void window_processor::absorb(const event_batch& b, nanoseconds_t watermark, output& out) {
  evaluate(b);
  // With rows of one shard, the partition's watermark before row r is the smaller of the row's and the one after
  // the batch: the other shards did not move meanwhile. With several shards that is not known: nothing closes.
  const bool one_shard = std::all_of(b.shard.begin(), b.shard.end(), [&](auto s) { return s == b.shard.front(); });
  batch_pass pass{
    b, arguments_, evaluations_, one_shard ? watermark : watermark_, std::move(fates_), std::move(expires_), {}};
  pass.fates.assign(b.rows, fate::filtered);
  pass.expires.assign(b.rows, no_watermark);
  for (std::size_t i = 0; i < windows_.size(); ++i)
    windows_[i]->absorb(pass, results_[i]);
  settle(pass, out);
  fates_ = std::move(pass.fates);
  expires_ = std::move(pass.expires);
}

void window_processor::settle(const batch_pass& pass, output& out) {
  const auto n = pass.batch.rows;
  std::size_t next_refusal = 0;
  auto refusals = pass.refusals;
  std::stable_sort(refusals.begin(), refusals.end(), [](const auto& x, const auto& y) { return x.row < y.row; });
  const batch_pass sorted{pass.batch, {}, pass.evaluations, pass.bound, {}, {}, std::move(refusals)};
  nanoseconds_t run = no_watermark;
  std::uint64_t* in_run = nullptr;
  for (std::size_t row = 0; row < n; ++row) {
    switch (pass.fates[row]) {
    case fate::absorbed:
      ++counters_.absorbed;
      if (pass.expires[row] == no_watermark)
        continue;
      ++timed_;
      if (in_run == nullptr || pass.expires[row] != run) {
        run = pass.expires[row];
        in_run = &live_[run];
      }
      ++*in_run;
      continue;
    case fate::filtered: ++counters_.filtered; continue;
    case fate::late: ++counters_.late; break;
    case fate::expression:
    case fate::limit: ++counters_.rejected; break;
    }
    while (sorted.refusals[next_refusal].row < row || sorted.refusals[next_refusal].why != pass.fates[row])
      ++next_refusal;
    reject(sorted, static_cast<std::uint32_t>(row), next_refusal, out);
  }
}

void window_processor::reject(const batch_pass& pass, std::uint32_t row, std::size_t first_refusal, output& out) const {
  const auto why = pass.refusals[first_refusal].why;
  const auto& b = pass.batch;
  rejected_event r;
  r.stage = "window";
  r.reason = why == fate::late ? "late" : why == fate::limit ? "limit" : "expression";
  r.watermark = b.watermark[row];
  r.position = b.position[row];
  r.shard = b.shard[row];
  r.origin = std::to_string(r.shard) + ":" + std::to_string(position_place(r.position)) + ":" +
             std::to_string(position_index(r.position));
  for (auto i = first_refusal; i < pass.refusals.size() && pass.refusals[i].row == row; ++i) {
    if (pass.refusals[i].why != why)
      continue;
    if (!r.detail.empty())
      r.detail += "; ";
    r.detail += detail(pass, pass.refusals[i]);
  }
  codec::append_event(r.body, b, row);
  out.rejected.push_back(std::move(r));
}

std::string window_processor::detail(const batch_pass& pass, const refusal& r) const {
  const auto& w = plan_->windows[r.window];
  switch (r.why) {
  case fate::late: return late_detail(pass, r);
  case fate::expression: {
    const auto& e = pass.evaluations[*w.where];
    return "window '" + w.options.name + "': `where` has no result: " +
           (e.is_error(r.row) ? std::string{e.reason(r.row)} : std::string{"the condition is null"});
  }
  case fate::limit:
    if (r.out_of_range)
      return "window '" + w.options.name + "': the event time leaves the range of windows";
    return "window '" + w.options.name + "': a new key beyond the limits of " + std::to_string(limits_.keys) +
           " keys and " + std::to_string(limits_.bytes) + " bytes; raise `limits`, or use more partitions";
  case fate::filtered:
  case fate::absorbed: break;
  }
  return {};
}

std::string window_processor::late_detail(const batch_pass& pass, const refusal& r) const {
  const auto& w = plan_->windows[r.window];
  const auto watermark = std::max(pass.batch.watermark[r.row], watermark_);
  return "late for window '" + w.options.name + "': its last window ends at " + watermark_text(r.end) +
         ", lateness is " + unquoted(codec::append_duration, w.options.lateness) +
         ", the watermark before the event is " + watermark_text(watermark) +
         "; raise event.max_delay or the window's lateness";
}

std::string window_processor::snapshot() const {
  binary_writer out;
  out.u8(snapshot_version);
  out.text(plan_->fingerprint);
  out.i64(watermark_);
  for (const auto n : {counters_.in, counters_.forwarded, counters_.absorbed, counters_.retired, counters_.filtered,
                       counters_.duplicate, counters_.late, counters_.rejected, counters_.skipped})
    out.u64(n);
  out.u64(live_.size());
  for (const auto& [at, n] : live_) {
    out.i64(at);
    out.u64(n);
  }
  for (const auto& w : windows_)
    w->save(out);
  return out.finish();
}

void window_processor::load(binary_reader& in) {
  watermark_ = in.i64();
  for (auto* n : {&counters_.in, &counters_.forwarded, &counters_.absorbed, &counters_.retired, &counters_.filtered,
                  &counters_.duplicate, &counters_.late, &counters_.rejected, &counters_.skipped})
    *n = in.u64();
  for (auto n = in.count(16); n > 0 && in.ok(); --n) {
    const auto at = in.i64();
    timed_ += live_[at] = in.u64();
  }
  for (const auto& w : windows_)
    w->load(in, watermark_);
}

result<void> window_processor::restore(std::string_view bytes) {
  start();
  binary_reader in{bytes};
  if (const auto version = in.u8(); version != snapshot_version)
    return error{ec::corrupt, "window state of an unknown version " + std::to_string(version),
                 "this version reads " + std::to_string(snapshot_version)};
  if (in.text() != plan_->fingerprint)
    return error{ec::corrupt, "window state of another pipeline definition", "restore it with the definition it had"};
  load(in);
  if (!in.at_end())
    return error{ec::corrupt, "window state is cut short or damaged", "use an older snapshot"};
  return {};
}

} // namespace

std::unique_ptr<processor> make_processor(plan_ptr p, limits l, std::uint32_t merge_lanes) {
  auto checked = std::dynamic_pointer_cast<const checked_plan>(std::move(p));
  return checked ? std::make_unique<window_processor>(std::move(checked), l, merge_lanes) : nullptr;
}

} // namespace millrace::windows
