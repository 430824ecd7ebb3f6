// SPDX-License-Identifier: Apache-2.0
/// @file
/// Accumulators without the stage around them: values in, states and results out.
#pragma once

#include "actors/windows/aggregate.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace millrace::windows::testing {

using rows = std::vector<std::uint32_t>;

/// One column `x` with the places of its events.
struct value_table {
  event_batch batch;

  const column& values() const { return batch.columns[0]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(batch.rows); }
  rows all() const {
    rows r(batch.rows);
    std::iota(r.begin(), r.end(), 0U);
    return r;
  }
};

inline value_table doubles(const std::vector<double>& values, const std::vector<nanoseconds_t>& times = {}) {
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", data_type::float64, true}})};
  for (std::size_t i = 0; i < values.size(); ++i) {
    b.set_double(0, values[i]);
    const auto time = times.empty() ? static_cast<nanoseconds_t>(i) * 1'000'000'000 : times[i];
    b.finish_row(time, no_watermark, make_position(i, 0), 0);
  }
  return {b.finish()};
}

inline value_table ints(const std::vector<std::int64_t>& values) {
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", data_type::int64, true}})};
  for (std::size_t i = 0; i < values.size(); ++i) {
    b.set_int(0, values[i]);
    b.finish_row(static_cast<nanoseconds_t>(i), no_watermark, make_position(i, 0), 0);
  }
  return {b.finish()};
}

/// The accumulator of a kind over one type, with cells 0 to 63.
class bench {
public:
  bench(const aggregate_kind& kind, std::optional<data_type> type, std::vector<parameter_value> parameters)
    : result_{*kind.result(type)}, accumulator_{kind.make(type, parameters)} {
    accumulator_->resize(64);
  }
  bench(std::string_view name, data_type type, std::vector<parameter_value> parameters = {})
    : bench(*find_aggregate(name), type, std::move(parameters)) {}

  void add(const value_table& table, const rows& which, cell_id cell = 0) {
    const std::vector<cell_id> cells(which.size(), cell);
    argument_view argument;
    argument.values = &table.values();
    argument.skip = table.values().has_nulls() ? table.values().nulls.data() : nullptr;
    accumulator_->add(argument, cell_rows{table.batch, which, cells});
  }
  void add(const value_table& table) { add(table, table.all()); }
  void merge(cell_id into, cell_id from) { accumulator_->merge(into, from); }
  void reset(cell_id cell) { accumulator_->reset(cell); }
  std::size_t text_bytes() const { return accumulator_->text_bytes(); }

  std::string save(cell_id cell = 0) const {
    binary_writer out;
    accumulator_->save(cell, out);
    return out.finish();
  }
  bool load(cell_id cell, std::string_view bytes) {
    binary_reader in{bytes};
    accumulator_->load(cell, in);
    return in.at_end();
  }

  event_batch result(cell_id cell = 0, window_span span = {0, 10'000'000'000}) const {
    batch_builder out{std::make_shared<const schema>(std::vector<field>{{"r", result_, true}})};
    std::string reason;
    accumulator_->write(cell, span, out, 0, reason);
    out.finish_row(0, 0, 0, 0);
    reason_ = reason;
    return out.finish();
  }
  /// JSON, or `error: ` and the reason.
  std::string text(cell_id cell = 0, window_span span = {0, 10'000'000'000}) const {
    const auto r = result(cell, span);
    if (!reason_.empty())
      return "error: " + reason_;
    std::string out;
    codec::append_value(out, r.columns[0], 0);
    return out;
  }
  /// @pre The result is a double.
  double number(cell_id cell = 0, window_span span = {0, 10'000'000'000}) const {
    const auto r = result(cell, span);
    REQUIRE(reason_.empty());
    REQUIRE(!r.columns[0].is_null(0));
    return r.columns[0].f64.at(0);
  }
  data_type result_type() const { return result_; }

private:
  data_type result_;
  std::unique_ptr<accumulator> accumulator_;
  mutable std::string reason_;
};

inline double relative_error(double got, double wanted) {
  return wanted == 0.0 ? std::abs(got) : std::abs((got - wanted) / wanted);
}

} // namespace millrace::windows::testing
