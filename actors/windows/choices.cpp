// SPDX-License-Identifier: Apache-2.0
// Aggregates that choose one of the values they see: min, max, first, last.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/typed_accumulator.hpp"

#include <cmath>
#include <tuple>

namespace millrace::windows {

namespace {

struct bool_value {
  using type = bool;
  static bool get(const column& c, std::uint32_t row) { return c.b8[row] != 0; }
  static bool less(bool a, bool b) { return !a && b; }
  static void set(batch_builder& out, std::size_t index, bool v) { out.set_bool(index, v); }
  static void save(binary_writer& out, bool v) { out.u8(v ? 1 : 0); }
  static bool load(binary_reader& in) { return in.flag(); }
};

struct int_value {
  using type = std::int64_t;
  static type get(const column& c, std::uint32_t row) { return c.i64[row]; }
  static bool less(type a, type b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_int(index, v); }
  static void save(binary_writer& out, type v) { out.i64(v); }
  static type load(binary_reader& in) { return in.i64(); }
};

struct uint_value {
  using type = std::uint64_t;
  static type get(const column& c, std::uint32_t row) { return c.u64(row); }
  static bool less(type a, type b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_uint(index, v); }
  static void save(binary_writer& out, type v) { out.u64(v); }
  static type load(binary_reader& in) { return in.u64(); }
};

struct double_value {
  using type = double;
  static type get(const column& c, std::uint32_t row) { return c.f64[row]; }
  static bool less(type a, type b) { return a < b || (a == b && std::signbit(a) && !std::signbit(b)); }
  static void set(batch_builder& out, std::size_t index, type v) { out.set_double(index, v); }
  static void save(binary_writer& out, type v) { out.f64(v); }
  static type load(binary_reader& in) { return in.f64(); }
};

struct text_value {
  using type = std::string;
  static std::string_view get(const column& c, std::uint32_t row) { return c.text(row); }
  static bool less(std::string_view a, std::string_view b) { return a < b; }
  static void set(batch_builder& out, std::size_t index, const type& v) { out.set_text(index, v); }
  static void save(binary_writer& out, const type& v) { out.text(v); }
  static type load(binary_reader& in) { return type{in.text()}; }
};

template <class Value>
struct chosen {
  typename Value::type value{};
  bool any = false;
};

template <class Value, bool Max>
struct extreme_traits {
  using cell = chosen<Value>;
  static constexpr bool has_text = std::is_same_v<Value, text_value>;

  template <class T>
  static void offer(cell& c, const T& v) {
    if (c.any) {
      if constexpr (std::is_same_v<Value, double_value>) {
        if (std::isnan(c.value))
          return;
        if (!std::isnan(v) && !(Max ? Value::less(c.value, v) : Value::less(v, c.value)))
          return;
      } else if (!(Max ? Value::less(c.value, v) : Value::less(v, c.value))) {
        return;
      }
    }
    c.value = v;
    c.any = true;
  }
  static void add(cell& c, const column* values, const event_batch& /*in*/, std::uint32_t row) {
    offer(c, Value::get(*values, row));
  }
  static void merge(cell& c, const cell& from) {
    if (from.any)
      offer(c, from.value);
  }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.any)
      Value::set(out, index, c.value);
  }
  static void save(const cell& c, binary_writer& out) {
    out.u8(c.any ? 1 : 0);
    if (c.any)
      Value::save(out, c.value);
  }
  static void load(cell& c, binary_reader& in) {
    c.any = in.flag();
    c.value = c.any ? Value::load(in) : typename Value::type{};
  }
  static std::size_t text_size(const cell& c) { return c.value.size(); }
};

/// The place of an event in the order that `first` and `last` go by.
struct place {
  nanoseconds_t time = 0;
  std::int64_t position = 0;
  std::uint32_t shard = 0;

  friend bool operator<(const place& a, const place& b) {
    return std::tie(a.time, a.shard, a.position) < std::tie(b.time, b.shard, b.position);
  }
};

template <class Value>
struct placed : chosen<Value> {
  place at;
};

template <class Value, bool Last>
struct edge_traits {
  using cell = placed<Value>;
  static constexpr bool has_text = std::is_same_v<Value, text_value>;

  template <class T>
  static void offer(cell& c, const T& v, const place& at) {
    if (c.any && !(Last ? c.at < at : at < c.at))
      return;
    c.value = v;
    c.at = at;
    c.any = true;
  }
  static void add(cell& c, const column* values, const event_batch& in, std::uint32_t row) {
    offer(c, Value::get(*values, row), place{in.time[row], in.position[row], in.shard[row]});
  }
  static void merge(cell& c, const cell& from) {
    if (from.any)
      offer(c, from.value, from.at);
  }
  static void write(const cell& c, batch_builder& out, std::size_t index, std::string& /*reason*/) {
    if (c.any)
      Value::set(out, index, c.value);
  }
  static void save(const cell& c, binary_writer& out) {
    out.u8(c.any ? 1 : 0);
    if (!c.any)
      return;
    out.i64(c.at.time);
    out.i64(c.at.position);
    out.u64(c.at.shard);
    Value::save(out, c.value);
  }
  static void load(cell& c, binary_reader& in) {
    c = cell{};
    c.any = in.flag();
    if (!c.any)
      return;
    c.at.time = in.i64();
    c.at.position = in.i64();
    c.at.shard = static_cast<std::uint32_t>(in.u64());
    c.value = Value::load(in);
  }
  static std::size_t text_size(const cell& c) { return c.value.size(); }
};

template <template <class, bool> class Traits, bool Flag>
std::unique_ptr<accumulator> make(std::optional<data_type> argument) {
  switch (argument.value_or(data_type::int64)) {
  case data_type::boolean: return std::make_unique<typed_accumulator<Traits<bool_value, Flag>>>();
  case data_type::uint64: return std::make_unique<typed_accumulator<Traits<uint_value, Flag>>>();
  case data_type::float64: return std::make_unique<typed_accumulator<Traits<double_value, Flag>>>();
  case data_type::string:
  case data_type::bytes:
  case data_type::json: return std::make_unique<typed_accumulator<Traits<text_value, Flag>>>();
  case data_type::int64:
  case data_type::timestamp:
  case data_type::duration: break;
  }
  return std::make_unique<typed_accumulator<Traits<int_value, Flag>>>();
}

} // namespace

std::unique_ptr<accumulator> make_min(std::optional<data_type> argument) {
  return make<extreme_traits, false>(argument);
}
std::unique_ptr<accumulator> make_max(std::optional<data_type> argument) {
  return make<extreme_traits, true>(argument);
}
std::unique_ptr<accumulator> make_first(std::optional<data_type> argument) {
  return make<edge_traits, false>(argument);
}
std::unique_ptr<accumulator> make_last(std::optional<data_type> argument) { return make<edge_traits, true>(argument); }

} // namespace millrace::windows
