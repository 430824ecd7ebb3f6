// SPDX-License-Identifier: Apache-2.0
// Results against exact calculations, with hard bounds.
#include "tests/unit/windows/aggregates_support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

constexpr auto no_number = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<double>::infinity();
constexpr nanoseconds_t second = 1'000'000'000;

using random_engine = std::mt19937_64;

std::string over(std::string_view name, const value_table& table, std::vector<parameter_value> parameters = {}) {
  bench a{name, table.values().type, std::move(parameters)};
  a.add(table);
  return a.text();
}

/// The variance by definition, in long double.
double exact_variance(const std::vector<double>& values) {
  const auto n = static_cast<long double>(values.size());
  long double sum = 0;
  for (const auto x : values)
    sum += x;
  long double squares = 0;
  for (const auto x : values)
    squares += (x - sum / n) * (x - sum / n);
  return static_cast<double>(squares / (n - 1));
}

void require_quantiles(std::vector<double> values) {
  const auto table = doubles(values);
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
    bench a{"quantile", data_type::float64, {{q, 0}}};
    a.add(table);
    const auto exact = values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
    INFO("q " << q << " exact " << exact << " got " << a.text());
    REQUIRE(relative_error(a.number(), exact) <= 0.01);
  }
}

} // namespace

TEST_CASE("variance and stddev are the sample's, null below two values") {
  REQUIRE(over("variance", doubles({2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, 5.0})) == "4.0");
  REQUIRE(over("stddev", ints({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})) == "3.3166247903554");
  REQUIRE(over("variance", doubles({3.0})) == "null");
  REQUIRE(over("stddev", doubles({})) == "null");
  REQUIRE(over("stddev", doubles({3.0, 3.0, 3.0})) == "0.0");
  REQUIRE(over("variance", doubles({1.0, infinity})) == R"("NaN")");
  REQUIRE(over("variance", doubles({1.0, no_number, 2.0})) == R"("NaN")");
}

TEST_CASE("a large offset does not eat the variance") {
  random_engine random{5};
  std::normal_distribution<double> normal;
  for (const double offset : {0.0, 1e6, 1e9, 1e12}) {
    std::vector<double> values;
    for (int i = 0; i < 20'000; ++i)
      values.push_back(offset + normal(random));
    bench a{"variance", data_type::float64};
    const auto table = doubles(values);
    a.add(table);
    REQUIRE(relative_error(a.number(), exact_variance(values)) < 1e-9);
    const auto all = table.all();
    for (std::size_t i = 0; i < all.size(); i += 400)
      a.add(table, {all.begin() + static_cast<std::ptrdiff_t>(i), all.begin() + static_cast<std::ptrdiff_t>(i) + 400},
            static_cast<cell_id>(1 + i / 400 % 50));
    for (cell_id c = 2; c <= 50; ++c)
      a.merge(1, c);
    REQUIRE(relative_error(a.number(1), a.number(0)) < 1e-9);
  }
}

TEST_CASE("slope is the least squares line's per second of event time") {
  const nanoseconds_t start = 1'767'000'000 * second;
  std::vector<double> values;
  std::vector<nanoseconds_t> times;
  for (int i = 0; i < 100; ++i) {
    times.push_back(start + i * second / 4);
    values.push_back(1000.0 + 3.0 * (i / 4.0));
  }
  bench a{"slope", data_type::float64};
  a.add(doubles(values, times));
  REQUIRE(relative_error(a.number(), 3.0) < 1e-12);
  REQUIRE(over("slope", doubles({5.0})) == "null");
  REQUIRE(over("slope", doubles({5.0, 6.0, 7.0}, {start, start, start})) == "null");
  // Two nanoseconds apart: that is a slope, and a steep one.
  bench b{"slope", data_type::float64};
  b.add(doubles({1.0, 2.0}, {start, start + 2}));
  REQUIRE(relative_error(b.number(), 5e8) < 1e-12);

  random_engine random{6};
  values.clear();
  times.clear();
  long double st = 0;
  long double sx = 0;
  for (int i = 0; i < 5000; ++i) {
    times.push_back(start + static_cast<nanoseconds_t>(random() % (3600 * second)));
    values.push_back(static_cast<double>(random() % 1000));
    st += static_cast<long double>(times.back() - start) / 1e9L;
    sx += values.back();
  }
  long double stt = 0;
  long double stx = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto dt = static_cast<long double>(times[i] - start) / 1e9L - st / 5000;
    stt += dt * dt;
    stx += dt * (values[i] - sx / 5000);
  }
  bench c{"slope", data_type::float64};
  c.add(doubles(values, times));
  REQUIRE(relative_error(c.number(), static_cast<double>(stx / stt)) < 1e-9);
}

TEST_CASE("ewma weighs by age against the last event") {
  const std::vector<parameter_value> half_life{{0.0, 10 * second}};
  REQUIRE(over("ewma", doubles({4.0}), half_life) == "4.0");
  bench a{"ewma", data_type::float64, half_life};
  a.add(doubles({8.0, 2.0}, {0, 10 * second}));
  REQUIRE(relative_error(a.number(), (0.5 * 8.0 + 2.0) / 1.5) < 1e-14);
  bench b{"ewma", data_type::float64, half_life};
  b.add(doubles({2.0, 8.0}, {10 * second, 0}));
  REQUIRE(relative_error(b.number(), a.number()) < 1e-14);
  REQUIRE(over("ewma", doubles({1.0, infinity, 2.0}), half_life) == R"("Infinity")");
  REQUIRE(over("ewma", doubles({-infinity, infinity, 2.0}), half_life) == R"("NaN")");
  // An old value that no double can weigh any more is forgotten, whatever comes first.
  bench c{"ewma", data_type::float64, {{0.0, 1}}};
  c.add(doubles({7.0, 1e300}, {10 * second, 0}));
  REQUIRE(c.text() == "7.0");

  random_engine random{7};
  std::vector<double> values;
  std::vector<nanoseconds_t> times;
  for (int i = 0; i < 3000; ++i) {
    values.push_back(static_cast<double>(random() % 1000));
    times.push_back(static_cast<nanoseconds_t>(random() % (60 * second)));
  }
  const auto last = *std::max_element(times.begin(), times.end());
  long double weights = 0;
  long double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto w = std::pow(0.5L, static_cast<long double>(last - times[i]) / (10.0L * second));
    weights += w;
    sum += w * values[i];
  }
  bench d{"ewma", data_type::float64, half_life};
  d.add(doubles(values, times));
  REQUIRE(relative_error(d.number(), static_cast<double>(sum / weights)) < 1e-9);
}

TEST_CASE("rate is the sum per second of the window, null without length") {
  bench a{"rate", data_type::int64};
  a.add(ints({10, 20, 30}));
  REQUIRE(a.text(0, {0, 4 * second}) == "15.0");
  REQUIRE(a.text(0, {5, 5}) == "null");
  REQUIRE(a.text(1, {0, 4 * second}) == "null");
  bench b{"rate", data_type::float64};
  b.add(doubles({0.5, 1.0}));
  REQUIRE(b.text(0, {-second, second}) == "0.75");
  REQUIRE(relative_error(b.number(0, {no_watermark, end_watermark}), 1.5 / 18446744073.709551615) < 1e-12);
}

TEST_CASE("quantiles are within one percent of the lower rank") {
  random_engine random{8};
  std::vector<double> values;
  std::lognormal_distribution<double> lognormal{0.0, 2.0};
  for (int i = 0; i < 20'000; ++i)
    values.push_back(lognormal(random));
  require_quantiles(values);
  std::normal_distribution<double> normal{0.0, 1e6};
  for (auto& x : values)
    x = normal(random);
  require_quantiles(values);
  for (auto& x : values)
    x = static_cast<double>(random() % 7);
  require_quantiles(values);
  // 17 decades fit into a row of buckets.
  for (auto& x : values)
    x = std::pow(10.0, static_cast<double>(random() % 170'000) / 1e4);
  require_quantiles(values);
  require_quantiles({-5.0, 0.0, -0.0, 3.0, 1e-300, 7.5e300, 2.0});
  require_quantiles({42.0});
}

TEST_CASE("quantiles of small integers are exact") {
  std::vector<std::int64_t> values;
  for (std::int64_t i = -48; i <= 48; ++i)
    values.push_back(i);
  const auto table = ints(values);
  for (int i = 0; i <= 96; ++i) {
    bench a{"quantile", data_type::int64, {{(i + 0.5) / 96.0, 0}}};
    a.add(table);
    REQUIRE(a.number() == std::min(i - 48, 48));
  }
}

TEST_CASE("quantiles of extremes, infinities and NaN") {
  const auto median = [](const std::vector<double>& v) { return over("median", doubles(v)); };
  REQUIRE(median({3.0}) == "3.0");
  REQUIRE(median({-0.0}) == "0.0");
  REQUIRE(median({}) == "null");
  REQUIRE(median({1.0, 9.0}) == "1.0");
  REQUIRE(median({infinity, 1.0, infinity}) == R"("Infinity")");
  REQUIRE(median({-infinity, -infinity, 1.0, 2.0}) == R"("-Infinity")");
  REQUIRE(median({-infinity, 0.0, infinity}) == "0.0");
  REQUIRE(median({1.0, no_number, 2.0}) == R"("NaN")");
  REQUIRE(median({std::numeric_limits<double>::max(), std::numeric_limits<double>::max(), 1.0}) ==
          "1.7976931348623157e+308");
}

TEST_CASE("values over more decades than a sketch holds cost only the smallest magnitudes, in any order") {
  random_engine random{9};
  std::vector<double> values;
  for (int i = 0; i < 30'000; ++i)
    values.push_back(std::pow(10.0, static_cast<double>(random() % 4000) / 10.0 - 200.0) * (i % 3 == 0 ? -1.0 : 1.0));
  const auto table = doubles(values);
  bench a{"quantile", data_type::float64, {{0.99, 0}}};
  a.add(table);
  auto shuffled = table.all();
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  a.add(table, shuffled, 1);
  REQUIRE((a.save(0) == a.save(1)));
  for (const auto row : shuffled)
    a.add(table, {row}, static_cast<cell_id>(2 + random() % 5));
  for (cell_id c = 3; c < 7; ++c)
    a.merge(2, c);
  REQUIRE((a.save(0) == a.save(2)));
  std::sort(values.begin(), values.end());
  REQUIRE(relative_error(a.number(), values[static_cast<std::size_t>(0.99 * 29'999.0)]) <= 0.01);
  a.reset(1);
  a.reset(2);
  for (cell_id c = 3; c < 7; ++c)
    a.reset(c);
  REQUIRE(a.text_bytes() < 2 * 2048 * 8 + 512);
}

TEST_CASE("distinct is exact for small sets and within three percent for large ones") {
  REQUIRE(over("distinct", ints({1, 2, 2, 3, 1, 1})) == "3");
  REQUIRE(over("distinct", doubles({0.0, -0.0, no_number, -no_number, 1.0})) == "3");
  for (const std::int64_t n : {1, 2, 100, 1535, 1536}) {
    std::vector<std::int64_t> values;
    for (std::int64_t i = 0; i < 2 * n; ++i)
      values.push_back((i % n) * 7919);
    REQUIRE(over("distinct", ints(values)) == std::to_string(n));
  }
  for (const std::int64_t seed : {1, 2, 3, 4, 5}) {
    for (const std::int64_t n : {1537, 5000, 100'000}) {
      std::vector<std::int64_t> values;
      for (std::int64_t i = 0; i < n; ++i)
        values.push_back(seed * 1'000'000'007 + i);
      bench a{"distinct", data_type::int64};
      a.add(ints(values));
      const auto got = std::stod(a.text());
      INFO("seed " << seed << " n " << n << " got " << got);
      REQUIRE(relative_error(got, static_cast<double>(n)) < 0.025);
      REQUIRE(a.text_bytes() < 20'000);
    }
  }
}

TEST_CASE("distinct merges exact and dense parts to the state of the whole") {
  random_engine random{10};
  std::vector<std::int64_t> values;
  for (int i = 0; i < 40'000; ++i)
    values.push_back(static_cast<std::int64_t>(random() % 20'000));
  const auto table = ints(values);
  bench a{"distinct", data_type::int64};
  a.add(table);
  for (const auto row : table.all())
    a.add(table, {row}, row % 100 == 0 ? 1 : row % 10 == 0 ? 2 : 3);
  const auto size = a.save(1).size();
  REQUIRE(size < 8 * 500);
  bench b{"distinct", data_type::int64};
  REQUIRE(b.load(0, a.save(1)));
  REQUIRE(b.load(1, a.save(3)));
  REQUIRE(b.load(2, a.save(2)));
  b.merge(0, 2);
  b.merge(0, 1);
  REQUIRE((b.save() == a.save()));
  a.merge(3, 1);
  a.merge(3, 2);
  REQUIRE((a.save(3) == a.save()));
}

TEST_CASE("top counts exactly while it can hold every value") {
  REQUIRE(over("top", ints({5, 3, 5, 7, 3, 5, 1}), {{0.0, 3}}) ==
          R"([{"value":5,"count":3},{"value":3,"count":2},{"value":1,"count":1}])");
  REQUIRE(over("top", doubles({0.0, -0.0, no_number, no_number}), {{0.0, 3}}) ==
          R"([{"value":0.0,"count":2},{"value":"NaN","count":2}])");
  REQUIRE(over("top", ints({}), {{0.0, 3}}) == "null");
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < 256; ++i)
    for (std::int64_t j = 0; j <= i % 50; ++j)
      values.push_back(i);
  REQUIRE(over("top", ints(values), {{0.0, 2}}) == R"([{"value":49,"count":50},{"value":99,"count":50}])");
}

TEST_CASE("top finds the heavy values of a skewed stream with many more values than it holds") {
  random_engine random{11};
  std::vector<std::int64_t> values;
  std::map<std::int64_t, std::int64_t> exact;
  for (int i = 0; i < 60'000; ++i) {
    // Ranks 1 to 5 have shares of a half, a quarter, ...: the rest is noise over 30,000 values.
    auto v = static_cast<std::int64_t>(1000 + random() % 30'000);
    for (std::int64_t rank = 1; rank <= 5; ++rank) {
      if (random() % 2 == 0) {
        v = rank;
        break;
      }
    }
    values.push_back(v);
    ++exact[v];
  }
  const auto table = ints(values);
  bench a{"top", data_type::int64, {{0.0, 5}}};
  a.add(table);
  for (const auto row : table.all())
    a.add(table, {row}, static_cast<cell_id>(1 + random() % 6));
  for (cell_id c = 2; c < 7; ++c)
    a.merge(1, c);
  std::string wanted;
  for (std::int64_t rank = 1; rank <= 5; ++rank)
    wanted += (rank == 1 ? "[" : ",") + std::string{R"({"value":)"} + std::to_string(rank) + R"(,"count":)" +
              std::to_string(exact[rank]) + "}";
  REQUIRE(a.text(0) == wanted + "]");
  // Merged, a count may be too high by what the parts can have missed.
  std::size_t at = 0;
  const auto merged = a.text(1);
  for (std::int64_t rank = 1; rank <= 5; ++rank) {
    const auto name = R"({"value":)" + std::to_string(rank) + R"(,"count":)";
    at = merged.find(name, at);
    REQUIRE(at != std::string::npos);
    const auto count = std::stoll(merged.substr(at + name.size()));
    REQUIRE(count >= exact[rank]);
    REQUIRE(count <= exact[rank] + 60'000 / 256);
  }
  // A restart in the overflown state changes nothing.
  bench b{"top", data_type::int64, {{0.0, 5}}};
  REQUIRE(b.load(0, a.save(1)));
  a.add(table, table.all(), 1);
  b.add(table);
  REQUIRE((a.save(1) == b.save()));
}

TEST_CASE("collect keeps the first by event time, then position, whatever the order of arrival") {
  const auto table = doubles({1.0, 2.0, 3.0, 4.0, 5.0}, {50, 10, 30, 10, 20});
  REQUIRE(over("collect", table, {{0.0, 3}}) == "[2.0,4.0,5.0]");
  REQUIRE(over("collect", table, {{0.0, 9}}) == "[2.0,4.0,5.0,3.0,1.0]");
  bench a{"collect", data_type::float64, {{0.0, 3}}};
  a.add(table, {4, 3, 2, 1, 0});
  REQUIRE(a.text() == "[2.0,4.0,5.0]");
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", data_type::json, true}})};
  b.set_text(0, R"({"a":[1,2]})");
  b.finish_row(1, 0, 0, 0);
  REQUIRE(over("collect", value_table{b.finish()}, {{0.0, 3}}) == R"([{"a":[1,2]}])");
}

TEST_CASE("any is the first by position, not by time") {
  bench a{"any", data_type::float64};
  const auto table = doubles({1.0, 2.0, 3.0}, {50, 10, 30});
  a.add(table, {2, 0, 1});
  REQUIRE(a.text() == "1.0");
}

TEST_CASE("integral is the area of trapezoids over event time") {
  REQUIRE(over("integral", doubles({2.0, 4.0, 4.0}, {0, 10 * second, 11 * second})) == "34.0");
  REQUIRE(over("integral", doubles({4.0, 2.0, 4.0}, {10 * second, 0, 11 * second})) == "34.0");
  REQUIRE(over("integral", doubles({7.0})) == "0.0");
  // A step: both events count, each on its side.
  REQUIRE(over("integral", doubles({1.0, 1.0, 5.0, 5.0}, {0, second, second, 2 * second})) == "6.0");
  REQUIRE(over("integral", doubles({infinity, 1.0, 1.0}, {0, 0, second})) == "1.0");
}

TEST_CASE("a long integral sums its older half, and says when an event comes too late for that") {
  std::vector<double> values;
  std::vector<nanoseconds_t> times;
  long double exact = 0;
  random_engine random{12};
  for (int i = 0; i < 30'000; ++i) {
    times.push_back(i * second / 8);
    values.push_back(static_cast<double>(random() % 100));
    if (i > 0)
      exact +=
        (static_cast<long double>(values[static_cast<std::size_t>(i)]) + values[static_cast<std::size_t>(i) - 1]) / 16;
  }
  const auto table = doubles(values, times);
  bench a{"integral", data_type::float64};
  a.add(table);
  REQUIRE(relative_error(a.number(), static_cast<double>(exact)) < 1e-9);
  REQUIRE(a.text_bytes() <= 4096 * 32 + 512);

  // Slices in order of time, each longer than the bound, merged in any order: as in a sliding window.
  std::vector<cell_id> order;
  const auto all = table.all();
  for (cell_id c = 0; c < 5; ++c) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(c) * 6000;
    a.add(table, {first, first + 6000}, 1 + c);
    order.push_back(1 + c);
  }
  std::shuffle(order.begin(), order.end(), random);
  for (const auto c : order)
    a.merge(10, c);
  REQUIRE(relative_error(a.number(10), static_cast<double>(exact)) < 1e-9);

  // Disorder within the newer half is fine.
  auto disordered = all;
  for (std::size_t i = 0; i + 1000 <= disordered.size(); i += 1000)
    std::shuffle(disordered.begin() + static_cast<std::ptrdiff_t>(i),
                 disordered.begin() + static_cast<std::ptrdiff_t>(i) + 1000, random);
  a.add(table, disordered, 20);
  REQUIRE(relative_error(a.number(20), static_cast<double>(exact)) < 1e-9);

  // Before all others is fine too; inside of what is summed is not, and stays so.
  a.add(doubles({0.0}, {-second}), {0}, 20);
  REQUIRE(a.text(20).find("error") == std::string::npos);
  a.add(doubles({0.0}, {second / 16}), {0}, 20);
  REQUIRE(a.text(20).find("error: an event came too late") == 0);
  a.merge(21, 20);
  REQUIRE(a.text(21) == a.text(20));
  a.merge(0, 10);
  REQUIRE(a.text(0) == a.text(20));
  bench b{"integral", data_type::float64};
  REQUIRE(b.load(0, a.save(20)));
  REQUIRE(b.text() == a.text(20));
}
