// SPDX-License-Identifier: Apache-2.0
// Arithmetic, conversions, accessors and membership of numbers and times.
#include "actors/expressions/kernels.hpp"
#include "actors/expressions/time.hpp"
#include "actors/expressions/time_zone.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::expressions::kernels {

namespace {

using i64 = std::int64_t;
using u64 = std::uint64_t;

constexpr i64 smallest = std::numeric_limits<i64>::min();
constexpr double two_63 = 9223372036854775808.0;
constexpr double two_64 = 18446744073709551616.0;

// Operations answer negative numbers where there is no result. Add and subtract find that in the signs, which
// compilers turn into vector instructions; they cannot do so with the overflow builtins.
struct add_signed {
  static i64 apply(i64 a, i64 b, i64& r) noexcept {
    r = static_cast<i64>(static_cast<u64>(a) + static_cast<u64>(b));
    return (a ^ r) & (b ^ r);
  }
};
struct subtract_signed {
  static i64 apply(i64 a, i64 b, i64& r) noexcept {
    r = static_cast<i64>(static_cast<u64>(a) - static_cast<u64>(b));
    return (a ^ b) & (a ^ r);
  }
};
struct multiply_any {
  template <class T>
  static i64 apply(T a, T b, T& r) noexcept {
    return -static_cast<i64>(__builtin_mul_overflow(a, b, &r));
  }
};
struct add_unsigned {
  static i64 apply(u64 a, u64 b, u64& r) noexcept { return -static_cast<i64>(__builtin_add_overflow(a, b, &r)); }
};
struct subtract_unsigned {
  static i64 apply(u64 a, u64 b, u64& r) noexcept { return -static_cast<i64>(__builtin_sub_overflow(a, b, &r)); }
};
struct divide_any {
  static i64 apply(i64 a, i64 b, i64& r) noexcept {
    const bool bad = b == 0 || (a == smallest && b == -1);
    r = a / (bad ? 1 : b);
    return -static_cast<i64>(bad);
  }
  static i64 apply(u64 a, u64 b, u64& r) noexcept {
    r = a / (b == 0 ? 1 : b);
    return -static_cast<i64>(b == 0);
  }
};
struct modulo_any {
  static i64 apply(i64 a, i64 b, i64& r) noexcept {
    const bool bad = b == 0 || (a == smallest && b == -1);
    r = a % (bad ? 1 : b);
    return -static_cast<i64>(bad);
  }
  static i64 apply(u64 a, u64 b, u64& r) noexcept {
    r = a % (b == 0 ? 1 : b);
    return -static_cast<i64>(b == 0);
  }
};

bool has_value(const execution& x, const instruction& i, std::size_t row) {
  for (unsigned k = 0; k < 2; ++k) {
    const auto& v = x.views[i.in[k]];
    if (test(v.nulls, row) || test(v.errors, row))
      return false;
  }
  return true;
}

/// Runs an operation that may fail; which rows did is only asked when one did.
template <class T, class Op, bool Instants>
void checked_zip(execution& x, const instruction& i) {
  i64 failed = 0;
  zip_rows<T, T, T>(x, i, [&failed](T a, T b) {
    T r{};
    failed |= Op::apply(a, b, r);
    return r;
  });
  inherit_errors(x, i, 2, true);
  if (failed < 0) {
    const auto& a = x.views[i.in[0]];
    const auto& b = x.views[i.in[1]];
    for (std::size_t row = 0; row < x.rows; ++row) {
      T r{};
      if (Op::apply(at<T>(a, row), at<T>(b, row), r) >= 0)
        continue;
      set_error(x, i, row);
      // Timestamps of CEL reach further than 64-bit nanoseconds: such a row is the interpreter's.
      if (Instants && has_value(x, i, row))
        x.inexact = true;
    }
  }
  publish(x, i);
}

template <class F>
void double_zip(execution& x, const instruction& i) {
  zip_rows<double, double, double>(x, i, [](double a, double b) { return F::apply(a, b); });
  inherit_errors(x, i, 2, true);
  publish(x, i);
}

struct plus {
  static double apply(double a, double b) noexcept { return a + b; }
};
struct minus {
  static double apply(double a, double b) noexcept { return a - b; }
};
struct times {
  static double apply(double a, double b) noexcept { return a * b; }
};
struct over {
  static double apply(double a, double b) noexcept { return a / b; }
};

template <class A, class R, class F>
void total(execution& x, const instruction& i) {
  map_rows<A, R>(x, i, [](A a) { return F::apply(a); });
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

/// A function of one operand that fails for some values.
template <class A, class R, class F>
void partial(execution& x, const instruction& i) {
  bool failed = false;
  map_rows<A, R>(x, i, [&failed](A a) {
    const bool ok = F::accepts(a);
    failed |= !ok;
    return ok ? F::apply(a) : R{};
  });
  inherit_errors(x, i, 1, true);
  if (failed) {
    const A* a = data<A>(x.views[i.in[0]]);
    for (std::size_t row = 0; row < x.rows; ++row)
      if (!F::accepts(a[row]))
        set_error(x, i, row);
  }
  publish(x, i);
}

template <class A, class R>
struct cast {
  static R apply(A a) noexcept { return static_cast<R>(a); }
};
struct double_to_int : cast<double, i64> {
  static bool accepts(double a) noexcept { return a > -two_63 && a < two_63; }
};
struct double_to_uint : cast<double, u64> {
  static bool accepts(double a) noexcept { return a >= 0 && a < two_64; }
};
struct int_to_uint : cast<i64, u64> {
  static bool accepts(i64 a) noexcept { return a >= 0; }
};
struct uint_to_int : cast<u64, i64> {
  static bool accepts(u64 a) noexcept { return a <= static_cast<u64>(std::numeric_limits<i64>::max()); }
};
struct negate_int {
  static i64 apply(i64 a) noexcept { return -a; }
  static bool accepts(i64 a) noexcept { return a != smallest; }
};
struct absolute_int {
  static i64 apply(i64 a) noexcept { return a < 0 ? -a : a; }
  static bool accepts(i64 a) noexcept { return a != smallest; }
};
struct negate_double {
  static double apply(double a) noexcept { return -a; }
};
struct whole_seconds {
  static i64 apply(i64 ns) noexcept { return floor_div(ns, ns_per_second); }
};
struct absolute_double {
  static double apply(double a) noexcept { return std::abs(a); }
};
struct ceiling {
  static double apply(double a) noexcept { return std::ceil(a); }
};
struct bottom {
  static double apply(double a) noexcept { return std::floor(a); }
};
struct rounded {
  static double apply(double a) noexcept { return std::round(a); }
};
struct truncated {
  static double apply(double a) noexcept { return std::trunc(a); }
};
struct root {
  static double apply(double a) noexcept { return std::sqrt(a); }
};

template <time_part Part>
void instant_part(execution& x, const instruction& i) {
  const auto offset = i.number;
  map_rows<i64, i64>(x, i, [offset](i64 ns) {
    const auto seconds = floor_div(ns, ns_per_second);
    return part_of(Part, seconds + offset, static_cast<std::uint32_t>(ns - seconds * ns_per_second));
  });
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

template <time_part Part>
void zoned_part(execution& x, const instruction& i) {
  // The compiler has seen that the zone is there.
  zone_cursor zone{find_zone(i.tree->constant.s).value_or(time_zone{})};
  map_rows<i64, i64>(x, i, [&zone](i64 ns) {
    const auto seconds = floor_div(ns, ns_per_second);
    return part_of(Part, seconds + zone.offset_at(seconds), static_cast<std::uint32_t>(ns - seconds * ns_per_second));
  });
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

template <i64 Modulus, i64 Unit>
void duration_part(execution& x, const instruction& i) {
  map_rows<i64, i64>(x, i, [](i64 ns) { return (Modulus != 0 ? ns % (Modulus != 0 ? Modulus : 1) : ns) / Unit; });
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

template <class T>
std::span<const T> members(const instruction& i);
template <>
std::span<const i64> members(const instruction& i) {
  return i.numbers;
}
template <>
std::span<const double> members(const instruction& i) {
  return i.reals;
}

template <class T>
void member_of(execution& x, const instruction& i) {
  constexpr std::size_t few = 16;
  const auto list = members<T>(i);
  if (list.size() <= few)
    map_rows<T, std::uint8_t>(x, i, [list](T a) {
      bool found = false;
      for (const T m : list)
        found |= a == m;
      return static_cast<std::uint8_t>(found);
    });
  else
    map_rows<T, std::uint8_t>(
      x, i, [list](T a) { return static_cast<std::uint8_t>(std::binary_search(list.begin(), list.end(), a)); });
  // The list holds no null, so a null is not in it.
  if (const auto* nulls = x.views[i.in[0]].nulls)
    for (std::size_t row = 0; row < x.rows; ++row)
      if (test(nulls, row))
        x.registers[i.target].values.b8[row] = 0;
  inherit_errors(x, i, 1, false);
  publish(x, i);
}

kernel signed_arithmetic(std::string_view op) {
  if (op == "_+_")
    return checked_zip<i64, add_signed, false>;
  if (op == "_-_")
    return checked_zip<i64, subtract_signed, false>;
  if (op == "_*_")
    return checked_zip<i64, multiply_any, false>;
  return op == "_/_"   ? checked_zip<i64, divide_any, false>
         : op == "_%_" ? checked_zip<i64, modulo_any, false>
                       : nullptr;
}

kernel unsigned_arithmetic(std::string_view op) {
  if (op == "_+_")
    return checked_zip<u64, add_unsigned, false>;
  if (op == "_-_")
    return checked_zip<u64, subtract_unsigned, false>;
  if (op == "_*_")
    return checked_zip<u64, multiply_any, false>;
  return op == "_/_"   ? checked_zip<u64, divide_any, false>
         : op == "_%_" ? checked_zip<u64, modulo_any, false>
                       : nullptr;
}

kernel double_arithmetic(std::string_view op) {
  if (op == "_+_")
    return double_zip<plus>;
  if (op == "_-_")
    return double_zip<minus>;
  return op == "_*_" ? double_zip<times> : op == "_/_" ? double_zip<over> : nullptr;
}

constexpr bool is_time(data_type t) noexcept { return t == data_type::timestamp || t == data_type::duration; }

} // namespace

kernel arithmetic(std::string_view op, data_type a, data_type b, data_type) {
  if (is_time(a) && is_time(b)) {
    const bool instants = a == data_type::timestamp || b == data_type::timestamp;
    if (op == "_+_")
      return instants ? checked_zip<i64, add_signed, true> : checked_zip<i64, add_signed, false>;
    return instants ? checked_zip<i64, subtract_signed, true> : checked_zip<i64, subtract_signed, false>;
  }
  if (a != b)
    return nullptr;
  switch (a) {
  case data_type::int64: return signed_arithmetic(op);
  case data_type::uint64: return unsigned_arithmetic(op);
  case data_type::float64: return double_arithmetic(op);
  case data_type::string:
  case data_type::bytes: return op == "_+_" ? concatenate : nullptr;
  default: return nullptr;
  }
}

kernel unary(std::string_view name, data_type a, data_type result) {
  using enum data_type;
  struct entry {
    std::string_view name;
    data_type from;
    data_type to;
    kernel run;
  };
  static constexpr entry table[] = {
    {"double", int64, float64, total<i64, double, cast<i64, double>>},
    {"double", uint64, float64, total<u64, double, cast<u64, double>>},
    {"double", float64, float64, total<double, double, cast<double, double>>},
    {"int", int64, int64, total<i64, i64, cast<i64, i64>>},
    {"int", uint64, int64, partial<u64, i64, uint_to_int>},
    {"int", float64, int64, partial<double, i64, double_to_int>},
    {"int", timestamp, int64, total<i64, i64, whole_seconds>},
    {"uint", uint64, uint64, total<i64, i64, cast<i64, i64>>},
    {"uint", int64, uint64, partial<i64, u64, int_to_uint>},
    {"uint", float64, uint64, partial<double, u64, double_to_uint>},
    {"-_", int64, int64, partial<i64, i64, negate_int>},
    {"-_", float64, float64, total<double, double, negate_double>},
    {"!_", boolean, boolean, logical_not},
    {"math.abs", int64, int64, partial<i64, i64, absolute_int>},
    {"math.abs", float64, float64, total<double, double, absolute_double>},
    {"math.ceil", float64, float64, total<double, double, ceiling>},
    {"math.floor", float64, float64, total<double, double, bottom>},
    {"math.round", float64, float64, total<double, double, rounded>},
    {"math.trunc", float64, float64, total<double, double, truncated>},
    {"math.sqrt", float64, float64, total<double, double, root>},
  };
  for (const auto& e : table)
    if (e.name == name && e.from == a && e.to == result)
      return e.run;
  return nullptr;
}

namespace {

struct accessor_kernels {
  std::string_view name;
  kernel of_instant;
  kernel in_zone;
  kernel of_duration;
};

const accessor_kernels* find_accessor(std::string_view name) {
  static constexpr accessor_kernels table[] = {
    {"getFullYear", instant_part<time_part::full_year>, zoned_part<time_part::full_year>, nullptr},
    {"getMonth", instant_part<time_part::month>, zoned_part<time_part::month>, nullptr},
    {"getDate", instant_part<time_part::date>, zoned_part<time_part::date>, nullptr},
    {"getDayOfMonth", instant_part<time_part::day_of_month>, zoned_part<time_part::day_of_month>, nullptr},
    {"getDayOfWeek", instant_part<time_part::day_of_week>, zoned_part<time_part::day_of_week>, nullptr},
    {"getDayOfYear", instant_part<time_part::day_of_year>, zoned_part<time_part::day_of_year>, nullptr},
    {"getHours", instant_part<time_part::hours>, zoned_part<time_part::hours>, duration_part<0, 3600 * ns_per_second>},
    {"getMinutes", instant_part<time_part::minutes>, zoned_part<time_part::minutes>,
     duration_part<0, 60 * ns_per_second>},
    {"getSeconds", instant_part<time_part::seconds>, zoned_part<time_part::seconds>, duration_part<0, ns_per_second>},
    {"getMilliseconds", instant_part<time_part::milliseconds>, zoned_part<time_part::milliseconds>,
     duration_part<ns_per_second, 1'000'000>},
  };
  for (const auto& e : table)
    if (e.name == name)
      return &e;
  return nullptr;
}

} // namespace

kernel accessor(std::string_view name, data_type a) {
  const auto* e = find_accessor(name);
  if (e == nullptr)
    return nullptr;
  return a == data_type::timestamp ? e->of_instant : a == data_type::duration ? e->of_duration : nullptr;
}

kernel zoned_accessor(std::string_view name) {
  const auto* e = find_accessor(name);
  return e != nullptr ? e->in_zone : nullptr;
}

kernel membership(data_type a) {
  if (a == data_type::int64 || a == data_type::uint64)
    return member_of<i64>;
  return a == data_type::float64 ? member_of<double> : nullptr;
}

} // namespace millrace::expressions::kernels
