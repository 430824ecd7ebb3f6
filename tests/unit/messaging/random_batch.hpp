// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random batches for property tests, and batches as plain rows to compare them by.
#pragma once

#include "messaging/event_batch.hpp"

#include <algorithm>
#include <bit>
#include <random>
#include <string>
#include <vector>

namespace millrace::test {

using generator = std::mt19937_64;

inline std::uint64_t below(generator& g, std::uint64_t n) { return g() % n; }

/// One row as text: independent of dictionaries, codes and the values under nulls.
inline std::string row_text(const event_batch& b, std::size_t row) {
  std::string out;
  for (const column& c : b.columns) {
    if (c.is_null(row))
      out += "null";
    else if (c.type == data_type::boolean)
      out += c.b8[row] != 0 ? "true" : "false";
    else if (c.type == data_type::float64)
      out += std::to_string(std::bit_cast<std::uint64_t>(c.f64[row]));
    else if (is_text(c.type))
      out += '"' + std::string{c.text(row)} + '"';
    else
      out += std::to_string(c.i64[row]);
    out += '|';
  }
  return out + std::to_string(b.time[row]) + '|' + std::to_string(b.watermark[row]) + '|' +
         std::to_string(b.position[row]) + '|' + std::to_string(b.shard[row]);
}

inline std::vector<std::string> rows_text(const event_batch& b) {
  std::vector<std::string> out;
  for (std::size_t row = 0; row < b.rows; ++row)
    out.push_back(row_text(b, row));
  return out;
}

/// The invariants of event_batch.hpp.
inline bool well_formed(const event_batch& b) {
  bool ok = b.layout->size() == b.columns.size() && b.time.size() == b.rows && b.watermark.size() == b.rows &&
            b.position.size() == b.rows && b.shard.size() == b.rows;
  for (std::size_t i = 0; i < b.columns.size(); ++i) {
    const column& c = b.columns[i];
    ok = ok && c.type == (*b.layout)[i].type && c.size() == b.rows;
    ok = ok && (c.nulls.empty() || c.nulls.size() == (b.rows + 63) / 64);
    if (!is_text(c.type))
      continue;
    ok = ok && c.dict && std::is_sorted(c.dict->offsets().begin(), c.dict->offsets().end()) &&
         c.dict->offsets().front() == 0 && c.dict->offsets().back() == c.dict->bytes().size();
    for (std::size_t row = 0; ok && row < b.rows; ++row)
      ok = c.dict && (c.codes[row] < c.dict->size() || (c.dict->size() == 0 && c.codes[row] == 0 && c.is_null(row)));
  }
  return ok;
}

inline schema_ptr random_schema(generator& g) {
  std::vector<field> fields;
  const std::size_t n = below(g, 8);
  for (std::size_t i = 0; i < n; ++i)
    fields.push_back({"f" + std::to_string(i), static_cast<data_type>(below(g, 9)), below(g, 2) == 0});
  return std::make_shared<const schema>(std::move(fields));
}

/// Integers of every shape that an encoding is made for: constant, steps, small ranges, scaled, extreme.
inline std::vector<std::int64_t> random_integers(generator& g, std::size_t rows) {
  constexpr std::uint64_t scales[] = {1, 1000, 1'000'000, 1'000'000'000, 1ULL << 20};
  constexpr std::uint64_t ranges[] = {1, 200, 256, 257, 60'000, 65'536, 70'000, 1ULL << 32, (1ULL << 32) + 1};
  const std::uint64_t shape = below(g, 5);
  const std::uint64_t base = below(g, 2) == 0 ? g() : below(g, 1000);
  const std::uint64_t scale = scales[below(g, 5)];
  const std::uint64_t range = ranges[below(g, 9)];
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < rows; ++i) {
    std::uint64_t v = base;
    if (shape == 1)
      v += scale * i;
    else if (shape == 2)
      v -= range * i;
    else if (shape == 3)
      v += scale * below(g, range);
    else if (shape == 4)
      v = below(g, 3) == 0 ? (below(g, 2) == 0 ? 1ULL << 63 : (1ULL << 63) - 1) : g();
    out.push_back(static_cast<std::int64_t>(v));
  }
  if (rows != 0 && below(g, 8) == 0) { // one row out of line
    std::int64_t& v = out[below(g, rows)];
    v = static_cast<std::int64_t>(static_cast<std::uint64_t>(v) + 1 - below(g, 3));
  }
  return out;
}

inline std::string random_text(generator& g, std::uint64_t distinct) {
  std::string text = std::to_string(below(g, distinct));
  if (below(g, 10) == 0)
    text.append(below(g, 40), 'x');
  return below(g, 20) == 0 ? std::string{} : text;
}

inline event_batch random_batch(generator& g, const schema_ptr& s, std::size_t rows) {
  batch_builder builder{s};
  std::vector<std::vector<std::int64_t>> integers;
  std::vector<std::uint64_t> distinct;
  std::vector<std::uint64_t> null_share;
  for (std::size_t i = 0; i < s->size() + 4; ++i) {
    integers.push_back(random_integers(g, rows));
    distinct.push_back(1 + below(g, below(g, 2) == 0 ? 5 : 100'000));
    null_share.push_back(below(g, 3) == 0 ? below(g, 101) : 0);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < s->size(); ++i) {
      if (below(g, 100) < null_share[i])
        continue;
      const data_type type = (*s)[i].type;
      if (is_text(type))
        builder.set_text(i, random_text(g, distinct[i]));
      else if (type == data_type::boolean)
        builder.set_bool(i, below(g, distinct[i]) % 2 == 0);
      else if (type == data_type::float64)
        builder.set_double(i, std::bit_cast<double>(integers[i][row]));
      else
        builder.set_int(i, integers[i][row]);
    }
    const auto envelope = [&](std::size_t i) { return integers[s->size() + i][row]; };
    builder.finish_row(envelope(0), envelope(1), envelope(2), static_cast<std::uint32_t>(envelope(3)));
  }
  event_batch b = builder.finish();
  for (column& c : b.columns) // the alias of event time
    if (c.type == data_type::timestamp && !c.has_nulls() && below(g, 2) == 0)
      c.i64 = b.time;
  return b;
}

} // namespace millrace::test
