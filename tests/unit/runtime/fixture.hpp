// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the runtime's tests share: batches of numbered rows, a processor that is easy to predict, a policy that never
/// sleeps.
#pragma once

#include "actors/processor.hpp"
#include "actors/runtime/append.hpp"
#include "actors/runtime/bytes.hpp"
#include "actors/runtime/chain.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

inline schema_ptr number_schema() {
  static const auto s = std::make_shared<const schema>(std::vector<field>{{"n", data_type::int64, false}});
  return s;
}

inline event_batch numbers(const std::vector<std::int64_t>& values) {
  batch_builder b{number_schema()};
  for (auto v : values) {
    b.set_int(0, v);
    b.finish_row(v, no_watermark, make_position(static_cast<std::uint64_t>(v), 0), 0);
  }
  return b.finish();
}

inline void append_values(std::vector<std::int64_t>& out, const std::vector<section>& sections) {
  for (const auto& s : sections)
    for (auto v : s.batch.columns[0].i64)
      out.push_back(v);
}

/// Keeps a running sum; emits each value times ten, and the sum when it passes a multiple of 100; rejects multiples
/// of 7.
class summing_processor final : public processor {
public:
  void process(const input& in, output& out) override {
    if (!in.batch || in.batch->columns.empty())
      return;
    std::vector<std::int64_t> rows;
    for (auto v : in.batch->columns[0].i64) {
      ++counters_.in;
      if (v % 7 == 0) {
        ++counters_.rejected;
        rejected_event r;
        r.stage = "enrich";
        r.reason = "expression";
        r.origin = "0:" + std::to_string(v) + ":0";
        r.body = std::to_string(v);
        out.rejected.push_back(std::move(r));
        continue;
      }
      ++counters_.forwarded;
      rows.push_back(v * 10);
      sum_ += v;
      if (sum_ / 100 != (sum_ - v) / 100)
        rows.push_back(-sum_);
    }
    out.sections.push_back({"", numbers(rows)});
  }
  std::string snapshot() const override {
    runtime::byte_writer w;
    w.i64(sum_);
    w.u64(counters_.in);
    w.u64(counters_.forwarded);
    w.u64(counters_.rejected);
    return w.take();
  }
  result<void> restore(std::string_view bytes) override {
    runtime::byte_reader r{bytes};
    sum_ = r.i64();
    counters_.in = r.u64();
    counters_.forwarded = r.u64();
    counters_.rejected = r.u64();
    return r.done() ? result<void>{} : result<void>{error{ec::corrupt, "short", ""}};
  }
  const ledger& counters() const noexcept override { return counters_; }

private:
  std::int64_t sum_ = 0;
  ledger counters_;
};

/// Emits each value times a factor on lane (value modulo lanes); the factor is what the control "factor" last said.
/// Refuses factors below zero.
class routing_processor final : public processor {
public:
  explicit routing_processor(std::uint32_t lanes) : lanes_{lanes} {}

  void process(const input& in, output& out) override {
    if (!in.batch || in.batch->columns.empty())
      return;
    std::vector<std::vector<std::int64_t>> rows(lanes_);
    for (auto v : in.batch->columns[0].i64) {
      ++counters_.in;
      ++counters_.forwarded;
      rows[static_cast<std::size_t>(v) % lanes_].push_back(v * factor_);
    }
    for (std::uint32_t i = 0; i < lanes_; ++i)
      if (!rows[i].empty())
        out.sections.push_back({"", numbers(rows[i]), i});
  }
  result<void> control(std::string_view name, std::string_view contents) override {
    const auto x = std::stoll(std::string{contents});
    if (name != "factor" || x < 0)
      return error{ec::invalid, "not a factor", ""};
    factor_ = x;
    return {};
  }
  std::string snapshot() const override {
    runtime::byte_writer w;
    w.i64(factor_);
    w.u64(counters_.in);
    return w.take();
  }
  result<void> restore(std::string_view bytes) override {
    runtime::byte_reader r{bytes};
    factor_ = r.i64();
    counters_.in = counters_.forwarded = r.u64();
    return r.done() ? result<void>{} : result<void>{error{ec::corrupt, "short", ""}};
  }
  const ledger& counters() const noexcept override { return counters_; }

private:
  std::uint32_t lanes_;
  std::int64_t factor_ = 1;
  ledger counters_;
};

/// Chained input frames of one writer, as they would stand on a log.
class input_log {
public:
  explicit input_log(std::string subject = "in") : subject_{std::move(subject)} {}

  runtime::input_frame next(const std::vector<std::int64_t>& values, nanoseconds_t watermark = no_watermark,
                            std::uint64_t epoch = 1) {
    frame f;
    f.epoch = epoch;
    f.number = ++number_;
    f.previous = checksum_;
    f.watermark = watermark;
    if (!values.empty())
      f.sections.push_back({"", numbers(values)});
    f.kind = values.empty() ? frame_kind::tick : frame_kind::rows;
    frame_encoder e;
    const auto bytes = e.encode(f);
    checksum_ = frame_checksum(bytes);
    return {++sequence_, subject_,     static_cast<std::int64_t>(sequence_) * 1'000'000,
            checksum_,   bytes.size(), std::move(*decode_frame(bytes))};
  }

private:
  std::string subject_;
  std::uint64_t sequence_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t checksum_ = 0;
};

inline runtime::append_policy quick_policy() {
  runtime::append_policy p;
  p.deadline = std::chrono::milliseconds{50};
  p.sleep = [](std::chrono::milliseconds) {};
  return p;
}

} // namespace millrace::test
