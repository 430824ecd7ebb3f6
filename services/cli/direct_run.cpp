// SPDX-License-Identifier: Apache-2.0
#include "services/cli/direct_run.hpp"

#include <algorithm>

namespace millrace::cli {

direct_run::direct_run(pipeline::definition_ptr d)
  : definition_{std::move(d)}, no_events_{event_batch::make(definition_->enrich->output_schema())},
    no_rows_{event_batch::make(std::make_shared<schema>())} {
  const auto& x = *definition_;
  enrich_ = enrich::make_processor(x.enrich, x.tables);
  if (x.windows && x.windows->size() > 0)
    windows_ = windows::make_processor(x.windows, x.limits);
  if (x.alerts && x.alerts->reads_events())
    event_alerts_ = alerts::make_processor(x.alerts);
  if (x.alerts && x.alerts->reads_windows())
    window_alerts_ = alerts::make_processor(x.alerts);
}

void direct_run::process_windows(const input& in, record_sink& to) {
  windows_->process(in, windowed_);
  for (const auto& r : windowed_.rejected)
    to.rejected(r);
  for (const auto& s : windowed_.sections)
    to.windows(s.name, s.batch);
}

/// The rows of each window first, then the progress of time, which they all share.
void direct_run::process_window_alerts(const input& in) {
  alerted_.clear();
  auto step = in;
  step.watermark = no_watermark;
  for (const auto& s : windowed_.sections) {
    step.section = s.name;
    step.batch = &s.batch;
    window_alerts_->process(step, alerted_);
  }
  step.section = {};
  step.batch = &no_rows_;
  step.watermark = in.watermark;
  window_alerts_->process(step, alerted_);
  transitions_ = std::move(alerted_.sections);
}

void direct_run::process(const event_batch& rows, nanoseconds_t after, nanoseconds_t log_time, record_sink& to) {
  input in;
  in.batch = &rows;
  in.watermark = after;
  for (auto t : rows.time)
    high_time_ = std::max(high_time_, t);
  in.high_time = high_time_;
  in.log_time = log_time;
  enriched_.clear();
  windowed_.clear();
  transitions_.clear();
  enrich_->process(in, enriched_);
  for (const auto& r : enriched_.rejected)
    to.rejected(r);
  in.batch = enriched_.sections.empty() ? &no_events_ : &enriched_.sections.front().batch;
  if (windows_)
    process_windows(in, to);
  if (windows_ && window_alerts_)
    process_window_alerts(in);
  if (event_alerts_) {
    alerted_.clear();
    event_alerts_->process(in, alerted_);
    for (auto& s : alerted_.sections)
      transitions_.push_back(std::move(s));
  }
  for (const auto& s : transitions_)
    to.alerts(s.batch);
}

void direct_run::take_sections(std::vector<section>& out, bool events) {
  auto take = [&](std::vector<section>& from) {
    for (auto& s : from)
      out.push_back(std::move(s));
    from.clear();
  };
  take(windowed_.sections);
  take(transitions_);
  if (events)
    take(enriched_.sections);
}

ledger direct_run::alert_counters() const {
  ledger sum;
  if (event_alerts_)
    sum += event_alerts_->counters();
  if (window_alerts_)
    sum += window_alerts_->counters();
  return sum;
}

} // namespace millrace::cli
