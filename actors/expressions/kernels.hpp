// SPDX-License-Identifier: Apache-2.0
/// @file
/// The loops that programs are made of. Each writes all rows of its register: values first, without
/// looking at errors, then the bitmaps, and those only if an operand has some. Values at null and error rows are
/// unspecified.
#pragma once

#include "actors/expressions/program.hpp"

namespace millrace::expressions::kernels {

enum class relation : std::uint8_t { equal, differs, less, less_equal, greater, greater_equal };

// Selection of a kernel for operand types; null if there is none.
kernel arithmetic(std::string_view op, data_type a, data_type b, data_type result);
kernel comparison(relation r, data_type a, data_type b);
kernel unary(std::string_view name, data_type a, data_type result);
/// Accessor of timestamps (`number`: offset of the zone in seconds) and durations.
kernel accessor(std::string_view name, data_type a);
/// Accessor of timestamps in the zone whose name `tree` holds.
kernel zoned_accessor(std::string_view name);
kernel choice(data_type result);
/// Membership in a constant list.
kernel membership(data_type a);
/// A text column against a constant text, which `tree` holds.
kernel text_test(std::string_view name);

void logical_and(execution& x, const instruction& i);
void logical_or(execution& x, const instruction& i);
void logical_not(execution& x, const instruction& i);
/// Whether operand 0 is (`number` 1) or is not (0) null.
void null_test(execution& x, const instruction& i);
/// Every row has an error.
void failure(execution& x, const instruction& i);
void concatenate(execution& x, const instruction& i);
/// Interprets `tree` once per distinct text of operand 0, variable `number`.
void by_dictionary(execution& x, const instruction& i);
/// Interprets `tree` for every row.
void by_row(execution& x, const instruction& i);

// What kernels share.

/// Points view `out` at its register, whose values are written.
view& publish(execution& x, const instruction& i);
/// Errors of the result: those of the first `count` operands, with their nulls if `nulls` (no overload takes null).
void inherit_errors(execution& x, const instruction& i, unsigned count, bool nulls);
void set_error(execution& x, const instruction& i, std::size_t row);

inline bool test(const std::uint64_t* bits, std::size_t row) noexcept {
  return bits != nullptr && ((bits[row >> 6] >> (row & 63)) & 1U) != 0;
}
/// 64 bools (0 or 1, `count` of them) as a word.
std::uint64_t pack(const std::uint8_t* bools, std::size_t count) noexcept;

template <class T>
const T* data(const view& v) noexcept;
template <>
inline const std::uint8_t* data(const view& v) noexcept {
  return v.b8;
}
template <>
inline const std::int64_t* data(const view& v) noexcept {
  return v.i64;
}
template <>
inline const std::uint64_t* data(const view& v) noexcept {
  // The signed and unsigned type of one integer may alias.
  return reinterpret_cast<const std::uint64_t*>(v.i64);
}
template <>
inline const double* data(const view& v) noexcept {
  return v.f64;
}

/// The register's values, sized for all rows.
template <class T>
T* room(execution& x, const instruction& i);
template <>
inline std::uint8_t* room(execution& x, const instruction& i) {
  auto& v = x.registers[i.target].values.b8;
  v.resize(x.rows);
  return v.data();
}
template <>
inline std::int64_t* room(execution& x, const instruction& i) {
  auto& v = x.registers[i.target].values.i64;
  v.resize(x.rows);
  return v.data();
}
template <>
inline std::uint64_t* room(execution& x, const instruction& i) {
  return reinterpret_cast<std::uint64_t*>(room<std::int64_t>(x, i));
}
template <>
inline double* room(execution& x, const instruction& i) {
  auto& v = x.registers[i.target].values.f64;
  v.resize(x.rows);
  return v.data();
}

/// out[row] = f(a[row]); constants never meet here, they are folded.
template <class A, class R, class F>
void map_rows(execution& x, const instruction& i, F f) {
  const A* __restrict a = data<A>(x.views[i.in[0]]);
  R* __restrict out = room<R>(x, i);
  for (std::size_t row = 0; row < x.rows; ++row)
    out[row] = f(a[row]);
}

/// out[row] = f(a[row], b[row]), with either side a constant.
template <class A, class B, class R, class F>
void zip_rows(execution& x, const instruction& i, F f) {
  const auto& va = x.views[i.in[0]];
  const auto& vb = x.views[i.in[1]];
  const A* __restrict a = data<A>(va);
  const B* __restrict b = data<B>(vb);
  R* __restrict out = room<R>(x, i);
  if (va.scalar) {
    const A left = a[0];
    const std::size_t step = vb.scalar ? 0 : 1;
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = f(left, b[row * step]);
  } else if (vb.scalar) {
    const B right = b[0];
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = f(a[row], right);
  } else {
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = f(a[row], b[row]);
  }
}

template <class T>
T at(const view& v, std::size_t row) noexcept {
  return data<T>(v)[v.scalar ? 0 : row];
}

} // namespace millrace::expressions::kernels
