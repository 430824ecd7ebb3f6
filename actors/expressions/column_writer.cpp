// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/column_writer.hpp"

#include "actors/expressions/time.hpp"

#include <limits>
#include <optional>

namespace millrace::expressions {

namespace {

/// The kind that a column of this type holds.
value_kind kind_of(data_type t) noexcept {
  static constexpr value_kind kinds[] = {value_kind::boolean,   value_kind::int64,   value_kind::uint64,
                                         value_kind::float64,   value_kind::string,  value_kind::bytes,
                                         value_kind::timestamp, value_kind::duration};
  return kinds[static_cast<std::size_t>(t)];
}

std::optional<std::int64_t> nanoseconds(const value& v) noexcept {
  std::int64_t ns = 0;
  // Before the epoch seconds and nanoseconds have different signs; going up by one second keeps the sum in range.
  const bool before = v.i < 0 && v.nanos > 0;
  const auto seconds = before ? v.i + 1 : v.i;
  const auto rest = static_cast<std::int64_t>(v.nanos) - (before ? ns_per_second : 0);
  if (__builtin_mul_overflow(seconds, ns_per_second, &ns) || __builtin_add_overflow(ns, rest, &ns))
    return std::nullopt;
  return ns;
}

} // namespace

void reset(evaluation& e, data_type type) {
  e.values.type = type;
  e.values.b8.clear();
  e.values.i64.clear();
  e.values.f64.clear();
  e.values.codes.clear();
  e.values.dict.reset();
  e.values.nulls.clear();
  e.errors.clear();
  e.reasons.clear();
}

column_writer::column_writer(column& out, std::vector<std::uint64_t>& errors, std::size_t rows)
  : out_{out}, errors_{errors}, rows_{rows} {}

std::string column_writer::write(const value& v) {
  if (v.is(value_kind::optional))
    return write(v.is_none() ? value{} : v.items->front());
  const auto row = row_++;
  std::string failure;
  std::int64_t word = 0;
  if (v.is_error()) {
    failure = v.s;
  } else if (v.is_null()) {
    set_bit(out_.nulls, row, rows_);
  } else if (out_.type == data_type::string && v.is(value_kind::type)) {
    // The value of type() is its name.
  } else if (out_.type != data_type::json && !v.is(kind_of(out_.type))) {
    failure = "unexpected type " + std::string{kind_name(v)};
  } else if (v.is(value_kind::timestamp) && out_.type != data_type::json) {
    if (const auto ns = nanoseconds(v))
      word = *ns;
    else
      failure = "timestamp beyond the years 1678 to 2261 that a column can hold";
  } else {
    word = v.i;
  }
  const bool usable = failure.empty() && !v.is_null();
  switch (out_.type) {
  case data_type::boolean: out_.b8.push_back(usable && v.b ? 1 : 0); break;
  case data_type::float64: out_.f64.push_back(usable ? v.d : 0.0); break;
  case data_type::string:
  case data_type::bytes:
  case data_type::json:
    if (usable)
      write_text(v);
    else
      out_.codes.push_back(0);
    break;
  default: out_.i64.push_back(word); break;
  }
  if (!failure.empty())
    set_bit(errors_, row, rows_);
  return failure;
}

void column_writer::write_text(const value& v) {
  if (out_.type != data_type::json) {
    out_.codes.push_back(texts_.code(v.s));
    return;
  }
  json_.clear();
  append_json(json_, v);
  out_.codes.push_back(texts_.code(json_));
}

void column_writer::finish() {
  if (is_text(out_.type))
    out_.dict = texts_.finish();
}

} // namespace millrace::expressions
