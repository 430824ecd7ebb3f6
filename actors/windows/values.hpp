// SPDX-License-Identifier: Apache-2.0
/// @file
/// How accumulators that keep values read, order, hash, save and print them, per column type; and the place of an
/// event in the orders that aggregates go by.
#pragma once

#include "actors/windows/accumulators.hpp"
#include "messaging/codec/json_writer.hpp"

#include <xxhash.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace millrace::windows {

/// XXH3 of eight bytes; a lone one-to-one mix would do for registers, but the same hash everywhere is easier to trust.
inline std::uint64_t hash_of(std::uint64_t bits) noexcept { return XXH3_64bits(&bits, sizeof bits); }

struct bool_value {
  using type = bool;
  static bool get(const column& c, std::uint32_t row) { return c.b8[row] != 0; }
  static bool less(bool a, bool b) { return !a && b; }
  static void set(batch_builder& out, std::size_t index, bool v) { out.set_bool(index, v); }
  static void save(binary_writer& out, bool v) { out.u8(v ? 1 : 0); }
  static bool load(binary_reader& in) { return in.flag(); }
  static bool canonical(bool v) { return v; }
  static std::uint64_t hash(bool v) { return hash_of(v ? 1U : 0U); }
  static void json(std::string& out, bool v, data_type /*type*/) { out += v ? "true" : "false"; }
};

struct int_value {
  using type = std::int64_t;
  static type get(const column& c, std::uint32_t row) { return c.i64[row]; }
  static bool less(type a, type b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_int(index, v); }
  static void save(binary_writer& out, type v) { out.i64(v); }
  static type load(binary_reader& in) { return in.i64(); }
  static type canonical(type v) { return v; }
  static std::uint64_t hash(type v) { return hash_of(static_cast<std::uint64_t>(v)); }
  static void json(std::string& out, type v, data_type type) {
    switch (type) {
    case data_type::timestamp: codec::append_timestamp(out, v); return;
    case data_type::duration: codec::append_duration(out, v); return;
    default: codec::append_int(out, v);
    }
  }
};

struct uint_value {
  using type = std::uint64_t;
  static type get(const column& c, std::uint32_t row) { return c.u64(row); }
  static bool less(type a, type b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_uint(index, v); }
  static void save(binary_writer& out, type v) { out.u64(v); }
  static type load(binary_reader& in) { return in.u64(); }
  static type canonical(type v) { return v; }
  static std::uint64_t hash(type v) { return hash_of(v); }
  static void json(std::string& out, type v, data_type /*type*/) { codec::append_uint(out, v); }
};

struct double_value {
  using type = double;
  static type get(const column& c, std::uint32_t row) { return c.f64[row]; }
  static bool less(type a, type b) { return a < b || (a == b && std::signbit(a) && !std::signbit(b)); }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_double(index, v); }
  static void save(binary_writer& out, type v) { out.f64(v); }
  static type load(binary_reader& in) { return in.f64(); }
  /// Equal numbers have one form: no negative zero, one NaN.
  static type canonical(type v) {
    if (std::isnan(v))
      return std::numeric_limits<double>::quiet_NaN();
    return v == 0.0 ? 0.0 : v;
  }
  static std::uint64_t hash(type v) { return hash_of(std::bit_cast<std::uint64_t>(v)); }
  static void json(std::string& out, type v, data_type /*type*/) { codec::append_double(out, v); }
};

struct text_value {
  using type = std::string;
  static std::string_view get(const column& c, std::uint32_t row) { return c.text(row); }
  static bool less(std::string_view a, std::string_view b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, const type& v) { out.set_text(index, v); }
  static void save(binary_writer& out, const type& v) { out.text(v); }
  static type load(binary_reader& in) { return type{in.text()}; }
  static std::string_view canonical(std::string_view v) { return v; }
  static std::uint64_t hash(std::string_view v) { return XXH3_64bits(v.data(), v.size()); }
  static void json(std::string& out, std::string_view v, data_type type) {
    switch (type) {
    case data_type::bytes: codec::append_base64(out, v); return;
    case data_type::json: out += v; return;
    default: codec::append_string(out, v);
    }
  }
};

/// The one type of `Value` for a column type, as `f.template operator()<Value>()`.
template <class F>
auto with_value_type(argument_type argument, F&& f) {
  switch (argument.value_or(data_type::int64)) {
  case data_type::boolean: return f.template operator()<bool_value>();
  case data_type::uint64: return f.template operator()<uint_value>();
  case data_type::float64: return f.template operator()<double_value>();
  case data_type::string:
  case data_type::bytes:
  case data_type::json: return f.template operator()<text_value>();
  case data_type::int64:
  case data_type::timestamp:
  case data_type::duration: break;
  }
  return f.template operator()<int_value>();
}

/// Bytes of a text outside of its object: short ones are inside.
inline std::size_t heap_of(const std::string& text) noexcept { return text.size() < 16 ? 0 : text.size() + 17; }
template <class T>
std::size_t heap_of(const T& /*plain*/) noexcept {
  return 0;
}

/// A total order for lists: as `Value::less`, but NaN comes after every number.
template <class Value, class A, class B>
bool total_less(const A& a, const B& b) {
  if constexpr (std::is_same_v<Value, double_value>)
    if (std::isnan(a) || std::isnan(b))
      return !std::isnan(a) && std::isnan(b);
  return Value::less(a, b);
}

/// The value as a double, for statistics.
inline double number_at(const column& c, std::uint32_t row) noexcept {
  switch (c.type) {
  case data_type::float64: return c.f64[row];
  case data_type::uint64: return static_cast<double>(c.u64(row));
  default: return static_cast<double>(c.i64[row]);
  }
}

/// The place of an event in the order that `first` and `last` go by.
struct place {
  nanoseconds_t time = 0;
  std::int64_t position = 0;
  std::uint32_t shard = 0;

  friend bool operator<(const place& a, const place& b) {
    return std::tie(a.time, a.shard, a.position) < std::tie(b.time, b.shard, b.position);
  }
  static place of(const event_batch& in, std::uint32_t row) { return {in.time[row], in.position[row], in.shard[row]}; }
  void save(binary_writer& out) const {
    out.i64(time);
    out.i64(position);
    out.u64(shard);
  }
  static place load(binary_reader& in) {
    place p;
    p.time = in.i64();
    p.position = in.i64();
    const auto shard = in.u64();
    if (shard > std::numeric_limits<std::uint32_t>::max())
      in.fail();
    p.shard = static_cast<std::uint32_t>(shard);
    return p;
  }
};

} // namespace millrace::windows
