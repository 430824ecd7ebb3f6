// SPDX-License-Identifier: Apache-2.0
#define XXH_INLINE_ALL
#include "messaging/frame.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/messaging/random_batch.hpp"

#include <cstring>
#include <xxhash.h>

using namespace millrace;
using namespace millrace::test;

namespace {

frame random_frame(generator& g) {
  frame f;
  f.kind = static_cast<frame_kind>(below(g, 6));
  f.writer = random_text(g, 10);
  f.epoch = g();
  f.number = g();
  f.previous = g();
  f.origin = {g(), g(), g()};
  f.watermark = below(g, 2) == 0 ? no_watermark : end_watermark;
  f.high_time = static_cast<std::int64_t>(g());
  f.idle = below(g, 2) == 0;
  f.source_stamp = static_cast<std::int64_t>(g());
  f.definition = g();
  f.counters = {g(), g(), g(), g(), g(), g(), g(), g(), g()};
  f.note = random_text(g, 10);
  f.blob = std::string(below(g, 100), '\0');
  const std::size_t sections = below(g, 4);
  for (std::size_t i = 0; i < sections; ++i)
    f.sections.push_back({random_text(g, 10), random_batch(g, random_schema(g), below(g, 300))});
  return f;
}

void require_same(const frame& a, const frame& b) {
  REQUIRE(a.kind == b.kind);
  REQUIRE(a.writer == b.writer);
  REQUIRE(a.epoch == b.epoch);
  REQUIRE(a.number == b.number);
  REQUIRE(a.previous == b.previous);
  REQUIRE(a.origin == b.origin);
  REQUIRE(a.watermark == b.watermark);
  REQUIRE(a.high_time == b.high_time);
  REQUIRE(a.idle == b.idle);
  REQUIRE(a.source_stamp == b.source_stamp);
  REQUIRE(a.definition == b.definition);
  REQUIRE(a.counters == b.counters);
  REQUIRE(a.note == b.note);
  REQUIRE(a.blob == b.blob);
  REQUIRE(a.sections.size() == b.sections.size());
  for (std::size_t i = 0; i < a.sections.size(); ++i) {
    REQUIRE(a.sections[i].name == b.sections[i].name);
    REQUIRE(*a.sections[i].batch.layout == *b.sections[i].batch.layout);
    REQUIRE(well_formed(b.sections[i].batch));
    REQUIRE(rows_text(a.sections[i].batch) == rows_text(b.sections[i].batch));
  }
}

frame small_frame() {
  generator g{7};
  const auto s = std::make_shared<const schema>(std::vector<field>{{"id", data_type::string, false},
                                                                   {"n", data_type::int64, true},
                                                                   {"d", data_type::float64, false},
                                                                   {"ok", data_type::boolean, false}});
  frame f;
  f.writer = "ingest-1";
  f.sections.push_back({"", random_batch(g, s, 40)});
  return f;
}

void seal(std::string& bytes) {
  const std::uint64_t sum = XXH3_64bits(bytes.data() + 16, bytes.size() - 16);
  std::memcpy(bytes.data() + 8, &sum, sizeof sum);
}

/// `bytes` with its only occurrence of `from` replaced, and a checksum that agrees.
std::string forged(std::string bytes, const std::string& from, const std::string& to) {
  const std::size_t at = bytes.find(from, 16);
  REQUIRE(at != std::string::npos);
  REQUIRE(bytes.find(from, at + 1) == std::string::npos);
  bytes.replace(at, from.size(), to);
  seal(bytes);
  return bytes;
}

frame text_frame(std::initializer_list<const char*> texts) {
  batch_builder builder{std::make_shared<const schema>(std::vector<field>{{"t", data_type::string, true}})};
  for (const char* text : texts) {
    if (text != nullptr)
      builder.set_text(0, text);
    builder.finish_row(0, 0, 0, 0);
  }
  frame f;
  f.sections.push_back({"", builder.finish()});
  return f;
}

std::size_t size_of(const event_batch& b) {
  frame f;
  f.sections.push_back({"", b});
  return frame_encoder{}.encode(f).size();
}

} // namespace

TEST_CASE("a frame decodes to what was encoded") {
  generator g{6};
  frame_encoder encoder;
  for (int round = 0; round < 400; ++round) {
    const frame f = random_frame(g);
    const std::string bytes = encoder.encode(f);
    const auto back = decode_frame(bytes);
    REQUIRE(back);
    require_same(f, *back);
    REQUIRE(encoder.encode(f) == bytes);
    REQUIRE(encoder.encode(*back) == bytes);
  }
}

TEST_CASE("rows taken out of a batch bring only the texts they use") {
  generator g{8};
  const auto s = std::make_shared<const schema>(std::vector<field>{{"id", data_type::string, true}});
  batch_builder builder{s};
  for (int i = 0; i < 5000; ++i) {
    builder.set_text(0, "id-" + std::to_string(i * 7919));
    builder.finish_row(i, i, i, 0);
  }
  const event_batch all = builder.finish();
  frame_encoder encoder;
  for (const std::size_t step : {1U, 2U, 8U, 4000U}) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < all.rows; i += static_cast<std::uint32_t>(step))
      rows.push_back(i);
    frame f;
    f.sections.push_back({"", take(all, rows)});
    const std::string bytes = encoder.encode(f);
    CHECK(bytes.size() < 600 + rows.size() * 14);
    const auto back = decode_frame(bytes);
    REQUIRE(back);
    require_same(f, *back);
    CHECK(back->sections[0].batch.columns[0].dict->size() == rows.size());
  }
}

TEST_CASE("clocks, positions and shards cost next to nothing") {
  event_batch b = event_batch::make(std::make_shared<const schema>(std::vector<field>{{"ts", data_type::timestamp}}));
  generator g{9};
  b.rows = 1000;
  for (std::size_t i = 0; i < b.rows; ++i) {
    const auto ms = static_cast<std::int64_t>(1'700'000'000'000 + below(g, 60'000));
    b.time.push_back(ms * 1'000'000);
    b.watermark.push_back((1'700'000'000'000 + static_cast<std::int64_t>(i)) * 1'000'000);
    b.position.push_back(make_position(500 + i, 0));
    b.shard.push_back(3);
  }
  b.columns[0].i64 = b.time;
  CHECK(size_of(b) < 2 * b.rows + 600); // two bytes a row: the time, in milliseconds
}

TEST_CASE("the size estimate is an upper bound") {
  generator g{10};
  for (int round = 0; round < 300; ++round) {
    event_batch b = random_batch(g, random_schema(g), below(g, 400));
    if (b.rows > 4 && below(g, 2) == 0)
      b = slice(b, 0, b.rows / 4);
    REQUIRE(size_of(b) <= estimate_bytes(b) + 256); // the empty frame around it
  }
}

TEST_CASE("the size estimate counts texts, lengths and codes") {
  std::vector<field> fields;
  for (int i = 0; i < 20; ++i)
    fields.push_back({"t" + std::to_string(i), data_type::string, false});
  batch_builder builder{std::make_shared<const schema>(std::move(fields))};
  generator g{13};
  for (std::uint64_t row = 0; row < 1000; ++row) {
    for (std::size_t i = 0; i < 20; ++i)
      builder.set_text(i, std::string(1 + below(g, 2) * 300 * (row == 0 ? 1 : 0), 'x') + std::to_string(g() % 2000));
    builder.finish_row(0, 0, 0, 0);
  }
  const event_batch all = builder.finish();
  for (const std::size_t rows : {1U, 10U, 300U, 1000U}) {
    const event_batch b = slice(all, 0, rows);
    CHECK(size_of(b) <= estimate_bytes(b));
    CHECK(estimate_bytes(b) <= 2 * size_of(b));
  }
}

TEST_CASE("the checksum in the envelope is that of the frame") {
  const std::string bytes = frame_encoder{}.encode(small_frame());
  CHECK(bytes.substr(0, 8) == std::string("MRF1\1\0\0\0", 8));
  CHECK(frame_checksum(bytes) == XXH3_64bits(bytes.data() + 16, bytes.size() - 16));
  CHECK(frame_checksum("") == 0);
  CHECK(frame_checksum("{\"not\": \"a frame\"}") == 0);
}

TEST_CASE("a frame is read wherever it lies in memory") {
  const frame f = small_frame();
  const std::string bytes = frame_encoder{}.encode(f);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const std::string moved = std::string(shift, ' ') + bytes;
    const auto back = decode_frame(std::string_view{moved}.substr(shift));
    REQUIRE(back);
    require_same(f, *back);
  }
}

TEST_CASE("every flipped byte and every truncation is refused") {
  const std::string bytes = frame_encoder{}.encode(small_frame());
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
      std::string bad = bytes;
      bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ flip);
      const auto r = decode_frame(bad);
      REQUIRE_FALSE(r);
      REQUIRE(r.error().code == ec::corrupt);
    }
  for (std::size_t n = 0; n < bytes.size(); ++n)
    REQUIRE_FALSE(decode_frame(std::string_view{bytes}.substr(0, n)));
  CHECK_FALSE(decode_frame(bytes + '\0'));
}

TEST_CASE("a forged checksum does not make corrupt bytes dangerous") {
  generator g{11};
  frame_encoder encoder;
  std::size_t accepted = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string bytes = encoder.encode(round % 2 == 0 ? small_frame() : random_frame(g));
    for (int i = 0; i < 300; ++i) {
      std::string bad = bytes;
      const std::uint64_t changes = 1 + below(g, 4);
      for (std::uint64_t k = 0; k < changes; ++k)
        bad[16 + below(g, bad.size() - 16)] = static_cast<char>(below(g, 3) == 0 ? 0xFF : below(g, 256));
      if (below(g, 8) == 0)
        bad.resize(16 + below(g, bad.size() - 16));
      seal(bad);
      const auto r = decode_frame(bad);
      if (!r) {
        REQUIRE(r.error().code == ec::corrupt);
        continue;
      }
      ++accepted;
      for (const section& s : r->sections) { // whatever passes is safe to read
        REQUIRE(well_formed(s.batch));
        REQUIRE(rows_text(s.batch).size() == s.batch.rows);
      }
    }
  }
  CHECK(accepted > 0);
}

TEST_CASE("texts that do not fit their dictionary are refused") {
  const std::string bytes = frame_encoder{}.encode(text_frame({"a", "bb", "ccc", "a", "a", "bb"}));
  // A code beyond the dictionary; lengths beyond, and short of, its bytes.
  for (const auto& [from, to] : {std::pair{std::string("\0\1\2\0\0\1", 6), std::string("\0\3\2\0\0\1", 6)},
                                 std::pair{std::string("\1\2\4", 3), std::string("\1\2\5", 3)},
                                 std::pair{std::string("\1\2\4", 3), std::string("\1\2\3", 3)}}) {
    const std::string sample = from[0] == '\1' ? frame_encoder{}.encode(text_frame({"a", "bb", "cccc"})) : bytes;
    const auto r = decode_frame(forged(sample, from, to));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == ec::corrupt);
    CHECK(r.error().message.find("field t") != std::string::npos);
  }
}

TEST_CASE("a row that is neither null nor has a text is refused") {
  const std::string bytes = frame_encoder{}.encode(text_frame({nullptr, nullptr, nullptr, nullptr, nullptr}));
  REQUIRE(decode_frame(bytes));
  const std::string all("\x1F\0\0\0\0\0\0\0", 8);
  CHECK_FALSE(decode_frame(forged(bytes, all, std::string("\x1E\0\0\0\0\0\0\0", 8))));
  CHECK_FALSE(decode_frame(forged(bytes, all, std::string("\x3F\0\0\0\0\0\0\0", 8)))); // a sixth row
}

TEST_CASE("frames of one layout share its schema") {
  const std::string bytes = frame_encoder{}.encode(small_frame());
  const auto a = decode_frame(bytes);
  const auto b = decode_frame(bytes);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->sections[0].batch.layout == b->sections[0].batch.layout);
}

TEST_CASE("ledgers add up") {
  ledger a{10, 1, 2, 3, 1, 1, 1, 1, 3};
  CHECK(a.imbalance() == 0);
  a += a;
  CHECK(a == ledger{20, 2, 4, 6, 2, 2, 2, 2, 6});
}

TEST_CASE("a frame inside an input keeps the watermark of its origin, another one has its own") {
  frame f;
  f.watermark = 20;
  f.origin_watermark = 10;
  f.origin = {1, 2, 3};
  frame_encoder encoder;
  CHECK(decode_frame(encoder.encode(f))->origin_watermark == 10);
  f.origin.rows = 0;
  CHECK(decode_frame(encoder.encode(f))->origin_watermark == 20);
  CHECK(decode_frame(encoder.encode(f))->watermark == 20);
}
