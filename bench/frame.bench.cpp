// SPDX-License-Identifier: Apache-2.0
// Frames of ten columns, as a stage writes and reads them. `items_per_second` counts rows.
#include "messaging/frame.hpp"
#include "messaging/codec/json_writer.hpp"
#include "messaging/event_batch.hpp"

#include <benchmark/benchmark.h>

#include <random>

using namespace millrace;

namespace {

schema_ptr trade_schema() {
  return std::make_shared<const schema>(std::vector<field>{{"trade_id", data_type::string, false},
                                                           {"symbol", data_type::string, false},
                                                           {"price", data_type::float64, false},
                                                           {"size", data_type::int64, false},
                                                           {"ts", data_type::timestamp, false},
                                                           {"venue", data_type::string, true},
                                                           {"sector", data_type::string, false},
                                                           {"notional", data_type::float64, false},
                                                           {"buy", data_type::boolean, false},
                                                           {"sent", data_type::timestamp, false}});
}

event_batch trades(std::size_t rows) {
  std::mt19937_64 g{42};
  batch_builder b{trade_schema()};
  std::int64_t ms = 1'767'600'000'000;
  for (std::size_t i = 0; i < rows; ++i) {
    ms += static_cast<std::int64_t>(g() % 3);
    const std::int64_t ts = (ms - static_cast<std::int64_t>(g() % 500)) * 1'000'000;
    const std::string symbol = "SYM" + std::to_string(g() % 500);
    const double price = 100.0 + static_cast<double>(g() % 10'000) / 100.0;
    const auto size = static_cast<std::int64_t>(1 + g() % 1000);
    b.set_text(0, "t" + std::to_string(10'000'000 + i));
    b.set_text(1, symbol);
    b.set_double(2, price);
    b.set_int(3, size);
    b.set_int(4, ts);
    if (g() % 10 != 0)
      b.set_text(5, g() % 2 == 0 ? "XNAS" : "XNYS");
    b.set_text(6, "sector-" + std::to_string(g() % 11));
    b.set_double(7, price * static_cast<double>(size));
    b.set_bool(8, g() % 2 == 0);
    b.set_int(9, ts + static_cast<std::int64_t>(g() % 1'000'000'000));
    b.finish_row(ts, (ms - 5000) * 1'000'000, make_position(1000 + i / 100, static_cast<std::uint32_t>(i % 100)), 0);
  }
  return b.finish();
}

frame frame_of(event_batch b) {
  frame f;
  f.writer = "bench";
  f.sections.push_back({"", std::move(b)});
  return f;
}

/// Every eighth row: what one of eight partitions gets, with the whole dictionaries.
event_batch eighth(const event_batch& all) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < all.rows; i += 8)
    rows.push_back(i);
  return take(all, rows);
}

void count(benchmark::State& state, std::size_t rows, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<std::size_t>(state.iterations()) * rows));
  if (rows != 0)
    state.counters["bytes/row"] = static_cast<double>(bytes) / static_cast<double>(rows);
}

void encode(benchmark::State& state) {
  const frame f = frame_of(trades(static_cast<std::size_t>(state.range(0))));
  frame_encoder encoder;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string out = encoder.encode(f);
    bytes = out.size();
    benchmark::DoNotOptimize(out.data());
  }
  count(state, f.rows(), bytes);
}
BENCHMARK(encode)->Arg(1)->Arg(100)->Arg(5000);

void encode_partition(benchmark::State& state) {
  const frame f = frame_of(eighth(trades(static_cast<std::size_t>(state.range(0)))));
  frame_encoder encoder;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string out = encoder.encode(f);
    bytes = out.size();
    benchmark::DoNotOptimize(out.data());
  }
  count(state, f.rows(), bytes);
}
BENCHMARK(encode_partition)->Arg(5000)->Arg(40'000);

void decode(benchmark::State& state) {
  const std::string bytes = frame_encoder{}.encode(frame_of(trades(static_cast<std::size_t>(state.range(0)))));
  for (auto _ : state) {
    const auto f = decode_frame(bytes);
    benchmark::DoNotOptimize(f.has_value());
  }
  count(state, static_cast<std::size_t>(state.range(0)), bytes.size());
}
BENCHMARK(decode)->Arg(1)->Arg(100)->Arg(5000);

void take_eighth(benchmark::State& state) {
  const event_batch all = trades(5000);
  for (auto _ : state)
    benchmark::DoNotOptimize(eighth(all).rows);
  count(state, all.rows / 8, 0);
}
BENCHMARK(take_eighth);

void append_small(benchmark::State& state) {
  const event_batch piece = trades(100);
  for (auto _ : state) {
    event_batch out;
    for (int i = 0; i < 20; ++i)
      append(out, piece);
    benchmark::DoNotOptimize(out.rows);
  }
  count(state, piece.rows * 20, 0);
}
BENCHMARK(append_small);

void partition(benchmark::State& state) {
  const event_batch all = trades(5000);
  const std::vector<std::size_t> key{static_cast<std::size_t>(state.range(0))};
  std::vector<std::uint32_t> out;
  for (auto _ : state) {
    partition_rows(all, key, 8, out);
    benchmark::DoNotOptimize(out.data());
  }
  count(state, all.rows, 0);
}
BENCHMARK(partition)->Arg(1)->Arg(4);

void build_dictionary(benchmark::State& state) {
  const event_batch all = trades(5000);
  const column& c = all.columns[static_cast<std::size_t>(state.range(0))];
  std::vector<std::string> texts;
  for (std::size_t row = 0; row < all.rows; ++row)
    texts.emplace_back(c.text(row));
  dictionary_builder builder;
  for (auto _ : state) {
    std::uint32_t sum = 0;
    for (const std::string& text : texts)
      sum += builder.code(text);
    benchmark::DoNotOptimize(sum);
    benchmark::DoNotOptimize(builder.finish());
  }
  count(state, all.rows, 0);
}
BENCHMARK(build_dictionary)->Arg(0)->Arg(1)->Arg(6);

void write_json(benchmark::State& state) {
  const event_batch all = trades(5000);
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (std::size_t row = 0; row < all.rows; ++row)
      codec::append_event(out, all, row);
    benchmark::DoNotOptimize(out.data());
  }
  count(state, all.rows, out.size());
}
BENCHMARK(write_json);

} // namespace

BENCHMARK_MAIN();
