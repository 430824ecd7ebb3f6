// SPDX-License-Identifier: Apache-2.0
#include "metrics/families.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <tuple>
#include <utility>

namespace millrace::metrics {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::string_view by_partition = "pipeline,service,partition";
constexpr std::string_view by_service = "pipeline,service";

// From half a millisecond (one broker round trip) to a minute (a restart), densest around the promised 50 ms.
const Histogram::BucketBoundaries seconds_buckets{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075,
                                                  0.1,    0.2,   0.5,   1,     2,    5,    10,   30,   60};
const Histogram::BucketBoundaries events_buckets{0, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536};
// The largest is the limit of a frame.
const Histogram::BucketBoundaries bytes_buckets{256, 1024, 4096, 16384, 65536, 131072, 262144, 524288, 1000000};

Family<Counter>& counter_family(prometheus::Registry& r, const family_info& f) {
  return prometheus::BuildCounter().Name(std::string{f.name}).Help(std::string{f.help}).Register(r);
}
Family<Gauge>& gauge_family(prometheus::Registry& r, const family_info& f) {
  return prometheus::BuildGauge().Name(std::string{f.name}).Help(std::string{f.help}).Register(r);
}
Family<Histogram>& histogram_family(prometheus::Registry& r, const family_info& f) {
  return prometheus::BuildHistogram().Name(std::string{f.name}).Help(std::string{f.help}).Register(r);
}

/// The families by name. A name that is not in the list is a programmer's error, found by every test.
struct family_set {
  explicit family_set(prometheus::Registry& r) {
    for (const auto& f : families()) {
      if (f.type == "counter")
        counters.emplace(f.name, &counter_family(r, f));
      else if (f.type == "gauge")
        gauges.emplace(f.name, &gauge_family(r, f));
      else
        histograms.emplace(f.name, &histogram_family(r, f));
    }
  }

  std::map<std::string_view, Family<Counter>*> counters;
  std::map<std::string_view, Family<Gauge>*> gauges;
  std::map<std::string_view, Family<Histogram>*> histograms;
};

/// A gauge that is exposed from its first value on: an unknown watermark must not read as 0.
class lazy_gauge {
public:
  lazy_gauge(Family<Gauge>& family, Labels labels) : family_{family}, labels_{std::move(labels)} {}

  void set(double value) {
    const std::lock_guard lock{mutex_};
    if (gauge_ == nullptr)
      gauge_ = &family_.Add(labels_);
    gauge_->Set(value);
  }
  void remove() {
    const std::lock_guard lock{mutex_};
    if (gauge_ != nullptr)
      family_.Remove(gauge_);
    gauge_ = nullptr;
  }

private:
  Family<Gauge>& family_;
  Labels labels_;
  std::mutex mutex_;
  Gauge* gauge_ = nullptr;
};

void raise(Counter& c, std::uint64_t total) {
  // Counter ignores a negative increment, which is what a smaller total asks for.
  c.Increment(static_cast<double>(total) - c.Value());
}

Labels with(Labels labels, std::initializer_list<std::pair<std::string, std::string_view>> more) {
  for (const auto& [name, value] : more)
    labels[name] = std::string{value};
  return labels;
}

class stage_impl final : public stage_metrics {
public:
  stage_impl(const family_set& f, const Labels& where, std::string stage)
    : families_{f}, where_{where}, stage_{std::move(stage)}, lag_events_{gauge("millrace_lag_events")},
      lag_seconds_{gauge("millrace_lag_seconds")}, watermark_{gauge("millrace_watermark_seconds")},
      watermark_delay_{gauge("millrace_watermark_delay_seconds")}, state_keys_{gauge("millrace_state_keys")},
      state_bytes_{gauge("millrace_state_bytes")}, snapshot_seconds_{gauge("millrace_snapshot_seconds")},
      snapshot_bytes_{gauge("millrace_snapshot_bytes")}, snapshot_age_{gauge("millrace_snapshot_age_seconds")},
      imbalance_{gauge("millrace_ledger_imbalance")}, stage_seconds_{histogram("millrace_stage_seconds",
                                                                               seconds_buckets)},
      end_to_end_{histogram("millrace_end_to_end_seconds", seconds_buckets)},
      frame_events_{histogram("millrace_frame_events", events_buckets)}, frame_bytes_{histogram("millrace_frame_bytes",
                                                                                                bytes_buckets)} {
    auto& events = *families_.counters.at("millrace_events_total");
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      events_[i] = &events.Add(with(where_, {{"stage", stage_}, {"outcome", outcomes[i]}}));
    imbalance_.set(0);
  }

  void set_ledger(const ledger_totals& t) override {
    const std::array totals{t.in,        t.forwarded, t.absorbed, t.retired, t.filtered,
                            t.duplicate, t.late,      t.rejected, t.skipped};
    for (std::size_t i = 0; i < totals.size(); ++i)
      raise(*events_[i], totals[i]);
    const auto accounted = t.forwarded + t.absorbed + t.filtered + t.duplicate + t.late + t.rejected + t.skipped;
    imbalance_.set(static_cast<double>(static_cast<std::int64_t>(t.in - accounted)));
  }
  void add_rejected(std::string_view reason, std::uint64_t n) override {
    families_.counters.at("millrace_rejected_total")
      ->Add(with(where_, {{"stage", stage_}, {"reason", reason}}))
      .Increment(static_cast<double>(n));
  }
  void add_alert(std::string_view rule, std::string_view state, std::uint64_t n) override {
    families_.counters.at("millrace_alerts_total")
      ->Add(with(where_, {{"rule", rule}, {"state", state}}))
      .Increment(static_cast<double>(n));
  }
  void set_lag(double events, double seconds) override {
    lag_events_.set(events);
    lag_seconds_.set(seconds);
  }
  void set_watermark(double seconds, double delay_seconds) override {
    watermark_.set(seconds);
    watermark_delay_.set(delay_seconds);
  }
  void set_state(double keys, double bytes) override {
    state_keys_.set(keys);
    state_bytes_.set(bytes);
  }
  void set_lookups(std::string_view table, std::uint64_t hits, std::uint64_t misses, double rows) override {
    auto& lookups = *families_.counters.at("millrace_lookups_total");
    raise(lookups.Add(with(where_, {{"table", table}, {"outcome", "hit"}})), hits);
    raise(lookups.Add(with(where_, {{"table", table}, {"outcome", "miss"}})), misses);
    const std::lock_guard lock{tables_mutex_};
    const auto [it, added] = table_rows_.try_emplace(std::string{table}, *families_.gauges.at("millrace_table_rows"),
                                                     with(where_, {{"table", table}}));
    it->second.set(rows);
  }
  void set_snapshot(double seconds, double bytes) override {
    snapshot_seconds_.set(seconds);
    snapshot_bytes_.set(bytes);
  }
  void set_snapshot_age(double seconds) override { snapshot_age_.set(seconds); }

  void observe_stage_seconds(double seconds) override { stage_seconds_.Observe(std::max(seconds, 0.0)); }
  void observe_end_to_end_seconds(double seconds) override { end_to_end_.Observe(std::max(seconds, 0.0)); }
  void observe_frame(double events, double bytes) override {
    frame_events_.Observe(events);
    frame_bytes_.Observe(bytes);
  }

  void retire() override {
    for (auto* g : {&lag_events_, &lag_seconds_, &watermark_, &watermark_delay_, &state_keys_, &state_bytes_,
                    &snapshot_seconds_, &snapshot_bytes_, &snapshot_age_, &imbalance_})
      g->remove();
    const std::lock_guard lock{tables_mutex_};
    for (auto& [table, rows] : table_rows_)
      rows.remove();
  }

private:
  static constexpr std::array<std::string_view, 9> outcomes{"in",        "forwarded", "absorbed", "retired", "filtered",
                                                            "duplicate", "late",      "rejected", "skipped"};

  // lazy_gauge holds a mutex and cannot move; the returned prvalue initialises the member in place.
  lazy_gauge gauge(std::string_view name) { return {*families_.gauges.at(name), where_}; }
  Histogram& histogram(std::string_view name, const Histogram::BucketBoundaries& buckets) {
    return families_.histograms.at(name)->Add(where_, buckets);
  }

  const family_set& families_;
  Labels where_;
  std::string stage_;
  std::array<Counter*, outcomes.size()> events_{};
  lazy_gauge lag_events_;
  lazy_gauge lag_seconds_;
  lazy_gauge watermark_;
  lazy_gauge watermark_delay_;
  lazy_gauge state_keys_;
  lazy_gauge state_bytes_;
  lazy_gauge snapshot_seconds_;
  lazy_gauge snapshot_bytes_;
  lazy_gauge snapshot_age_;
  lazy_gauge imbalance_;
  std::mutex tables_mutex_;
  /// By table.
  std::map<std::string, lazy_gauge> table_rows_;
  Histogram& stage_seconds_;
  Histogram& end_to_end_;
  Histogram& frame_events_;
  Histogram& frame_bytes_;
};

class service_impl final : public service_metrics {
public:
  service_impl(const family_set& f, const Labels& where)
    : notifications_{*f.counters.at("millrace_notifications_total")}, where_{where},
      partitions_owned_{f.gauges.at("millrace_partitions_owned")->Add(where)},
      broker_connected_{f.gauges.at("millrace_broker_connected")->Add(where)},
      claims_{f.counters.at("millrace_claims_total")->Add(where)},
      fenced_{f.counters.at("millrace_fenced_total")->Add(where)},
      reconnects_{f.counters.at("millrace_broker_reconnects_total")->Add(where)} {}

  void set_partitions_owned(double n) override { partitions_owned_.Set(n); }
  void add_claim() override { claims_.Increment(); }
  void add_fenced() override { fenced_.Increment(); }
  void set_broker_connected(bool connected) override { broker_connected_.Set(connected ? 1 : 0); }
  void add_broker_reconnect() override { reconnects_.Increment(); }
  void add_notification(std::string_view target, std::string_view outcome, std::uint64_t n) override {
    notifications_.Add(with(where_, {{"target", target}, {"outcome", outcome}})).Increment(static_cast<double>(n));
  }

private:
  Family<Counter>& notifications_;
  Labels where_;
  Gauge& partitions_owned_;
  Gauge& broker_connected_;
  Counter& claims_;
  Counter& fenced_;
  Counter& reconnects_;
};

} // namespace

const std::vector<family_info>& families() {
  static const std::vector<family_info> all{
    {"millrace_events_total", "counter", "pipeline,service,partition,stage,outcome",
     "Events by what became of them; in = the sum of the others but retired"},
    {"millrace_rejected_total", "counter", "pipeline,service,partition,stage,reason", "Rejected events by reason"},
    {"millrace_lag_events", "gauge", by_partition, "Input not yet read"},
    {"millrace_lag_seconds", "gauge", by_partition, "How far log time is behind the newest input"},
    {"millrace_watermark_seconds", "gauge", by_partition, "Watermark, seconds since the epoch"},
    {"millrace_watermark_delay_seconds", "gauge", by_partition, "Log time minus watermark"},
    {"millrace_stage_seconds", "histogram", by_partition, "Broker time of the input frame to acknowledged output"},
    {"millrace_end_to_end_seconds", "histogram", by_partition, "Source message stored to result stored"},
    {"millrace_frame_events", "histogram", by_partition, "Rows per written frame"},
    {"millrace_frame_bytes", "histogram", by_partition, "Bytes per written frame"},
    {"millrace_state_keys", "gauge", by_partition, "Keys of state"},
    {"millrace_state_bytes", "gauge", by_partition, "Encoded bytes of state"},
    {"millrace_snapshot_seconds", "gauge", by_partition, "Duration of the last snapshot"},
    {"millrace_snapshot_bytes", "gauge", by_partition, "Bytes of the last snapshot"},
    {"millrace_snapshot_age_seconds", "gauge", by_partition, "Age of the last snapshot"},
    {"millrace_partitions_owned", "gauge", by_service, "Partitions owned by this process"},
    {"millrace_claims_total", "counter", by_service, "Partitions claimed"},
    {"millrace_fenced_total", "counter", by_service, "Partitions lost to another owner"},
    {"millrace_broker_connected", "gauge", by_service, "1 while connected to the broker"},
    {"millrace_broker_reconnects_total", "counter", by_service, "Reconnections to the broker"},
    {"millrace_alerts_total", "counter", "pipeline,service,partition,rule,state", "Alert transitions"},
    {"millrace_notifications_total", "counter", "pipeline,service,target,outcome", "Notifications by outcome"},
    {"millrace_lookups_total", "counter", "pipeline,service,partition,table,outcome",
     "Lookups in a table by outcome: hit or miss"},
    {"millrace_table_rows", "gauge", "pipeline,service,partition,table", "Rows of the contents of a table in use"},
    {"millrace_ledger_imbalance", "gauge", by_partition, "Events unaccounted for; always 0"},
    {"millrace_build_info", "gauge", "version,commit", "1, labelled with the build"},
  };
  return all;
}

struct registry::impl {
  prometheus::Registry prometheus;
  family_set families{prometheus};
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::unique_ptr<stage_impl>> stages;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<service_impl>> services;
};

registry::registry(std::string_view version, std::string_view commit) : impl_{std::make_unique<impl>()} {
  impl_->families.gauges.at("millrace_build_info")
    ->Add({{"version", std::string{version}}, {"commit", std::string{commit}}})
    .Set(1);
}

registry::~registry() = default;

stage_metrics& registry::stage(std::string_view pipeline, std::string_view service, std::string_view stage,
                               std::string_view partition) {
  const std::lock_guard lock{impl_->mutex};
  auto& slot = impl_->stages[{std::string{pipeline}, std::string{service}, std::string{stage}, std::string{partition}}];
  if (!slot) {
    const Labels where{
      {"pipeline", std::string{pipeline}}, {"service", std::string{service}}, {"partition", std::string{partition}}};
    slot = std::make_unique<stage_impl>(impl_->families, where, std::string{stage});
  }
  return *slot;
}

service_metrics& registry::service(std::string_view pipeline, std::string_view service) {
  const std::lock_guard lock{impl_->mutex};
  auto& slot = impl_->services[{std::string{pipeline}, std::string{service}}];
  if (!slot)
    slot = std::make_unique<service_impl>(
      impl_->families, Labels{{"pipeline", std::string{pipeline}}, {"service", std::string{service}}});
  return *slot;
}

std::string registry::render() const { return prometheus::TextSerializer{}.Serialize(impl_->prometheus.Collect()); }

} // namespace millrace::metrics
