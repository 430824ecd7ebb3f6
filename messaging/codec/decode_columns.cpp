// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_columns.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace millrace::codec {

namespace {
constexpr std::size_t first_slots = 256;
constexpr std::size_t first_rows = 1024;
constexpr std::size_t first_bytes = 4096;
/// A larger dictionary is not kept for the next batch, nor is so much memory unless it was used.
constexpr std::size_t most_kept_bytes = std::size_t{1} << 20;
constexpr unsigned most_appending_batches = 32;
} // namespace

text_collector::text_collector()
  : slots_(first_slots), mask_{first_slots - 1}, bytes_(first_bytes), offsets_(first_slots) {}

std::uint32_t text_collector::insert(std::string_view text, std::uint32_t tag, std::size_t at) {
  const std::uint32_t code = append(text);
  slots_used_ = true;
  slots_[at] = slot{tag, code, offsets_[code], static_cast<std::uint32_t>(text.size())};
  if (size() * 2 > slots_.size())
    grow_slots();
  return code;
}

void text_collector::grow_slots() {
  std::vector<slot> old(slots_.size() * 4);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const slot& s : old) {
    if (s.tag == 0)
      continue;
    std::size_t at = detail::hash_with_slack(bytes_.data() + s.from, s.length) & mask_;
    while (slots_[at].tag != 0)
      at = (at + 1) & mask_;
    slots_[at] = s;
  }
}

void text_collector::make_room(std::size_t least_bytes) {
  if (least_bytes > std::numeric_limits<std::uint32_t>::max())
    throw std::length_error("a batch holds at most 4 GiB of text in one column: finish it earlier");
  // Copies go in steps of the slack, of which the last may begin at the text's end.
  if (least_bytes + text_slack > bytes_.size())
    bytes_.resize(std::max(least_bytes + text_slack, bytes_.size() * 2));
  if (count_ + 1 >= offsets_.size())
    offsets_.resize(offsets_.size() * 2);
}

dictionary_ptr text_collector::finish(std::size_t rows) {
  auto made = last_;
  if (!last_ || new_texts() != 0 || appending_)
    made = std::make_shared<const dictionary>(
      std::string{bytes_.data(), used_},
      std::vector<std::uint32_t>(offsets_.begin(), offsets_.begin() + static_cast<std::ptrdiff_t>(count_ + 1)),
      unique_);
  const bool searched = !appending_;
  if (searched)
    note_rows(rows);
  if (appending_ && appending_batches_ == 0)
    appending_batches_ = most_appending_batches;
  else if (appending_)
    appending_ = --appending_batches_ != 0;
  // Readers spend time on entries, so there must not be many that the rows do not use.
  if (searched && !appending_ && count_ <= rows && used_ <= most_kept_bytes)
    last_ = made;
  else
    clear();
  return made;
}

void text_collector::clear() {
  last_.reset();
  if (slots_.size() > first_slots && slots_.size() / 16 > count_) {
    slots_ = std::vector<slot>(first_slots);
    mask_ = first_slots - 1;
  } else if (slots_used_) {
    std::fill(slots_.begin(), slots_.end(), slot{});
  }
  slots_used_ = false;
  if (bytes_.size() > most_kept_bytes && bytes_.size() / 4 > used_) {
    bytes_ = std::vector<char>(first_bytes);
    offsets_ = std::vector<std::uint32_t>(first_slots);
  }
  used_ = 0;
  count_ = 0;
  unique_ = !appending_;
}

row_sink::row_sink(schema_ptr layout)
  : batch_{event_batch::make(std::move(layout))}, texts_(batch_.columns.size()), staged_(batch_.columns.size()) {
  resize(first_rows);
}

void row_sink::resize(std::size_t rows) {
  capacity_ = rows;
  batch_.time.resize(rows);
  batch_.position.resize(rows);
  batch_.shard.resize(rows);
  for (column& c : batch_.columns) {
    if (c.type == data_type::boolean)
      c.b8.resize(rows);
    else if (c.type == data_type::float64)
      c.f64.resize(rows);
    else if (is_text(c.type))
      c.codes.resize(rows);
    else
      c.i64.resize(rows);
    if (!c.nulls.empty())
      c.nulls.resize((rows + 63) / 64);
  }
}

void row_sink::grow() {
  for (text_collector& t : texts_)
    t.note_rows(batch_.rows);
  resize(capacity_ * 2);
}

void row_sink::set_null(std::size_t i) {
  column& c = batch_.columns[i];
  if (c.nulls.empty())
    c.nulls.resize((capacity_ + 63) / 64);
  c.nulls[batch_.rows >> 6] |= std::uint64_t{1} << (batch_.rows & 63);
  // A null row's value is unspecified but must be in range and the same on every run.
  if (is_text(c.type))
    c.codes[batch_.rows] = 0;
  else if (c.type == data_type::boolean)
    c.b8[batch_.rows] = 0;
  else if (c.type == data_type::float64)
    c.f64[batch_.rows] = 0.0;
  else
    c.i64[batch_.rows] = 0;
}

void row_sink::discard() {
  staged_count_ = 0;
  for (column& c : batch_.columns) {
    if (!c.nulls.empty())
      c.nulls[batch_.rows >> 6] &= ~(std::uint64_t{1} << (batch_.rows & 63));
  }
}

event_batch row_sink::finish() {
  const std::size_t rows = batch_.rows;
  for (column& c : batch_.columns) {
    if (std::all_of(c.nulls.begin(), c.nulls.end(), [](std::uint64_t word) { return word == 0; }))
      c.nulls.clear();
  }
  resize(rows);
  for (std::size_t i = 0; i < batch_.columns.size(); ++i) {
    if (is_text(batch_.columns[i].type))
      batch_.columns[i].dict = texts_[i].finish(rows);
  }
  batch_.watermark.assign(rows, no_watermark);
  event_batch next = event_batch::make(batch_.layout);
  std::swap(next, batch_);
  resize(std::clamp(rows + rows / 8, std::size_t{64}, std::size_t{1} << 17));
  return next;
}

} // namespace millrace::codec
