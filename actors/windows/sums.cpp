// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/accumulators.hpp"
#include "actors/windows/typed_accumulator.hpp"

#include <cmath>
#include <limits>

namespace millrace::windows {

namespace {

struct count_traits {
  struct cell {
    std::int64_t n = 0;
  };
  static constexpr bool has_text = false;
  static void add(cell& c, const column* /*values*/, const event_batch& /*in*/, std::uint32_t /*row*/) { ++c.n; }
  static void merge(cell& c, const cell& from) { c.n += from.n; }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    out.set_int(index, c.n);
  }
  static void save(const cell& c, binary_writer& out) { out.i64(c.n); }
  static void load(cell& c, binary_reader& in) { c.n = in.i64(); }
};

struct count_if_traits : count_traits {
  static void add(cell& c, const column* values, const event_batch& /*in*/, std::uint32_t row) {
    c.n += values->b8[row] != 0 ? 1 : 0;
  }
};

/// Sum and number of integers. 128 bits hold 2^63 values, so the range is checked once, at the end, and the
/// result does not depend on the order of events.
struct integer_cell {
  int128 sum = 0;
  std::int64_t n = 0;
};

template <bool Unsigned>
struct integer_traits {
  using cell = integer_cell;
  static constexpr bool has_text = false;
  static void add(cell& c, const column* values, const event_batch& /*in*/, std::uint32_t row) {
    if constexpr (Unsigned)
      c.sum += values->u64(row);
    else
      c.sum += values->i64[row];
    ++c.n;
  }
  static void merge(cell& c, const cell& from) {
    c.sum += from.sum;
    c.n += from.n;
  }
  static void save(const cell& c, binary_writer& out) {
    out.i128(c.sum);
    out.i64(c.n);
  }
  static void load(cell& c, binary_reader& in) {
    c.sum = in.i128();
    c.n = in.i64();
  }
};

template <bool Unsigned>
struct integer_sum : integer_traits<Unsigned> {
  static void write(const integer_cell& c, batch_builder& out, std::size_t index, std::string& reason) {
    if (c.n == 0)
      return;
    if constexpr (Unsigned) {
      if (c.sum > static_cast<int128>(std::numeric_limits<std::uint64_t>::max()))
        reason = "the sum leaves the range of uint";
      else
        out.set_uint(index, static_cast<std::uint64_t>(c.sum));
    } else {
      if (c.sum > std::numeric_limits<std::int64_t>::max() || c.sum < std::numeric_limits<std::int64_t>::min())
        reason = "the sum leaves the range of int";
      else
        out.set_int(index, static_cast<std::int64_t>(c.sum));
    }
  }
};

template <bool Unsigned>
struct integer_avg : integer_traits<Unsigned> {
  static void write(const integer_cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.n != 0)
      out.set_double(index, static_cast<double>(c.sum) / static_cast<double>(c.n));
  }
};

/// The length of a window, seconds; in 128 bits since a window over everything spans the range of time.
double seconds(const window_span& span) {
  return static_cast<double>(static_cast<int128>(span.end) - span.start) / 1e9;
}

template <bool Unsigned>
struct integer_rate : integer_traits<Unsigned> {
  static void write(const integer_cell& c, const window_span& span, batch_builder& out, std::size_t index,
                    std::string& /*reason*/) {
    if (c.n != 0 && span.end > span.start)
      out.set_double(index, static_cast<double>(c.sum) / seconds(span));
  }
};

/// Neumaier's compensated sum (ZAMM 54, 1974): how events are cut into slices hardly shows.
struct double_cell {
  double sum = 0.0;
  double rest = 0.0;
  std::int64_t n = 0;

  void add(double x) {
    const double t = sum + x;
    if (std::fabs(sum) >= std::fabs(x))
      rest += (sum - t) + x;
    else
      rest += (x - t) + sum;
    sum = t;
  }
  /// Once the sum is infinite or NaN the rest means nothing.
  double total() const { return std::isfinite(sum) ? sum + rest : sum; }
};

struct double_traits {
  using cell = double_cell;
  static constexpr bool has_text = false;
  static void add(cell& c, const column* values, const event_batch& /*in*/, std::uint32_t row) {
    c.add(values->f64[row]);
    ++c.n;
  }
  static void merge(cell& c, const cell& from) {
    if (c.n == 0) {
      c = from;
      return;
    }
    c.add(from.sum);
    c.rest += from.rest;
    c.n += from.n;
  }
  static void save(const cell& c, binary_writer& out) {
    out.f64(c.sum);
    out.f64(c.rest);
    out.i64(c.n);
  }
  static void load(cell& c, binary_reader& in) {
    c.sum = in.f64();
    c.rest = in.f64();
    c.n = in.i64();
  }
};

struct double_sum : double_traits {
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.n != 0)
      out.set_double(index, c.total());
  }
};

struct double_avg : double_traits {
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.n != 0)
      out.set_double(index, c.total() / static_cast<double>(c.n));
  }
};

struct double_rate : double_traits {
  static void write(const cell& c, const window_span& span, batch_builder& out, std::size_t index,
                    std::string& /*reason*/) {
    if (c.n != 0 && span.end > span.start)
      out.set_double(index, c.total() / seconds(span));
  }
};

} // namespace

made make_count(argument_type /*argument*/, parameter_values /*parameters*/) {
  return std::make_unique<typed_accumulator<count_traits>>();
}

made make_count_if(argument_type /*argument*/, parameter_values /*parameters*/) {
  return std::make_unique<typed_accumulator<count_if_traits>>();
}

made make_sum(argument_type argument, parameter_values /*parameters*/) {
  if (argument == data_type::float64)
    return std::make_unique<typed_accumulator<double_sum>>();
  if (argument == data_type::uint64)
    return std::make_unique<typed_accumulator<integer_sum<true>>>();
  return std::make_unique<typed_accumulator<integer_sum<false>>>();
}

made make_avg(argument_type argument, parameter_values /*parameters*/) {
  if (argument == data_type::float64)
    return std::make_unique<typed_accumulator<double_avg>>();
  if (argument == data_type::uint64)
    return std::make_unique<typed_accumulator<integer_avg<true>>>();
  return std::make_unique<typed_accumulator<integer_avg<false>>>();
}

made make_rate(argument_type argument, parameter_values /*parameters*/) {
  if (argument == data_type::float64)
    return std::make_unique<typed_accumulator<double_rate>>();
  if (argument == data_type::uint64)
    return std::make_unique<typed_accumulator<integer_rate<true>>>();
  return std::make_unique<typed_accumulator<integer_rate<false>>>();
}

} // namespace millrace::windows
