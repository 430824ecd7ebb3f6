// SPDX-License-Identifier: Apache-2.0
// Statistics on centred sums: variance, stddev, slope, ewma. Updates after Welford (Technometrics 4, 1962), merges
// after Chan, Golub and LeVeque (Updating formulae, COMPSTAT 1982). Means carry a correction term, so that a large
// offset (prices, epoch times) does not eat the digits that results are made of.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/typed_accumulator.hpp"
#include "actors/windows/values.hpp"

#include <cmath>

namespace millrace::windows {

namespace {

/// A number as an unevaluated sum of two doubles (Knuth's exact addition).
struct fine_mean {
  double high = 0.0;
  double low = 0.0;

  void move(double by) {
    by += low;
    const double sum = high + by;
    const double part = sum - high;
    low = (high - (sum - part)) + (by - part);
    high = sum;
    // Once infinite, the correction is NaN and would hide which infinity it was.
    if (!std::isfinite(high))
      low = 0.0;
  }
  double below(double x) const { return (x - high) - low; }
  double below(const fine_mean& x) const { return (x.high - high) + (x.low - low); }
  void save(binary_writer& out) const {
    out.f64(high);
    out.f64(low);
  }
  void load(binary_reader& in) {
    high = in.f64();
    low = in.f64();
  }
};

/// A number of things that are counted one by one: negative only in damaged bytes.
std::int64_t load_count(binary_reader& in) {
  const auto n = in.i64();
  if (n < 0)
    in.fail();
  return n < 0 ? 0 : n;
}

struct moments {
  std::int64_t n = 0;
  fine_mean mean;
  /// Sum of squared differences from the mean.
  double squares = 0.0;
};

template <bool Root>
struct variance_traits {
  using cell = moments;
  static constexpr bool has_text = false;
  static void add(cell& c, const column* values, const event_batch& /*in*/, std::uint32_t row) {
    const double x = number_at(*values, row);
    ++c.n;
    const double before = c.mean.below(x);
    c.mean.move(before / static_cast<double>(c.n));
    c.squares += before * c.mean.below(x);
  }
  static void merge(cell& c, const cell& from) {
    if (from.n == 0)
      return;
    if (c.n == 0) {
      c = from;
      return;
    }
    const double delta = c.mean.below(from.mean);
    const double share = static_cast<double>(from.n) / static_cast<double>(c.n + from.n);
    c.squares += from.squares + delta * delta * (static_cast<double>(c.n) * share);
    c.mean.move(delta * share);
    c.n += from.n;
  }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.n < 2)
      return;
    const double v = c.squares / static_cast<double>(c.n - 1);
    out.set_double(index, Root ? std::sqrt(v) : v);
  }
  static void save(const cell& c, binary_writer& out) {
    out.i64(c.n);
    c.mean.save(out);
    out.f64(c.squares);
  }
  static void load(cell& c, binary_reader& in) {
    c.n = load_count(in);
    c.mean.load(in);
    c.squares = in.f64();
  }
};

/// Seconds from `from` to `to`; in 128 bits since event times may be anything.
double seconds_between(nanoseconds_t from, nanoseconds_t to) {
  return static_cast<double>(static_cast<int128>(to) - from) / 1e9;
}

struct line {
  std::int64_t n = 0;
  /// Times are relative to this one, which keeps the nanoseconds of epoch times.
  nanoseconds_t origin = 0;
  fine_mean time;
  fine_mean value;
  double time_squares = 0.0;
  double products = 0.0;
  /// There are two distinct times.
  bool spread = false;
};

struct slope_traits {
  using cell = line;
  static constexpr bool has_text = false;
  static void add(cell& c, const column* values, const event_batch& in, std::uint32_t row) {
    if (c.n == 0)
      c.origin = in.time[row];
    c.spread = c.spread || in.time[row] != c.origin;
    const double t = seconds_between(c.origin, in.time[row]);
    const double x = number_at(*values, row);
    ++c.n;
    const double n = static_cast<double>(c.n);
    const double dt = c.time.below(t);
    const double dx = c.value.below(x);
    c.time.move(dt / n);
    c.value.move(dx / n);
    const double rest = c.time.below(t);
    c.time_squares += dt * rest;
    c.products += rest * dx;
  }
  static void merge(cell& c, const cell& from) {
    if (from.n == 0)
      return;
    if (c.n == 0) {
      c = from;
      return;
    }
    auto time = from.time;
    time.move(seconds_between(c.origin, from.origin));
    const double dt = c.time.below(time);
    const double dx = c.value.below(from.value);
    const double share = static_cast<double>(from.n) / static_cast<double>(c.n + from.n);
    const double weight = static_cast<double>(c.n) * share;
    c.time_squares += from.time_squares + dt * dt * weight;
    c.products += from.products + dt * dx * weight;
    c.time.move(dt * share);
    c.value.move(dx * share);
    c.n += from.n;
    c.spread = c.spread || from.spread || c.origin != from.origin;
  }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.spread)
      out.set_double(index, c.products / c.time_squares);
  }
  static void save(const cell& c, binary_writer& out) {
    out.i64(c.n);
    out.i64(c.origin);
    c.time.save(out);
    c.value.save(out);
    out.f64(c.time_squares);
    out.f64(c.products);
    out.u8(c.spread ? 1 : 0);
  }
  static void load(cell& c, binary_reader& in) {
    c.n = load_count(in);
    c.origin = in.i64();
    c.time.load(in);
    c.value.load(in);
    c.time_squares = in.f64();
    c.products = in.f64();
    c.spread = in.flag();
  }
};

struct decayed {
  /// Time of the last event: the others weigh 0.5^((last - t) / half-life).
  nanoseconds_t last = 0;
  /// Sum of the weights, at least 1 once there is a value.
  double weight = 0.0;
  double mean = 0.0;
  /// Sum of the values that are not finite, which no weight makes finite.
  double beyond = 0.0;
};

struct ewma_traits {
  using cell = decayed;
  static constexpr bool has_text = false;

  double half_life = 1.0;

  double decay(nanoseconds_t from, nanoseconds_t to) const { return std::exp2(-seconds_between(from, to) / half_life); }

  /// Adds a part with this mean and weight, which holds for time `at`.
  void take(cell& c, nanoseconds_t at, double weight, double mean) const {
    if (c.weight > 0.0 && at < c.last) {
      weight *= decay(at, c.last);
    } else {
      c.weight *= c.weight > 0.0 ? decay(c.last, at) : 0.0;
      c.last = at;
    }
    c.weight += weight;
    c.mean += (mean - c.mean) * (weight / c.weight);
  }
  void add(cell& c, const column* values, const event_batch& in, std::uint32_t row) const {
    const double x = number_at(*values, row);
    const bool finite = std::isfinite(x);
    take(c, in.time[row], 1.0, finite ? x : 0.0);
    if (!finite)
      c.beyond += x;
  }
  void merge(cell& c, const cell& from) const {
    if (from.weight <= 0.0)
      return;
    take(c, from.last, from.weight, from.mean);
    c.beyond += from.beyond;
  }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.weight > 0.0)
      out.set_double(index, c.beyond == 0.0 ? c.mean : c.beyond);
  }
  static void save(const cell& c, binary_writer& out) {
    out.i64(c.last);
    out.f64(c.weight);
    out.f64(c.mean);
    out.f64(c.beyond);
  }
  static void load(cell& c, binary_reader& in) {
    c.last = in.i64();
    c.weight = in.f64();
    c.mean = in.f64();
    c.beyond = in.f64();
  }
};

} // namespace

made make_variance(argument_type /*argument*/, parameter_values /*parameters*/) {
  return std::make_unique<typed_accumulator<variance_traits<false>>>();
}

made make_stddev(argument_type /*argument*/, parameter_values /*parameters*/) {
  return std::make_unique<typed_accumulator<variance_traits<true>>>();
}

made make_slope(argument_type /*argument*/, parameter_values /*parameters*/) {
  return std::make_unique<typed_accumulator<slope_traits>>();
}

made make_ewma(argument_type /*argument*/, parameter_values parameters) {
  return std::make_unique<typed_accumulator<ewma_traits>>(
    ewma_traits{static_cast<double>(parameters[0].integer) / 1e9});
}

} // namespace millrace::windows
