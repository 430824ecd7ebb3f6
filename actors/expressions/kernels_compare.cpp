// SPDX-License-Identifier: Apache-2.0
// Comparisons of columns with columns and constants.
#include "actors/expressions/kernels.hpp"
#include "actors/expressions/value.hpp"

#include <type_traits>

namespace millrace::expressions::kernels {

namespace {

using i64 = std::int64_t;
using u64 = std::uint64_t;

template <relation R, class A, class B>
bool holds(A a, B b) noexcept {
  if constexpr (std::is_same_v<A, B>) {
    switch (R) {
    case relation::equal: return a == b;
    case relation::differs: return a != b;
    case relation::less: return a < b;
    case relation::less_equal: return a <= b;
    case relation::greater: return a > b;
    case relation::greater_equal: return a >= b;
    }
  } else {
    const auto o = compare_numbers(a, b);
    switch (R) {
    case relation::equal: return o == 0;
    case relation::differs: return o != 0;
    case relation::less: return o < 0;
    case relation::less_equal: return o <= 0;
    case relation::greater: return o > 0;
    case relation::greater_equal: return o >= 0;
    }
  }
  return false;
}

constexpr bool is_equality(relation r) noexcept { return r == relation::equal || r == relation::differs; }

/// Null equals null and nothing else; null has no order.
template <relation R>
void finish(execution& x, const instruction& i) {
  inherit_errors(x, i, 2, !is_equality(R));
  const auto& a = x.views[i.in[0]];
  const auto& b = x.views[i.in[1]];
  if (is_equality(R) && (a.nulls != nullptr || b.nulls != nullptr)) {
    auto& out = x.registers[i.target].values.b8;
    for (std::size_t row = 0; row < x.rows; ++row) {
      const bool na = test(a.nulls, row);
      const bool nb = test(b.nulls, row);
      if (na || nb)
        out[row] = (na && nb) == (R == relation::equal) ? 1 : 0;
    }
  }
  publish(x, i);
}

template <relation R, class A, class B>
void compare_rows(execution& x, const instruction& i) {
  zip_rows<A, B, std::uint8_t>(x, i, [](A a, B b) { return static_cast<std::uint8_t>(holds<R>(a, b)); });
  finish<R>(x, i);
}

/// Texts of two columns. Codes decide where both share a dictionary of distinct texts.
template <relation R>
void compare_texts(execution& x, const instruction& i) {
  const auto& a = x.views[i.in[0]];
  const auto& b = x.views[i.in[1]];
  auto* out = room<std::uint8_t>(x, i);
  const std::size_t sa = a.scalar ? 0 : 1;
  const std::size_t sb = b.scalar ? 0 : 1;
  if (is_equality(R) && a.dict == b.dict && a.dict->unique()) {
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = holds<R>(a.codes[row * sa], b.codes[row * sb]) ? 1 : 0;
  } else {
    for (std::size_t row = 0; row < x.rows; ++row) {
      const auto ca = a.codes[row * sa];
      const auto cb = b.codes[row * sb];
      // The code of a null may stand for no text.
      const bool known = ca < a.dict->size() && cb < b.dict->size();
      out[row] = known && holds<R>((*a.dict)[ca], (*b.dict)[cb]) ? 1 : 0;
    }
  }
  finish<R>(x, i);
}

template <relation R>
kernel select(data_type a, data_type b) {
  using enum data_type;
  if (a == b) {
    switch (a) {
    case boolean: return compare_rows<R, std::uint8_t, std::uint8_t>;
    case uint64: return compare_rows<R, u64, u64>;
    case float64: return compare_rows<R, double, double>;
    case string:
    case bytes: return compare_texts<R>;
    case json: return nullptr;
    default: return compare_rows<R, i64, i64>;
    }
  }
  if (a == int64)
    return b == uint64 ? compare_rows<R, i64, u64> : b == float64 ? compare_rows<R, i64, double> : nullptr;
  if (a == uint64)
    return b == int64 ? compare_rows<R, u64, i64> : b == float64 ? compare_rows<R, u64, double> : nullptr;
  if (a == float64)
    return b == int64 ? compare_rows<R, double, i64> : b == uint64 ? compare_rows<R, double, u64> : nullptr;
  return nullptr;
}

} // namespace

kernel comparison(relation r, data_type a, data_type b) {
  switch (r) {
  case relation::equal: return select<relation::equal>(a, b);
  case relation::differs: return select<relation::differs>(a, b);
  case relation::less: return select<relation::less>(a, b);
  case relation::less_equal: return select<relation::less_equal>(a, b);
  case relation::greater: return select<relation::greater>(a, b);
  case relation::greater_equal: return select<relation::greater_equal>(a, b);
  }
  return nullptr;
}

} // namespace millrace::expressions::kernels
