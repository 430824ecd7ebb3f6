// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every metric family of Millrace in one place. Names and labels are a promise to dashboards and alert rules: they
/// never change. The layer above passes plain numbers and never sees the metrics library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::metrics {

/// Totals of dispositions since the partition began; the same members as the ledger of a frame.
struct ledger_totals {
  std::uint64_t in = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t absorbed = 0;
  std::uint64_t retired = 0;
  std::uint64_t filtered = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t late = 0;
  std::uint64_t rejected = 0;
  std::uint64_t skipped = 0;
};

/// One line of the reference: `type` is `counter`, `gauge` or `histogram`.
struct family_info {
  std::string_view name;
  std::string_view type;
  /// Label names, comma-separated, in the order the reference lists them.
  std::string_view labels;
  std::string_view help;
};

/// All families, in the order of the reference.
const std::vector<family_info>& families();

/// What one stage of one partition reports. Lives as long as its registry.
///
/// Thread-safety: every function may be called from any thread, except that `set_ledger` wants one caller at a time.
class stage_metrics {
public:
  virtual ~stage_metrics() = default;

  /// Raises `millrace_events_total` to the given totals (a smaller total changes nothing: counters never go back) and
  /// sets `millrace_ledger_imbalance`.
  virtual void set_ledger(const ledger_totals& totals) = 0;
  virtual void add_rejected(std::string_view reason, std::uint64_t n = 1) = 0;
  virtual void add_alert(std::string_view rule, std::string_view state, std::uint64_t n = 1) = 0;

  /// Input messages not yet read, and how far log time is behind the newest of them.
  virtual void set_lag(double events, double seconds) = 0;
  /// Event time in seconds since the epoch, and its distance to log time. Call only with a known watermark: the
  /// series exists from the first call on.
  virtual void set_watermark(double seconds, double delay_seconds) = 0;
  virtual void set_state(double keys, double bytes) = 0;
  /// Raises `millrace_lookups_total` to the given totals, as `set_ledger` does, and sets the rows of the contents in
  /// use.
  virtual void set_lookups(std::string_view table, std::uint64_t hits, std::uint64_t misses, double rows) = 0;
  virtual void set_snapshot(double seconds, double bytes) = 0;
  virtual void set_snapshot_age(double seconds) = 0;

  /// Broker time of the input frame to acknowledged output. Negative (clocks) counts as 0.
  virtual void observe_stage_seconds(double seconds) = 0;
  /// Source stored to result stored.
  virtual void observe_end_to_end_seconds(double seconds) = 0;
  virtual void observe_frame(double events, double bytes) = 0;

  /// Takes the gauges out of the exposition: the partition is no longer ours. Counters and histograms stay; the next
  /// `set_*` brings a gauge back.
  virtual void retire() = 0;
};

/// What one service of one pipeline reports, whichever partitions it owns. Thread-safe.
class service_metrics {
public:
  virtual ~service_metrics() = default;

  virtual void set_partitions_owned(double n) = 0;
  virtual void add_claim() = 0;
  virtual void add_fenced() = 0;
  virtual void set_broker_connected(bool connected) = 0;
  virtual void add_broker_reconnect() = 0;
  /// `target` names the notifier; `outcome` is `sent`, `failed` or `dropped`.
  virtual void add_notification(std::string_view target, std::string_view outcome, std::uint64_t n = 1) = 0;
};

/// The metrics of one process. Thread-safe.
class registry {
public:
  registry(std::string_view version, std::string_view commit);
  ~registry();
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;

  /// The same arguments give the same object, so counters survive a restarted partition. `service` is the long name
  /// (`window-aggregate`), `stage` the short one (`window`).
  stage_metrics& stage(std::string_view pipeline, std::string_view service, std::string_view stage,
                       std::string_view partition);
  service_metrics& service(std::string_view pipeline, std::string_view service);

  /// The text exposition format, for `/metrics`.
  std::string render() const;
  /// Its content type.
  static std::string_view content_type() noexcept { return "text/plain; version=0.0.4; charset=utf-8"; }

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace millrace::metrics
