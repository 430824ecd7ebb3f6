// SPDX-License-Identifier: Apache-2.0
/// @file
/// The stages behind ingest composed in one thread, with no log between them: what `millrace batch` and
/// `millrace test` run (docs/adr/0003-batch.md).
#pragma once

#include "actors/processor.hpp"
#include "services/pipeline/definition.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// Takes the records of one step as the stages make them.
class record_sink {
public:
  virtual ~record_sink() = default;
  virtual void rejected(const rejected_event& r) = 0;
  virtual void windows(std::string_view name, const event_batch& rows) = 0;
  virtual void alerts(const event_batch& rows) = 0;
};

/// Not thread-safe.
class direct_run {
public:
  explicit direct_run(pipeline::definition_ptr d);

  /// Takes rows of ingest (they carry the watermarks before them) through enrich, windows and alerts.
  /// @param after The watermark behind the rows, over all inputs; `end_watermark` closes everything.
  /// @param log_time 0 where there is none.
  void process(const event_batch& rows, nanoseconds_t after, nanoseconds_t log_time, record_sink& to);

  /// Moves what the last step made to `out`: window results, alert transitions and, with `events`, enriched events.
  void take_sections(std::vector<section>& out, bool events);

  const ledger& enrich_counters() const noexcept { return enrich_->counters(); }
  bool has_windows() const noexcept { return windows_ != nullptr; }
  const ledger& window_counters() const noexcept { return windows_->counters(); }
  bool has_alerts() const noexcept { return event_alerts_ || window_alerts_; }
  ledger alert_counters() const;

private:
  void process_windows(const input& in, record_sink& to);
  void process_window_alerts(const input& in);

  pipeline::definition_ptr definition_;
  std::unique_ptr<processor> enrich_;
  std::unique_ptr<processor> windows_;
  std::unique_ptr<processor> event_alerts_;
  std::unique_ptr<processor> window_alerts_;
  nanoseconds_t high_time_ = no_watermark;
  event_batch no_events_;
  event_batch no_rows_;
  output enriched_;
  output windowed_;
  output alerted_;
  std::vector<section> transitions_;
};

} // namespace millrace::cli
