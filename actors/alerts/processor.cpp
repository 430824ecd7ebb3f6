// SPDX-License-Identifier: Apache-2.0
#include "actors/alerts/compiled_rule.hpp"
#include "actors/alerts/state_bytes.hpp"
#include "messaging/codec/json_writer.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace millrace::alerts {

namespace {

constexpr std::uint8_t snapshot_version = 1;

enum column_index : std::size_t {
  c_rule,
  c_id,
  c_key,
  c_state,
  c_at,
  c_since,
  c_severity,
  c_labels,
  c_summary,
  c_values
};

truth truth_at(const expressions::evaluation& e, std::size_t row) noexcept {
  if (e.is_error(row) || e.values.is_null(row))
    return truth::unknown;
  return e.values.b8[row] != 0 ? truth::yes : truth::no;
}

/// Stable across runs and services: the same episode of the same rule and key has the same id everywhere.
std::string alert_id(std::string_view pipeline, std::string_view rule, std::string_view key, nanoseconds_t since) {
  byte_writer w;
  w.text(pipeline);
  w.text(rule);
  w.text(key);
  w.i64(since);
  const auto bytes = w.take();
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto b : canonical.digest) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

/// A transition with the rule it belongs to.
struct outcome {
  const compiled_rule* rule = nullptr;
  transition what;
};

bool comes_before(const outcome& a, const outcome& b) {
  return std::tie(a.what.due, a.rule->options.name, a.what.key) <
         std::tie(b.what.due, b.rule->options.name, b.what.key);
}

/// One rule with its state, fed with the rows of its section.
class runner {
public:
  explicit runner(const compiled_rule& r) : rule_{&r}, machine_{r.options.hold, r.clear != nullptr} {}

  const compiled_rule& rule() const noexcept { return *rule_; }
  machine& state() noexcept { return machine_; }
  const machine& state() const noexcept { return machine_; }

  void feed(const input& in, nanoseconds_t reached, std::vector<transition>& out) {
    const auto& b = *in.batch;
    rule_->when->evaluate(b, when_);
    if (rule_->clear)
      rule_->clear->evaluate(b, clear_);
    if (rule_->on_events())
      feed_events(in, reached, out);
    else
      feed_windows(in, reached, out);
  }

  /// Fills the payloads asked for that are still of use.
  void render(const event_batch& b) {
    std::erase_if(asked_, [](const auto& a) { return a.second.use_count() == 1; });
    if (asked_.empty())
      return;
    std::vector<std::uint32_t> rows;
    for (const auto& [row, shown] : asked_)
      rows.push_back(row);
    auto summaries = rule_->summary.render(take(b, rows));
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      auto& [row, shown] = asked_[i];
      shown->summary = std::move(summaries[i]);
      if (rule_->on_events())
        append_object(shown->values, b, rule_->values, row);
      else
        codec::append_window_values(shown->values, b, row);
    }
    asked_.clear();
  }

private:
  void feed_events(const input& in, nanoseconds_t reached, std::vector<transition>& out) {
    const auto& b = *in.batch;
    // A row knows its own shard's watermark only; the partition's is the bound.
    const auto most = in.watermark == end_watermark ? in.high_time : in.watermark;
    for (std::uint32_t row = 0; row < b.rows; ++row) {
      reached = std::max(reached, std::min(b.watermark[row], most));
      one(b, row, b.time[row], std::max(reached, std::min(b.watermark[row], in.watermark)), reached, out);
    }
  }

  void feed_windows(const input& in, nanoseconds_t reached, std::vector<transition>& out) {
    const auto& b = *in.batch;
    const auto& ends = b.columns[rule_->window.end].i64;
    closing_.clear();
    for (std::uint32_t row = 0; row < b.rows; ++row)
      if (closes(b, row))
        closing_.push_back(row);
    const auto by_end = [&](auto x, auto y) { return ends[x] < ends[y]; };
    if (!std::is_sorted(closing_.begin(), closing_.end(), by_end))
      std::stable_sort(closing_.begin(), closing_.end(), by_end);
    for (const auto row : closing_) {
      reached = std::max(reached, std::min(b.watermark[row], in.high_time));
      one(b, row, ends[row], b.watermark[row], reached, out);
    }
  }

  bool closes(const event_batch& b, std::size_t row) const {
    const auto& w = rule_->window;
    return b.shard[row] == row_closing && b.columns[w.final].b8[row] != 0 && b.columns[w.retracted].b8[row] == 0;
  }

  void one(const event_batch& b, std::uint32_t row, nanoseconds_t time, nanoseconds_t due, nanoseconds_t reached,
           std::vector<transition>& out) {
    evaluation_result e{time, due, truth_at(when_, row), truth::unknown, nullptr};
    if (rule_->clear)
      e.clear = truth_at(clear_, row);
    if (machine_.size() == 0 && e.when != truth::yes) {
      if (e.when == truth::unknown)
        machine_.count_undecided();
      return;
    }
    key_.clear();
    if (rule_->on_events())
      append_object(key_, b, rule_->key, row);
    else
      codec::append_window_key(key_, b, row);
    e.shown = std::make_shared<payload>();
    asked_.emplace_back(row, e.shown);
    machine_.evaluate(key_, std::move(e), reached, out);
    if (asked_.back().second.use_count() == 1)
      asked_.pop_back();
  }

  const compiled_rule* rule_;
  machine machine_;
  expressions::evaluation when_;
  expressions::evaluation clear_;
  std::vector<std::uint32_t> closing_;
  std::vector<std::pair<std::uint32_t, payload_ptr>> asked_;
  std::string key_;
};

class alerts_processor final : public alert_processor {
public:
  explicit alerts_processor(std::shared_ptr<const compiled_plan> p) : plan_{std::move(p)} { reset(); }

  void process(const input& in, output& out) override {
    outcomes_.clear();
    const bool known =
      std::any_of(runners_.begin(), runners_.end(), [&](const auto& r) { return r.rule().section == in.section; });
    count(in.batch->rows, known);
    const bool ended = in.watermark == end_watermark;
    const auto now = std::max(reached_, ended ? in.high_time : in.watermark);
    for (auto& r : runners_) {
      scratch_.clear();
      const bool mine = in.batch->rows > 0 && r.rule().section == in.section;
      if (mine)
        r.feed(in, reached_, scratch_);
      r.state().advance(now, scratch_);
      if (ended)
        r.state().finish(now, scratch_);
      if (mine)
        r.render(*in.batch);
      for (auto& t : scratch_)
        outcomes_.push_back({&r.rule(), std::move(t)});
    }
    reached_ = now;
    std::stable_sort(outcomes_.begin(), outcomes_.end(), comes_before);
    emit(out);
  }

  std::string snapshot() const override {
    byte_writer out;
    out.u8(snapshot_version);
    for (const auto n : fields_of(counters_))
      out.u64(n);
    out.i64(reached_);
    out.u64(runners_.size());
    for (const auto& r : runners_)
      r.state().save(out);
    return out.take();
  }

  result<void> restore(std::string_view bytes) override {
    reset();
    byte_reader in{bytes};
    if (in.u8() != snapshot_version)
      return error{ec::corrupt, "the alert state is not of version " + std::to_string(snapshot_version), ""};
    std::array<std::uint64_t, 9> n{};
    for (auto& x : n)
      x = in.u64();
    counters_ = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8]};
    reached_ = in.i64();
    if (in.u64() != runners_.size())
      return error{ec::corrupt, "the alert state is of other rules", ""};
    for (auto& r : runners_)
      if (!r.state().load(in))
        return error{ec::corrupt, "the alert state of rule `" + r.rule().options.name + "` cannot be read", ""};
    if (!in.done())
      return error{ec::corrupt, "the alert state has bytes left over", ""};
    return {};
  }

  const ledger& counters() const noexcept override { return counters_; }
  const rule_counters& rule(std::size_t i) const noexcept override { return runners_[i].state().counters(); }
  std::size_t state_keys() const noexcept override {
    std::size_t n = 0;
    for (const auto& r : runners_)
      n += r.state().size();
    return n;
  }
  std::size_t state_bytes() const noexcept override {
    std::size_t n = 0;
    for (const auto& r : runners_)
      n += r.state().bytes();
    return n;
  }

private:
  void reset() {
    runners_.clear();
    for (const auto& r : plan_->rules)
      runners_.emplace_back(r);
    counters_ = {};
    reached_ = no_watermark;
  }

  static std::array<std::uint64_t, 9> fields_of(const ledger& l) {
    return {l.in, l.forwarded, l.absorbed, l.retired, l.filtered, l.duplicate, l.late, l.rejected, l.skipped};
  }

  void count(std::size_t rows, bool known) {
    counters_.in += rows;
    if (!known) {
      counters_.filtered += rows;
      return;
    }
    // A row is evaluated at once and never kept.
    counters_.absorbed += rows;
    counters_.retired += rows;
  }

  void emit(output& out) {
    if (outcomes_.empty())
      return;
    batch_builder b{alert_schema()};
    for (const auto& [rule, t] : outcomes_) {
      b.set_text(c_rule, rule->options.name);
      b.set_text(c_id, alert_id(plan_->pipeline, rule->options.name, t.key, t.since));
      b.set_text(c_key, t.key);
      b.set_text(c_state, to_string(t.state));
      b.set_int(c_at, t.at);
      b.set_int(c_since, t.since);
      if (!rule->options.severity.empty())
        b.set_text(c_severity, rule->options.severity);
      b.set_text(c_labels, rule->labels);
      b.set_text(c_summary, t.shown->summary);
      b.set_text(c_values, t.shown->values);
      b.finish_row(t.at, t.due, 0, 0);
    }
    out.sections.push_back({std::string{codec::section_alerts}, b.finish()});
  }

  std::shared_ptr<const compiled_plan> plan_;
  std::vector<runner> runners_;
  nanoseconds_t reached_ = no_watermark;
  ledger counters_;
  std::vector<transition> scratch_;
  std::vector<outcome> outcomes_;
};

} // namespace

std::unique_ptr<alert_processor> make_processor(plan_ptr p) {
  return std::make_unique<alerts_processor>(std::static_pointer_cast<const compiled_plan>(std::move(p)));
}

} // namespace millrace::alerts
