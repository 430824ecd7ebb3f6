// SPDX-License-Identifier: Apache-2.0
#include "messaging/event_batch.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/messaging/random_batch.hpp"

#include <algorithm>
#include <unordered_map>

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<std::uint32_t> random_rows(generator& g, std::size_t rows) {
  std::vector<std::uint32_t> out;
  if (rows == 0)
    return out;
  const std::size_t n = below(g, 2 * rows);
  for (std::size_t i = 0; i < n; ++i)
    out.push_back(static_cast<std::uint32_t>(below(g, rows)));
  return out;
}

schema_ptr one_field(data_type type) { return std::make_shared<const schema>(std::vector<field>{{"f", type, true}}); }

std::string key_of(const event_batch& b, std::vector<std::size_t> columns, std::size_t row) {
  std::string key;
  append_key(key, b, columns, row);
  return key;
}

} // namespace

TEST_CASE("a dictionary builder gives equal texts equal codes in order of first use") {
  generator g{1};
  dictionary_builder builder;
  for (int round = 0; round < 20; ++round) {
    std::unordered_map<std::string, std::uint32_t> model;
    const std::uint64_t distinct = 1 + below(g, 3000);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random_text(g, distinct) + std::string(below(g, 2) * below(g, 30), '\0');
      const auto expected = model.try_emplace(text, static_cast<std::uint32_t>(model.size())).first->second;
      REQUIRE(builder.code(text) == expected);
    }
    REQUIRE(builder.size() == model.size());
    const dictionary_ptr d = builder.finish();
    REQUIRE(d->unique());
    REQUIRE(d->size() == model.size());
    for (const auto& [text, code] : model)
      REQUIRE((*d)[code] == text);
    REQUIRE(builder.size() == 0);
    REQUIRE(builder.byte_size() == 0);
  }
}

TEST_CASE("an empty text has a code of its own") {
  dictionary_builder builder;
  CHECK(builder.code("") == 0);
  CHECK(builder.code("a") == 1);
  CHECK(builder.code("") == 0);
  CHECK((*builder.finish())[0].empty());
}

TEST_CASE("take gives the named rows in the named order") {
  generator g{2};
  for (int round = 0; round < 200; ++round) {
    const event_batch in = random_batch(g, random_schema(g), below(g, 200));
    const auto rows = random_rows(g, in.rows);
    const event_batch out = take(in, rows);
    REQUIRE(well_formed(out));
    REQUIRE(out.rows == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      REQUIRE(row_text(out, i) == row_text(in, rows[i]));
    for (std::size_t i = 0; i < in.columns.size(); ++i)
      REQUIRE(out.columns[i].dict == in.columns[i].dict);
  }
}

TEST_CASE("slice gives the rows between") {
  generator g{3};
  for (int round = 0; round < 200; ++round) {
    const event_batch in = random_batch(g, random_schema(g), below(g, 200));
    const std::size_t first = below(g, in.rows + 1);
    const std::size_t last = first + below(g, in.rows - first + 1);
    const event_batch out = slice(in, first, last);
    REQUIRE(well_formed(out));
    const auto all = rows_text(in);
    const auto at = [&all](std::size_t i) { return all.begin() + static_cast<std::ptrdiff_t>(i); };
    REQUIRE(rows_text(out) == std::vector<std::string>(at(first), at(last)));
  }
}

TEST_CASE("append puts the rows behind, whatever the dictionaries") {
  generator g{4};
  for (int round = 0; round < 200; ++round) {
    const schema_ptr s = random_schema(g);
    event_batch out = event_batch::make(s);
    std::vector<std::string> model;
    for (int piece = 0; piece < 5; ++piece) {
      event_batch in = random_batch(g, s, below(g, 150));
      if (below(g, 2) == 0)
        in = take(in, random_rows(g, in.rows));
      const auto texts = rows_text(in);
      model.insert(model.end(), texts.begin(), texts.end());
      append(out, in);
      if (in.rows != 0 && below(g, 4) == 0) { // shared dictionaries
        append(out, in);
        model.insert(model.end(), texts.begin(), texts.end());
      }
      REQUIRE(well_formed(out));
      REQUIRE(out.rows == model.size());
    }
    REQUIRE(rows_text(out) == model);
  }
}

TEST_CASE("append of large dictionaries concatenates and says that texts may repeat") {
  const schema_ptr s = one_field(data_type::string);
  event_batch out = event_batch::make(s);
  std::vector<std::string> model;
  for (int piece = 0; piece < 3; ++piece) {
    batch_builder builder{s};
    for (int i = 0; i < 5000; ++i) {
      builder.set_text(0, std::to_string(i));
      builder.finish_row(i, 0, piece, 0);
    }
    const event_batch in = builder.finish();
    const auto texts = rows_text(in);
    model.insert(model.end(), texts.begin(), texts.end());
    append(out, in);
  }
  CHECK_FALSE(out.columns[0].dict->unique());
  CHECK(rows_text(out) == model);
}

TEST_CASE("append to rows that are all null keeps them null") {
  const schema_ptr s = one_field(data_type::string);
  batch_builder builder{s};
  builder.finish_row(1, 0, 0, 0);
  event_batch out = builder.finish();
  builder.set_text(0, "x");
  builder.finish_row(2, 0, 0, 0);
  const event_batch in = builder.finish();
  append(out, in);
  append(out, slice(out, 0, 1));
  CHECK(rows_text(out) == std::vector<std::string>{"null|1|0|0|0", "\"x\"|2|0|0|0", "null|1|0|0|0"});
}

TEST_CASE("a batch builder makes unset columns null and replaces what is set twice") {
  batch_builder builder{std::make_shared<const schema>(std::vector<field>{
    {"s", data_type::string, true}, {"i", data_type::int64, true}, {"d", data_type::float64, true}})};
  builder.set_text(0, "a");
  builder.set_text(0, "b");
  builder.set_int(1, 7);
  builder.finish_row(10, 5, make_position(3, 1), 2);
  builder.set_double(2, 1.5);
  builder.finish_row(11, 6, make_position(3, 2), 2);
  CHECK(builder.rows() == 2);
  CHECK(builder.byte_size() > 0);
  const event_batch b = builder.finish();
  REQUIRE(well_formed(b));
  CHECK(b.columns[0].text(0) == "b");
  CHECK(b.columns[1].i64[0] == 7);
  CHECK(b.columns[2].is_null(0));
  CHECK(b.columns[0].is_null(1));
  CHECK(b.columns[2].f64[1] == 1.5);
  CHECK(position_place(b.position[1]) == 3);
  CHECK(position_index(b.position[1]) == 2);
  CHECK(builder.rows() == 0);
  CHECK(builder.byte_size() == 0);
  CHECK(builder.finish().rows == 0);
}

TEST_CASE("columns are found by name") {
  const event_batch b = event_batch::make(one_field(data_type::json));
  CHECK(b.find("f") == b.columns.data());
  CHECK(b.find("g") == nullptr);
  CHECK(to_string(data_type::uint64) == "uint");
}

TEST_CASE("canonical keys are equal exactly for equal values") {
  const schema_ptr s = std::make_shared<const schema>(std::vector<field>{
    {"a", data_type::string, true}, {"b", data_type::string, true}, {"d", data_type::float64, true}});
  batch_builder builder{s};
  const auto add = [&](const char* a, const char* b, double d) {
    if (a != nullptr)
      builder.set_text(0, a);
    if (b != nullptr)
      builder.set_text(1, b);
    builder.set_double(2, d);
    builder.finish_row(0, 0, 0, 0);
  };
  add("ab", "c", 0.0);
  add("a", "bc", -0.0);
  add("ab", "c", -0.0);
  add("", "c", std::numeric_limits<double>::quiet_NaN());
  add(nullptr, "c", -std::numeric_limits<double>::quiet_NaN());
  const event_batch batch = builder.finish();
  CHECK(key_of(batch, {0, 1}, 0) != key_of(batch, {0, 1}, 1));
  CHECK(key_of(batch, {0, 1, 2}, 0) == key_of(batch, {0, 1, 2}, 2));
  CHECK(key_of(batch, {0}, 3) != key_of(batch, {0}, 4));
  CHECK(key_of(batch, {2}, 3) == key_of(batch, {2}, 4));
}

TEST_CASE("the partition of a key never changes: it is part of the wire contract") {
  batch_builder builder{std::make_shared<const schema>(std::vector<field>{
    {"s", data_type::string, false}, {"i", data_type::int64, false}, {"b", data_type::boolean, true}})};
  builder.set_text(0, "AAPL");
  builder.set_int(1, -2);
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  CHECK(key_of(b, {0}, 0) == std::string("\5\4\0\0\0AAPL", 9));
  CHECK(key_of(b, {1}, 0) == std::string("\2\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9));
  CHECK(key_of(b, {2}, 0) == std::string("\0", 1));
  CHECK(partition_of("", 1000) == 0x2D06800538D394C2ULL % 1000); // XXH3-64 of nothing, from its specification
  CHECK(partition_of(key_of(b, {0}, 0), 1) == 0);
}

TEST_CASE("partition_rows agrees with partition_of for every row") {
  generator g{5};
  for (int round = 0; round < 200; ++round) {
    const event_batch in = random_batch(g, random_schema(g), below(g, 100));
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < in.columns.size(); ++i)
      if (below(g, 3) == 0)
        columns.push_back(i);
    const auto partitions = static_cast<std::uint32_t>(1 + below(g, 16));
    std::vector<std::uint32_t> out;
    partition_rows(in, columns, partitions, out);
    REQUIRE(out.size() == in.rows);
    for (std::size_t row = 0; row < in.rows; ++row)
      REQUIRE(out[row] == partition_of(key_of(in, columns, row), partitions));
  }
}
