// SPDX-License-Identifier: Apache-2.0
// Aggregates that choose one of the values they see: min, max, first, last, any.
#include "actors/windows/accumulators.hpp"
#include "actors/windows/typed_accumulator.hpp"
#include "actors/windows/values.hpp"

#include <cmath>
#include <type_traits>

namespace millrace::windows {

namespace {

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
  static std::size_t text_size(const cell& c) { return heap_of(c.value); }
};

template <class Value>
struct placed : chosen<Value> {
  place at;
};

enum class edge : std::uint8_t { first, last, any };

template <class Value, edge Edge>
struct edge_traits {
  using cell = placed<Value>;
  static constexpr bool has_text = std::is_same_v<Value, text_value>;

  template <class T>
  static void offer(cell& c, const T& v, const place& at) {
    if (c.any && !(Edge == edge::last ? c.at < at : at < c.at))
      return;
    c.value = v;
    c.at = at;
    c.any = true;
  }
  static void add(cell& c, const column* values, const event_batch& in, std::uint32_t row) {
    auto at = place::of(in, row);
    if constexpr (Edge == edge::any)
      at.time = 0; // by position alone
    offer(c, Value::get(*values, row), at);
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
    c.at.save(out);
    Value::save(out, c.value);
  }
  static void load(cell& c, binary_reader& in) {
    c = cell{};
    c.any = in.flag();
    if (!c.any)
      return;
    c.at = place::load(in);
    c.value = Value::load(in);
  }
  static std::size_t text_size(const cell& c) { return heap_of(c.value); }
};

template <bool Max>
made make_extreme(argument_type argument) {
  return with_value_type(
    argument, []<class Value>() -> made { return std::make_unique<typed_accumulator<extreme_traits<Value, Max>>>(); });
}

template <edge Edge>
made make_edge(argument_type argument) {
  return with_value_type(
    argument, []<class Value>() -> made { return std::make_unique<typed_accumulator<edge_traits<Value, Edge>>>(); });
}

} // namespace

made make_min(argument_type argument, parameter_values /*parameters*/) { return make_extreme<false>(argument); }
made make_max(argument_type argument, parameter_values /*parameters*/) { return make_extreme<true>(argument); }
made make_first(argument_type argument, parameter_values /*parameters*/) { return make_edge<edge::first>(argument); }
made make_last(argument_type argument, parameter_values /*parameters*/) { return make_edge<edge::last>(argument); }
made make_any(argument_type argument, parameter_values /*parameters*/) { return make_edge<edge::any>(argument); }

} // namespace millrace::windows
