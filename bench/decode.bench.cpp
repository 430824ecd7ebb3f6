// SPDX-License-Identifier: Apache-2.0
// Decoding Yahoo-benchmark events to columns, against a bare simdjson On-Demand parse of the same fields of the
// same bytes. The counter `ratio` is events/s of the decoder over those of the bare parse measured before it.
#include "messaging/codec/decoder.hpp"

#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <ctime>
#include <random>
#include <simdjson.h>
#include <string>
#include <vector>

namespace {

using namespace millrace;

constexpr std::size_t event_count = 40'000;

std::string uuid(std::mt19937_64& random) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int i = 0; i < 36; ++i)
    text += i == 8 || i == 13 || i == 18 || i == 23 ? '-' : digits[random() & 15U];
  return text;
}

/// `users` 0: every user and page is new.
std::string make_events(std::size_t users, bool numeric_time) {
  std::mt19937_64 random{7};
  std::vector<std::string> ads;
  std::vector<std::string> people;
  for (int i = 0; i < 1000; ++i)
    ads.push_back(uuid(random));
  for (std::size_t i = 0; i < users; ++i)
    people.push_back(uuid(random));
  const auto person = [&] { return users == 0 ? uuid(random) : people[random() % users]; };
  static constexpr std::array kinds{"banner", "modal", "sponsored-search", "mail", "mobile"};
  static constexpr std::array acts{"view", "click", "purchase"};
  std::string text;
  for (std::size_t i = 0; i < event_count; ++i) {
    const std::string quote = numeric_time ? "" : "\"";
    text += "{\"user_id\":\"" + person() + "\",\"page_id\":\"" + person() + "\",\"ad_id\":\"" +
            ads[random() % ads.size()] + "\",\"ad_type\":\"" + kinds[random() % kinds.size()] + "\",\"event_type\":\"" +
            acts[random() % acts.size()] + "\",\"event_time\":" + quote + std::to_string(1767225600000 + i / 10) +
            quote + ",\"ip_address\":\"1.2.3.4\"}\n";
  }
  return text;
}

codec::decode_options options() {
  codec::decode_options o;
  for (const char* name : {"user_id", "page_id", "ad_id", "ad_type", "event_type", "event_time", "ip_address"}) {
    codec::field_spec f;
    f.field = {name, data_type::string, false};
    f.path = {name};
    if (f.field.name == "event_time") {
      f.field.type = data_type::timestamp;
      f.unit = codec::timestamp_unit::milliseconds;
      o.time = o.fields.size();
    }
    o.fields.push_back(std::move(f));
  }
  return o;
}

double& bare_rate(std::int64_t users) {
  static std::array<double, 2> rates{};
  return rates[users == 0 ? 0 : 1];
}

double rate_of(const benchmark::State& state, double seconds) {
  return seconds > 0.0 ? static_cast<double>(state.iterations()) * static_cast<double>(event_count) / seconds : 0.0;
}

/// Processor time, so that a busy machine does not bend the ratio.
class stopwatch {
public:
  double seconds() const { return static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC; }

private:
  std::clock_t start_ = std::clock();
};

void report(benchmark::State& state, const std::string& text, double rate) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(event_count));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  const double bare = bare_rate(state.range(0));
  if (bare > 0.0)
    state.counters["ratio"] = rate / bare;
}

/// The same seven members in their order, as views and a number; nothing is kept.
std::size_t read_bare(simdjson::simdjson_result<simdjson::ondemand::document_reference> document) {
  simdjson::ondemand::object object = document.get_object();
  std::size_t sum = 0;
  for (const char* name : {"user_id", "page_id", "ad_id", "ad_type", "event_type"})
    sum += std::string_view{object.find_field(name)}.size();
  sum += std::uint64_t{object.find_field("event_time").get_uint64_in_string()};
  sum += std::string_view{object.find_field("ip_address")}.size();
  return sum;
}

void bare_simdjson(benchmark::State& state) {
  const std::string text = make_events(static_cast<std::size_t>(state.range(0)), false);
  const simdjson::padded_string padded{text};
  simdjson::ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
  parser.threaded = false;
#endif
  std::size_t sum = 0;
  const stopwatch watch;
  for (auto _ : state) {
    simdjson::ondemand::document_stream stream = parser.iterate_many(padded, 256 * 1024);
    for (auto document : stream)
      sum += read_bare(document);
  }
  benchmark::DoNotOptimize(sum);
  bare_rate(state.range(0)) = rate_of(state, watch.seconds());
  report(state, text, bare_rate(state.range(0)));
}

void decode_to_columns(benchmark::State& state) {
  const std::string text = make_events(static_cast<std::size_t>(state.range(0)), false);
  auto decoder = codec::make_decoder(options());
  if (!decoder) {
    state.SkipWithError("no decoder");
    return;
  }
  // Chunks as a file source reads them.
  std::vector<std::string_view> chunks;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.size(), text.rfind('\n', std::min(text.size(), at + 1024 * 1024) - 1) + 1);
    chunks.push_back(std::string_view{text}.substr(at, end - at));
    at = end;
  }
  std::size_t rows = 0;
  const stopwatch watch;
  for (auto _ : state) {
    for (const std::string_view chunk : chunks) {
      codec::source_message m;
      m.payload = chunk;
      (*decoder)->decode_lines(m);
      const event_batch batch = (*decoder)->finish();
      rows += batch.rows;
    }
  }
  const double rate = rate_of(state, watch.seconds());
  if (rows != static_cast<std::size_t>(state.iterations()) * event_count)
    state.SkipWithError("rows are missing");
  report(state, text, rate);
}

} // namespace

BENCHMARK(bare_simdjson)->ArgName("users")->Arg(0)->Arg(100);
BENCHMARK(decode_to_columns)->ArgName("users")->Arg(0)->Arg(100);
BENCHMARK_MAIN();
