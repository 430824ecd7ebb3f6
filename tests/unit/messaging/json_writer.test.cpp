// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <charconv>
#include <limits>
#include <random>

using namespace millrace;
using namespace millrace::codec;

namespace {

template <class F, class... Args>
std::string written(F f, Args... args) {
  std::string out;
  f(out, args...);
  return out;
}

std::string number(double v) { return written(append_double, v); }
std::string text(std::string_view v) { return written(append_string, v); }
std::string stamp(std::int64_t v) { return written(append_timestamp, v); }
std::string span_of(std::int64_t v) { return written(append_duration, v); }
std::string base64(std::string_view v) { return written(append_base64, v); }

constexpr std::int64_t noon = 1'795'089'600'000'000'000; // 2026-11-19T12:00:00Z

schema_ptr window_schema(bool with_seq) {
  std::vector<field> f{{"symbol", data_type::string, false},
                       {std::string{column_start}, data_type::timestamp, false},
                       {std::string{column_end}, data_type::timestamp, false}};
  if (with_seq)
    f.push_back({std::string{column_seq}, data_type::int64, false});
  f.push_back({std::string{column_version}, data_type::int64, false});
  f.push_back({std::string{column_final}, data_type::boolean, false});
  f.push_back({std::string{column_retracted}, data_type::boolean, false});
  f.push_back({"trades", data_type::int64, true});
  f.push_back({"vwap", data_type::float64, true});
  f.push_back({std::string{column_errors}, data_type::json, true});
  return std::make_shared<const schema>(std::move(f));
}

} // namespace

TEST_CASE("doubles print the shortest text that reads back") {
  CHECK(number(0.0) == "0.0");
  CHECK(number(-0.0) == "-0.0");
  CHECK(number(1.0) == "1.0");
  CHECK(number(0.1) == "0.1");
  CHECK(number(-2.5) == "-2.5");
  CHECK(number(100.0) == "100.0");
  CHECK(number(100'000.0) == "100000.0");
  CHECK(number(123456789.0) == "123456789.0");
  CHECK(number(1e15) == "1000000000000000.0");
  CHECK(number(1e16) == "1e+16");
  CHECK(number(1e300) == "1e+300");
  CHECK(number(1.5e-7) == "1.5e-07");
  CHECK(number(std::numeric_limits<double>::max()) == "1.7976931348623157e+308");
  CHECK(number(std::numeric_limits<double>::denorm_min()) == "5e-324");
  CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "\"NaN\"");
  CHECK(number(std::numeric_limits<double>::infinity()) == "\"Infinity\"");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "\"-Infinity\"");
}

TEST_CASE("every finite double reads back as itself") {
  std::mt19937_64 g{1};
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = g();
    double v = i % 2 == 0 ? std::bit_cast<double>(bits) : static_cast<double>(bits % 1'000'000'000) * 1e6;
    if (v != v || v - v != 0.0)
      continue;
    const std::string out = number(v);
    double back = 0;
    const auto r = std::from_chars(out.data(), out.data() + out.size(), back);
    REQUIRE(r.ptr == out.data() + out.size());
    REQUIRE(std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(v));
  }
}

TEST_CASE("integers print their full range") {
  CHECK(written(append_int, std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(written(append_uint, std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("strings escape what JSON demands and nothing else") {
  CHECK(text("") == "\"\"");
  CHECK(text("plain/text, longer than eight bytes") == "\"plain/text, longer than eight bytes\"");
  CHECK(text("a\"b\\c") == R"("a\"b\\c")");
  CHECK(text("\b\f\n\r\t") == R"("\b\f\n\r\t")");
  CHECK(text(std::string_view{"\0\x1f\x7f", 3}) == "\"\\u0000\\u001f\x7f\"");
  CHECK(text("1234567\"") == "\"1234567\\\"\"");
  CHECK(text("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80") ==
        "\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

TEST_CASE("invalid UTF-8 becomes U+FFFD, once per maximal subpart") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(text("a\xFF"
             "b") == "\"a" + bad + "b\"");
  CHECK(text("\xC3") == "\"" + bad + "\"");
  CHECK(text("\xE2\x82") == "\"" + bad + "\"");
  CHECK(text("\xE2\x82z") == "\"" + bad + "z\"");
  CHECK(text("\xC0\xAF") == "\"" + bad + bad + "\"");
  CHECK(text("\xED\xA0\x80") == "\"" + bad + bad + bad + "\""); // a surrogate
  CHECK(text("\xF4\x90\x80\x80") == "\"" + bad + bad + bad + bad + "\"");
  CHECK(text("\xF0\x9F\x98\"") == "\"" + bad + "\\\"\"");
}

TEST_CASE("timestamps have 3, 6 or 9 fraction digits, as few as are exact") {
  CHECK(stamp(0) == "\"1970-01-01T00:00:00.000Z\"");
  CHECK(stamp(noon) == "\"2026-11-19T12:00:00.000Z\"");
  CHECK(stamp(noon + 5'000'000) == "\"2026-11-19T12:00:00.005Z\"");
  CHECK(stamp(noon + 5'001'000) == "\"2026-11-19T12:00:00.005001Z\"");
  CHECK(stamp(noon + 1) == "\"2026-11-19T12:00:00.000000001Z\"");
  CHECK(stamp(-1) == "\"1969-12-31T23:59:59.999999999Z\"");
  CHECK(stamp(951'782'400'000'000'000) == "\"2000-02-29T00:00:00.000Z\"");
  CHECK(stamp(std::numeric_limits<std::int64_t>::min()) == "\"1677-09-21T00:12:43.145224192Z\"");
  CHECK(stamp(std::numeric_limits<std::int64_t>::max()) == "\"2262-04-11T23:47:16.854775807Z\"");
}

TEST_CASE("durations print as seconds") {
  CHECK(span_of(0) == "\"0s\"");
  CHECK(span_of(1'500'000'000) == "\"1.5s\"");
  CHECK(span_of(-1) == "\"-0.000000001s\"");
  CHECK(span_of(3'600'000'000'000) == "\"3600s\"");
  CHECK(span_of(-90'010'000'000) == "\"-90.01s\"");
  CHECK(span_of(std::numeric_limits<std::int64_t>::min()) == "\"-9223372036.854775808s\"");
}

TEST_CASE("bytes print as padded base64") {
  CHECK(base64("") == "\"\"");
  CHECK(base64("f") == "\"Zg==\"");
  CHECK(base64("fo") == "\"Zm8=\"");
  CHECK(base64("foo") == "\"Zm9v\"");
  CHECK(base64("foobar") == "\"Zm9vYmFy\"");
  CHECK(base64(std::string_view{"\xFB\xFF\xFE\x00", 4}) == "\"+//+AA==\"");
}

TEST_CASE("an event prints its fields in the schema's order") {
  batch_builder builder{std::make_shared<const schema>(std::vector<field>{{"b", data_type::boolean, false},
                                                                          {"i", data_type::int64, false},
                                                                          {"u", data_type::uint64, false},
                                                                          {"d", data_type::float64, false},
                                                                          {"s", data_type::string, false},
                                                                          {"x", data_type::bytes, false},
                                                                          {"t", data_type::timestamp, false},
                                                                          {"w", data_type::duration, false},
                                                                          {"j", data_type::json, false},
                                                                          {"n", data_type::string, true}})};
  builder.set_bool(0, true);
  builder.set_int(1, -3);
  builder.set_uint(2, std::numeric_limits<std::uint64_t>::max());
  builder.set_double(3, 2);
  builder.set_text(4, "a\"");
  builder.set_text(5, "foo");
  builder.set_int(6, noon);
  builder.set_int(7, 250'000'000);
  builder.set_text(8, "{\"a\" : [1.50, \"x y\"]}");
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  std::string out;
  append_event(out, b, 0);
  CHECK(out == R"({"b":true,"i":-3,"u":18446744073709551615,"d":2.0,"s":"a\"","x":"Zm9v",)"
               R"("t":"2026-11-19T12:00:00.000Z","w":"0.25s","j":{"a" : [1.50, "x y"]},"n":null})");
}

TEST_CASE("JSON over several lines prints on one") {
  column c{data_type::json};
  dictionary_builder builder;
  c.codes = {builder.code("{\n  \"a\" : \"x \\\" y\",\r\n\t\"b\": [ 1 ]\n}\n")};
  c.dict = builder.finish();
  CHECK(written([&](std::string& out) { append_value(out, c, 0); }) == R"({"a":"x \" y","b":[1]})");
}

TEST_CASE("a window record has its members in the interface's order") {
  batch_builder builder{window_schema(false)};
  builder.set_text(0, "AAPL");
  builder.set_int(1, noon);
  builder.set_int(2, noon + 60'000'000'000);
  builder.set_int(3, 0);
  builder.set_bool(4, true);
  builder.set_bool(5, false);
  builder.set_int(6, 3);
  builder.set_text(8, R"({"vwap":"division by zero"})");
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  std::string out;
  append_window_record(out, "ohlc", b, 0);
  CHECK(out == R"({"kind":"window","window":"ohlc","key":{"symbol":"AAPL"},"start":"2026-11-19T12:00:00.000Z",)"
               R"("end":"2026-11-19T12:01:00.000Z","version":0,"final":true,"values":{"trades":3,"vwap":null},)"
               R"("errors":{"vwap":"division by zero"}})");
}

TEST_CASE("a retracted window says so and has no values; a count window has its number") {
  batch_builder builder{window_schema(true)};
  builder.set_text(0, "AAPL");
  builder.set_int(1, noon);
  builder.set_int(2, noon);
  builder.set_int(3, 4);
  builder.set_int(4, 1);
  builder.set_bool(5, false);
  builder.set_bool(6, true);
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  std::string out;
  append_window_record(out, "last", b, 0);
  CHECK(out == R"({"kind":"window","window":"last","key":{"symbol":"AAPL"},"start":"2026-11-19T12:00:00.000Z",)"
               R"("end":"2026-11-19T12:00:00.000Z","seq":4,"version":1,"final":false,"retracted":true,"values":{}})");
}

TEST_CASE("a window without a key has an empty key") {
  const schema_ptr with_key = window_schema(false);
  std::vector<field> fields(with_key->fields().begin() + 1, with_key->fields().end());
  batch_builder builder{std::make_shared<const schema>(std::move(fields))};
  builder.set_int(5, 3);
  builder.set_double(6, 0.5);
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  CHECK(written([&](std::string& out) { append_window_key(out, b, 0); }) == "{}");
  CHECK(written([&](std::string& out) { append_window_values(out, b, 0); }) == R"({"trades":3,"vwap":0.5})");
}

TEST_CASE("an alert record has its members in the interface's order") {
  batch_builder builder{std::make_shared<const schema>(std::vector<field>{{"rule", data_type::string, false},
                                                                          {"id", data_type::string, false},
                                                                          {"key", data_type::json, false},
                                                                          {"state", data_type::string, false},
                                                                          {"at", data_type::timestamp, false},
                                                                          {"since", data_type::timestamp, false},
                                                                          {"severity", data_type::string, true},
                                                                          {"labels", data_type::json, false},
                                                                          {"summary", data_type::string, false},
                                                                          {"values", data_type::json, false}})};
  const char* texts[] = {"spike", "1f", R"({"symbol":"AAPL"})", "firing", "", "", "", "{}", "up 7%", R"({"x":1})"};
  for (std::size_t i = 0; i < 10; ++i)
    if (i < 4 || i > 6)
      builder.set_text(i, texts[i]);
  builder.set_int(4, noon);
  builder.set_int(5, 0);
  builder.finish_row(0, 0, 0, 0);
  const event_batch b = builder.finish();
  std::string out;
  append_alert_record(out, b, 0);
  CHECK(out == R"({"kind":"alert","rule":"spike","id":"1f","key":{"symbol":"AAPL"},"state":"firing",)"
               R"("at":"2026-11-19T12:00:00.000Z","since":"1970-01-01T00:00:00.000Z","severity":null,"labels":{},)"
               R"("summary":"up 7%","values":{"x":1}})");
}
