// SPDX-License-Identifier: Apache-2.0
// What a decoder carries from batch to batch for speed must not show in the values.
#include "messaging/codec/decode_text.hpp"
#include "tests/unit/messaging/decoder_support.hpp"

#include <random>

using namespace millrace;
using namespace millrace::test;

namespace {

struct stream {
  std::unique_ptr<codec::event_decoder> decoder = decoder_of(json_options(
    {body_field("id", data_type::string), body_field("kind", data_type::string), body_field("n", data_type::int64)}));

  event_batch lines(const std::string& text) {
    codec::source_message m;
    m.payload = text;
    decoder->decode_lines(m);
    CHECK(decoder->take_rejects().empty());
    return decoder->finish();
  }
};

std::string line(std::string_view id, std::string_view kind, std::uint64_t n) {
  return "{\"id\":\"" + std::string{id} + "\",\"kind\":\"" + std::string{kind} + "\",\"n\":" + std::to_string(n) +
         "}\n";
}

} // namespace

TEST_CASE("a dictionary that serves the next batch too is handed out again") {
  stream s;
  const std::string text = line("a", "x", 1) + line("b", "x", 2) + line("c", "y", 3);
  const auto first = s.lines(text);
  const auto second = s.lines(text);
  CHECK(second.columns[1].dict == first.columns[1].dict);
  CHECK(second.columns[1].dict->unique());
  const auto third = s.lines(line("d", "z", 4));
  CHECK(third.columns[1].text(0) == "z");
  CHECK(first.columns[1].dict->size() == 2);
}

TEST_CASE("a dictionary does not grow beyond the rows that it serves") {
  stream s;
  for (int batch = 0; batch < 200; ++batch) {
    std::string text;
    for (int i = 0; i < 20; ++i)
      text += line("id-" + std::to_string(batch * 20 + i), "k", 1);
    const auto b = s.lines(text);
    CHECK(b.columns[0].dict->size() <= 2 * b.rows);
  }
}

TEST_CASE("values are right whatever the batches before held") {
  std::mt19937_64 random{11};
  stream s;
  for (int batch = 0; batch < 120; ++batch) {
    // From all different to all equal and back; small and large batches; texts of all lengths around the words.
    const std::uint64_t variety = std::uint64_t{1} << (random() % 24);
    const std::size_t rows = batch % 3 == 0 ? 3000 : 1 + random() % 60;
    std::vector<std::string> ids;
    std::string text;
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint64_t id = random() % variety;
      ids.push_back(std::string(id % 70, 'p') + std::to_string(id));
      text += line(ids.back(), id % 2 == 0 ? "even" : "odd", id);
    }
    const auto b = s.lines(text);
    REQUIRE(b.rows == rows);
    bool all = true;
    for (std::size_t i = 0; i < rows; ++i) {
      const auto n = static_cast<std::uint64_t>(b.columns[2].i64[i]);
      all = all && b.columns[0].text(i) == ids[i] && b.columns[1].text(i) == (n % 2 == 0 ? "even" : "odd") &&
            ids[i].ends_with(std::to_string(n));
    }
    REQUIRE(all);
  }
}

TEST_CASE("digits read by words are those read one by one") {
  std::mt19937_64 random{3};
  const std::string alphabet = "0123456789012345678901234567890123456789 -.:/eE\x80";
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (std::size_t n = random() % 19; n > 0; --n)
      text += alphabet[random() % (i % 4 == 0 ? alphabet.size() : 40)];
    const auto size = text.size();
    const auto slow = codec::parse_uint(text);
    text.append(16, static_cast<char>(random() % 128));
    std::uint64_t fast = 0;
    const bool ok = codec::short_digits(text.data(), size, fast);
    INFO(text.substr(0, size));
    REQUIRE(ok == (slow.has_value() && size <= 16));
    REQUIRE((!ok || fast == *slow));
  }
}

TEST_CASE("what a plain line cannot hold is rejected as on any line") {
  auto o = json_options(
    {body_field("a", data_type::int64), body_field("j", data_type::json, true), body_field("t", data_type::boolean)});
  const std::string good = "{\"a\":1,\"j\":2,\"t\":true}\n";
  for (const std::string bad :
       {"{\"a\":1\"2,\"j\":2,\"t\":true}\n", "{\"a\":01,\"j\":2,\"t\":true}\n", "{\"a\":1,\"j\":[},\"t\":true}\n",
        "{\"a\":1,\"j\":{},\"t\":truex}\n", "{\"a\":1,\"j\":1{,\"t\":true}\n", "{\"a\":1,\"j\":,\"t\":true}\n",
        "{\"a\":1:2,\"j\":2,\"t\":true}\n", "{\"a\":1,\"j\":2,\"t\":true\"}\n"}) {
    auto d = decoder_of(o);
    codec::source_message m;
    const std::string text = good + bad + good;
    m.payload = text;
    d->decode_lines(m);
    INFO(bad);
    const auto out = finish(*d);
    CHECK(out.batch.rows == 2);
    CHECK(out.rejects.size() == 1);
  }
}
