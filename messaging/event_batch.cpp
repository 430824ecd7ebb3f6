// SPDX-License-Identifier: Apache-2.0
#include "messaging/event_batch.hpp"

#include <algorithm>
#include <cassert>

namespace millrace {
namespace {

constexpr auto unmapped = std::numeric_limits<std::uint32_t>::max();
/// Up to this many entries the merged dictionary is kept unique; beyond, comparing costs more than it saves.
constexpr std::size_t unique_merge_limit = 4096;

const dictionary_ptr& empty_dictionary() {
  static const dictionary_ptr empty = std::make_shared<const dictionary>();
  return empty;
}

std::size_t null_words(std::size_t rows) noexcept { return (rows + 63) / 64; }

template <class T>
void gather(std::vector<T>& out, const std::vector<T>& in, std::span<const std::uint32_t> rows) {
  out.resize(rows.size());
  const T* from = in.data();
  T* to = out.data();
  for (std::size_t i = 0; i < rows.size(); ++i)
    to[i] = from[rows[i]];
}

void gather_nulls(column& out, const column& in, std::span<const std::uint32_t> rows) {
  if (!in.has_nulls())
    return;
  out.nulls.assign(null_words(rows.size()), 0);
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint64_t bit = (in.nulls[rows[i] >> 6] >> (rows[i] & 63)) & 1U;
    out.nulls[i >> 6] |= bit << (i & 63);
    any |= bit;
  }
  if (any == 0)
    out.nulls.clear();
}

template <class T>
void copy_range(std::vector<T>& out, const std::vector<T>& in, std::size_t first, std::size_t last) {
  const auto at = [&in](std::size_t i) { return in.begin() + static_cast<std::ptrdiff_t>(i); };
  out.assign(at(first), at(last));
}

column slice_column(const column& in, std::size_t first, std::size_t last) {
  column out{in.type};
  out.dict = in.dict;
  if (in.type == data_type::boolean)
    copy_range(out.b8, in.b8, first, last);
  else if (in.type == data_type::float64)
    copy_range(out.f64, in.f64, first, last);
  else if (is_text(in.type))
    copy_range(out.codes, in.codes, first, last);
  else
    copy_range(out.i64, in.i64, first, last);
  if (!in.has_nulls())
    return out;
  for (std::size_t row = first; row < last; ++row)
    if (in.is_null(row))
      out.set_null(row - first, last - first);
  return out;
}

template <class T>
void append_range(std::vector<T>& out, const std::vector<T>& in) {
  out.insert(out.end(), in.begin(), in.end());
}

/// The code in the merged dictionary for every row of `in`; `add` gives the code of a text.
template <class Add>
void append_codes(std::vector<std::uint32_t>& out, const column& in, Add add) {
  const dictionary& from = *in.dict;
  const bool remember = from.size() <= in.codes.size() * 4;
  std::vector<std::uint32_t> map(remember ? from.size() : 0, unmapped);
  for (std::size_t row = 0; row < in.codes.size(); ++row) {
    // A null row may carry a code of no meaning; any code will do, and 0 is right even for an empty dictionary.
    if (in.is_null(row)) {
      out.push_back(0);
      continue;
    }
    const std::uint32_t code = in.codes[row];
    if (!remember) {
      out.push_back(add(from[code]));
      continue;
    }
    if (map[code] == unmapped)
      map[code] = add(from[code]);
    out.push_back(map[code]);
  }
}

void append_text(column& out, const column& in) {
  if (!out.dict)
    out.dict = empty_dictionary();
  if (!in.dict || in.dict->size() == 0) { // then every row of `in` is null
    out.codes.resize(out.codes.size() + in.codes.size(), 0);
    return;
  }
  if (out.dict == in.dict || out.codes.empty()) {
    out.dict = in.dict;
    append_range(out.codes, in.codes);
    return;
  }
  const dictionary& old = *out.dict;
  if (old.unique() && old.size() <= unique_merge_limit) {
    dictionary_builder merged;
    for (std::uint32_t code = 0; code < old.size(); ++code)
      merged.code(old[code]);
    append_codes(out.codes, in, [&merged](std::string_view text) { return merged.code(text); });
    if (merged.size() != old.size())
      out.dict = merged.finish();
    return;
  }
  std::string bytes{old.bytes()};
  std::vector<std::uint32_t> offsets(old.offsets().begin(), old.offsets().end());
  append_codes(out.codes, in, [&](std::string_view text) {
    bytes.append(text);
    offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
    return static_cast<std::uint32_t>(offsets.size() - 2);
  });
  out.dict = std::make_shared<const dictionary>(std::move(bytes), std::move(offsets), false);
}

void append_column(column& out, const column& in, std::size_t before, std::size_t added) {
  assert(out.type == in.type);
  if (in.type == data_type::boolean)
    append_range(out.b8, in.b8);
  else if (in.type == data_type::float64)
    append_range(out.f64, in.f64);
  else if (is_text(in.type))
    append_text(out, in);
  else
    append_range(out.i64, in.i64);
  if (out.has_nulls())
    out.nulls.resize(null_words(before + added), 0);
  if (!in.has_nulls())
    return;
  for (std::size_t row = 0; row < added; ++row)
    if (in.is_null(row))
      out.set_null(before + row, before + added);
}

} // namespace

std::size_t column::size() const noexcept {
  if (type == data_type::boolean)
    return b8.size();
  if (type == data_type::float64)
    return f64.size();
  return is_text(type) ? codes.size() : i64.size();
}

void column::set_null(std::size_t row, std::size_t rows) {
  const std::size_t words = null_words(std::max(rows, row + 1));
  if (nulls.size() < words)
    nulls.resize(words, 0);
  nulls[row >> 6] |= std::uint64_t{1} << (row & 63);
}

event_batch event_batch::make(schema_ptr s) {
  event_batch b;
  b.columns.reserve(s->size());
  for (const field& f : s->fields()) {
    column& c = b.columns.emplace_back(f.type);
    if (is_text(f.type))
      c.dict = empty_dictionary();
  }
  b.layout = std::move(s);
  return b;
}

const column* event_batch::find(std::string_view name) const noexcept {
  if (!layout)
    return nullptr;
  const auto i = layout->index_of(name);
  return i ? &columns[*i] : nullptr;
}

column take(const column& in, std::span<const std::uint32_t> rows) {
  column out{in.type};
  out.dict = in.dict;
  if (in.type == data_type::boolean)
    gather(out.b8, in.b8, rows);
  else if (in.type == data_type::float64)
    gather(out.f64, in.f64, rows);
  else if (is_text(in.type))
    gather(out.codes, in.codes, rows);
  else
    gather(out.i64, in.i64, rows);
  gather_nulls(out, in, rows);
  return out;
}

event_batch take(const event_batch& in, std::span<const std::uint32_t> rows) {
  event_batch out;
  out.layout = in.layout;
  out.rows = rows.size();
  out.columns.reserve(in.columns.size());
  for (const column& c : in.columns)
    out.columns.push_back(take(c, rows));
  gather(out.time, in.time, rows);
  gather(out.watermark, in.watermark, rows);
  gather(out.position, in.position, rows);
  gather(out.shard, in.shard, rows);
  return out;
}

event_batch slice(const event_batch& in, std::size_t first, std::size_t last) {
  assert(first <= last && last <= in.rows);
  event_batch out;
  out.layout = in.layout;
  out.rows = last - first;
  out.columns.reserve(in.columns.size());
  for (const column& c : in.columns)
    out.columns.push_back(slice_column(c, first, last));
  copy_range(out.time, in.time, first, last);
  copy_range(out.watermark, in.watermark, first, last);
  copy_range(out.position, in.position, first, last);
  copy_range(out.shard, in.shard, first, last);
  return out;
}

void append(event_batch& out, const event_batch& in) {
  if (in.rows == 0)
    return;
  if (out.rows == 0) {
    out = in;
    return;
  }
  assert(out.columns.size() == in.columns.size());
  for (std::size_t i = 0; i < in.columns.size(); ++i)
    append_column(out.columns[i], in.columns[i], out.rows, in.rows);
  append_range(out.time, in.time);
  append_range(out.watermark, in.watermark);
  append_range(out.position, in.position);
  append_range(out.shard, in.shard);
  out.rows += in.rows;
}

} // namespace millrace
