// SPDX-License-Identifier: Apache-2.0
#include "messaging/event_batch.hpp"

#include <cassert>
#include <utility>

namespace millrace {
namespace {

/// Appends the value of the row being built, or replaces it when it was set before.
template <class T>
void put(std::vector<T>& values, std::size_t row, T value) {
  if (values.size() > row)
    values[row] = value;
  else
    values.push_back(value);
}

void put_default(column& c, std::size_t row) {
  if (c.type == data_type::boolean)
    put(c.b8, row, std::uint8_t{0});
  else if (c.type == data_type::float64)
    put(c.f64, row, 0.0);
  else if (is_text(c.type))
    put(c.codes, row, std::uint32_t{0});
  else
    put(c.i64, row, std::int64_t{0});
}

} // namespace

batch_builder::batch_builder(schema_ptr s)
  : batch_{event_batch::make(std::move(s))}, texts_(batch_.columns.size()), set_(batch_.columns.size(), 0) {}

void batch_builder::set_bool(std::size_t column, bool value) {
  assert(batch_.columns[column].type == data_type::boolean);
  put(batch_.columns[column].b8, batch_.rows, static_cast<std::uint8_t>(value));
  set_[column] = 1;
}

void batch_builder::set_int(std::size_t column, std::int64_t value) {
  assert(!is_text(batch_.columns[column].type) && batch_.columns[column].type != data_type::float64 &&
         batch_.columns[column].type != data_type::boolean);
  put(batch_.columns[column].i64, batch_.rows, value);
  set_[column] = 1;
}

void batch_builder::set_uint(std::size_t column, std::uint64_t value) {
  set_int(column, static_cast<std::int64_t>(value));
}

void batch_builder::set_double(std::size_t column, double value) {
  assert(batch_.columns[column].type == data_type::float64);
  put(batch_.columns[column].f64, batch_.rows, value);
  set_[column] = 1;
}

void batch_builder::set_text(std::size_t column, std::string_view value) {
  assert(is_text(batch_.columns[column].type));
  const std::size_t before = texts_[column].byte_size();
  put(batch_.columns[column].codes, batch_.rows, texts_[column].code(value));
  bytes_ += texts_[column].byte_size() - before;
  set_[column] = 1;
}

void batch_builder::finish_row(nanoseconds_t time, nanoseconds_t watermark, std::int64_t position,
                               std::uint32_t shard) {
  const std::size_t row = batch_.rows++;
  for (std::size_t i = 0; i < set_.size(); ++i) {
    if (set_[i] == 0) {
      put_default(batch_.columns[i], row);
      batch_.columns[i].set_null(row, row + 1);
    }
    set_[i] = 0;
  }
  batch_.time.push_back(time);
  batch_.watermark.push_back(watermark);
  batch_.position.push_back(position);
  batch_.shard.push_back(shard);
  // Eight bytes a value and three words of envelope: what the plainest encoding takes.
  bytes_ += 8 * set_.size() + 28;
}

event_batch batch_builder::finish() {
  event_batch next = event_batch::make(batch_.layout);
  for (std::size_t i = 0; i < set_.size(); ++i) {
    column& c = batch_.columns[i];
    if (is_text(c.type))
      c.dict = texts_[i].finish();
    if (c.has_nulls())
      c.nulls.resize((batch_.rows + 63) / 64, 0);
  }
  bytes_ = 0;
  return std::exchange(batch_, std::move(next));
}

} // namespace millrace
