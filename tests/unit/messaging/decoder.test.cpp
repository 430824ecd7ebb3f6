// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/messaging/decoder_support.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

codec::decode_options trades() {
  return json_options({body_field("symbol", data_type::string), body_field("price", data_type::float64),
                       body_field("size", data_type::int64, true)});
}

constexpr auto good = R"({"symbol":"A","price":1.5,"size":3})";
constexpr auto good_row = R"({"symbol":"A","price":1.5,"size":3})";

} // namespace

TEST_CASE("an object, an array and NDJSON give the same rows") {
  const texts rows{good_row, R"({"symbol":"B","price":2.0,"size":null})"};
  const std::string b = R"({"price":2,"symbol":"B"})";
  CHECK(decode(trades(), good).rows() == texts{good_row});
  CHECK(decode(trades(), std::string{good} + "\n" + b).rows() == rows);
  CHECK(decode(trades(), std::string{good} + "\r\n\n  \n" + b + "\n").rows() == rows);
  CHECK(decode(trades(), "[" + std::string{good} + "," + b + "]").rows() == rows);
  CHECK(decode(trades(), " [\n " + std::string{good} + " ,\n" + b + "\n]\n").rows() == rows);
  CHECK(decode(trades(), "\xef\xbb\xbf" + std::string{good}).rows() == texts{good_row});
  CHECK(decode(trades(), "{\n  \"symbol\": \"A\",\n  \"price\": 1.5,\n  \"size\": 3\n}\n").rows() == texts{good_row});
}

TEST_CASE("empty bodies hold no events") {
  for (const char* body : {"", "\n", "  \n\t\r\n", "[]", "[ ]", "\xef\xbb\xbf"}) {
    const auto d = decode(trades(), body);
    CHECK(d.batch.rows == 0);
    CHECK(d.rejects.empty());
    CHECK(codec::count_events(body) == 0);
  }
}

TEST_CASE("positions count every event of a message, rejected ones too") {
  const std::string g = good;
  const auto d = decode(trades(), g + "\n{bad}\n\n" + g + "\n");
  REQUIRE(d.batch.rows == 2);
  CHECK(d.batch.position[0] == make_position(7, 0));
  CHECK(d.batch.position[1] == make_position(7, 2));
  REQUIRE(d.rejects.size() == 1);
  CHECK(d.rejects[0].position == make_position(7, 1));
  CHECK(d.rejects[0].before_row == 1);
  CHECK(d.rejects[0].body == "{bad}");
  CHECK_FALSE(d.rejects[0].is_json);
}

TEST_CASE("a bad line rejects only itself") {
  const std::string g = good;
  const texts bad{"{\"symbol\":\"A\",\"price\":1.5",
                  "{\"symbol\":\"A\",\"price\":1.5,",
                  "{\"symbol\":\"A\",\"price\":1.5}}",
                  "{\"symbol\":\"A\",\"price\":1.5}{\"symbol\":\"A\",\"price\":1.5}",
                  "{\"symbol\":\"A,\"price\":1.5}",
                  "{\"symbol\":\"A\xff\",\"price\":1.5}",
                  "{\"symbol\":\"\xc3\",\"price\":1.5}",
                  "{\"symbol\":\"A\x01\",\"price\":1.5}",
                  "{\"symbol\":\"A\\q\",\"price\":1.5}",
                  "{\"symbol\":\"\\ud800\",\"price\":1.5}",
                  "{\"symbol\":\"A\",\"price\":NaN}",
                  "{\"symbol\":\"A\",\"price\":Infinity}",
                  "{\"symbol\":\"A\",\"price\":01}",
                  "{\"symbol\":\"A\",\"price\":1.}",
                  "{\"symbol\":\"A\",\"price\":+1}",
                  "{\"symbol\":\"A\",\"price\":1.5\"x\"}",
                  "{\"symbol\":\"A\",\"price\":1.5,\"other\":tru}",
                  "{\"symbol\":\"A\",\"price\":1.5,\"other\":[1,]}",
                  "{\"symbol\":\"A\",\"price\":1.5,\"other\":{\"a\"}}",
                  "{\"symbol\":\"A\",\"price\":}",
                  "{\"symbol\":\"A\" \"price\":1.5}",
                  "{symbol:\"A\",\"price\":1.5}",
                  "{\"symbol\":\"A\",\"price\":tru,\"price\":1.5}",
                  "garbage",
                  "}",
                  "\\",
                  "\"",
                  "[",
                  std::string("{\"symbol\":\"A\",\"price\":1.5}\0", 27)};
  for (const std::string& line : bad) {
    INFO(line);
    const auto d = decode(trades(), g + "\n" + line + "\n" + g + "\n" + g);
    CHECK(d.rows() == texts{good_row, good_row, good_row});
    CHECK(d.reasons() == texts{"malformed@1"});
    // Alone too, and in the same way.
    const auto alone = decode(trades(), line);
    CHECK(alone.batch.rows == 0);
    CHECK(alone.reasons() == texts{"malformed@0"});
  }
}

TEST_CASE("a bad element of an array rejects only itself") {
  const std::string g = good;
  for (const std::string bad : {"{\"symbol\":}", "{\"symbol\":\"A\",\"price\":1]}", "{\"symbol\":\"\xff\"}", "tru",
                                "{\"a\":[}", "{\"symbol\":\"a\tb\"}"}) {
    INFO(bad);
    const auto d = decode(trades(), "[" + g + "," + bad + "," + g + "]");
    CHECK(d.rows() == texts{good_row, good_row});
    CHECK(d.reasons() == texts{"malformed@1"});
  }
  CHECK(decode(trades(), "[" + g + ",]").reasons() == texts{"malformed@1"});
  CHECK(decode(trades(), "[,]").reasons() == texts{"malformed@0", "malformed@1"});
  CHECK(decode(trades(), "[" + g + "," + g).reasons() == texts{"malformed@1"});
  CHECK(decode(trades(), "[" + g + "] x").reasons() == texts{"malformed@1"});
  // A first line that looks like an array does not harm the lines behind it.
  CHECK(decode(trades(), "[oops\n" + g + "\n" + g).rows() == texts{good_row, good_row});
}

TEST_CASE("details name field, finding, place and remedy") {
  const std::string g = good;
  const auto d =
    decode(trades(), g + "\n{\"symbol\":\"A\",\"price\":\"abc\"}\n{\"price\":1}\n7\n{\"symbol\":null,\"price\":1}");
  REQUIRE(d.reasons() == texts{"type@1", "missing@2", "type@3", "missing@4"});
  CHECK(d.rejects[0].detail ==
        "field \"price\": expected double, found string \"abc\" (event 1, byte 58); send a number "
        "within the range of double");
  CHECK(d.rejects[1].detail ==
        "field \"symbol\" is missing (event 2, byte 65); send it, or declare the field optional (\"string?\")");
  CHECK(d.rejects[2].detail == "expected an object, found number 7 (event 3, byte 77); an event is a JSON object");
  CHECK(d.rejects[3].detail ==
        "field \"symbol\" is null (event 4, byte 89); send it, or declare the field optional (\"string?\")");
  for (const auto& r : d.rejects)
    CHECK(r.is_json);
}

TEST_CASE("numbers are strict by type") {
  const auto one = [](data_type type, const std::string& value) {
    const auto d = decode(json_options({body_field("x", type)}), "{\"x\":" + value + "}");
    return d.batch.rows == 1 ? d.rows()[0] : d.rejects.at(0).reason;
  };
  CHECK(one(data_type::int64, "9223372036854775807") == "{\"x\":9223372036854775807}");
  CHECK(one(data_type::int64, "-9223372036854775808") == "{\"x\":-9223372036854775808}");
  CHECK(one(data_type::int64, "-0") == "{\"x\":0}");
  CHECK(one(data_type::int64, "9223372036854775808") == "type");
  CHECK(one(data_type::int64, "3.0") == "type");
  CHECK(one(data_type::int64, "1e3") == "type");
  CHECK(one(data_type::int64, "\"3\"") == "type");
  CHECK(one(data_type::int64, "true") == "type");
  CHECK(one(data_type::int64, "[1]") == "type");
  CHECK(one(data_type::uint64, "18446744073709551615") == "{\"x\":18446744073709551615}");
  CHECK(one(data_type::uint64, "18446744073709551616") == "type");
  CHECK(one(data_type::uint64, "99999999999999999999") == "type");
  CHECK(one(data_type::uint64, "-1") == "type");
  CHECK(one(data_type::float64, "3") == "{\"x\":3.0}");
  CHECK(one(data_type::float64, "0.1") == "{\"x\":0.1}");
  CHECK(one(data_type::float64, "-1.7976931348623157e308") == "{\"x\":-1.7976931348623157e+308}");
  CHECK(one(data_type::float64, "1e400") == "type");
  CHECK(one(data_type::float64, "1e-400") == "{\"x\":0.0}");
  CHECK(one(data_type::float64, "123456789012345678901234567890") == "{\"x\":1.2345678901234568e+29}");
  CHECK(one(data_type::boolean, "true") == "{\"x\":true}");
  CHECK(one(data_type::boolean, "1") == "type");
  CHECK(one(data_type::string, "1") == "type");
  CHECK(one(data_type::string, R"("a\u00e9\ud83d\ude00\n")") == "{\"x\":\"a\xc3\xa9\xf0\x9f\x98\x80\\n\"}");
  CHECK(one(data_type::bytes, "\"aGk=\"") == "{\"x\":\"aGk=\"}");
  CHECK(one(data_type::bytes, "\"aGk\"") == "{\"x\":\"aGk=\"}");
  CHECK(one(data_type::bytes, "\"a*k=\"") == "type");
  CHECK(one(data_type::json, "{\"a\": [1, \"\\n\"]}") == "{\"x\":{\"a\": [1, \"\\n\"]}}");
  CHECK(one(data_type::json, "\"s\"") == "{\"x\":\"s\"}");
  CHECK(one(data_type::json, "12") == "{\"x\":12}");
  CHECK(one(data_type::json, "null") == "missing");
  CHECK(one(data_type::duration, "\"1m30.5s\"") == "{\"x\":\"90.5s\"}");
  CHECK(one(data_type::duration, "5") == "type");
}

TEST_CASE("of equal names in an object the last counts") {
  CHECK(decode(trades(), R"({"symbol":"A","price":"x","price":2,"size":1,"size":null})").rows() ==
        texts{R"({"symbol":"A","price":2.0,"size":null})"});
  CHECK(decode(trades(), R"({"symbol":"A","price":2,"price":"x"})").reasons() == texts{"type@0"});
}

TEST_CASE("names may be escaped, in any order, and unknown members are ignored") {
  CHECK(decode(trades(), R"({"x":{"price":[]},"\u0073ymbol":"A","p":1,"size":3,"price":1.5,"":0})").rows() ==
        texts{good_row});
  // More unknown names than are remembered.
  std::string many = "{";
  for (int i = 0; i < 200; ++i)
    many += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  many += std::string{good}.substr(1);
  CHECK(decode(trades(), many + "\n" + good + "\n" + many).rows() == texts{good_row, good_row, good_row});
}

TEST_CASE("dotted paths reach into objects") {
  auto venue = body_field("venue", data_type::string, true);
  venue.path = {"meta", "venue"};
  auto lot = body_field("lot", data_type::int64, true);
  lot.path = {"meta", "deep", "lot"};
  auto meta = body_field("meta", data_type::json, true);
  const auto o = json_options({venue, lot, meta});
  const auto row = [&](const std::string& text) {
    const auto d = decode(o, text);
    return d.batch.rows == 1 ? d.rows()[0] : d.rejects.at(0).reason + ": " + d.rejects.at(0).detail;
  };
  CHECK(row(R"({"meta":{"deep":{"lot":3,"x":0},"venue":"N"}})") ==
        R"({"venue":"N","lot":3,"meta":{"deep":{"lot":3,"x":0},"venue":"N"}})");
  CHECK(row(R"({"meta":null})") == R"({"venue":null,"lot":null,"meta":null})");
  CHECK(row(R"({})") == R"({"venue":null,"lot":null,"meta":null})");
  CHECK(row(R"({"meta":{"venue":"N"},"meta":{}})") == R"({"venue":null,"lot":null,"meta":{}})");
  CHECK(row(R"({"meta":{"venue":tru},"meta":{}})").starts_with("malformed"));
  CHECK(row(R"({"meta":"N"})")
          .starts_with("type: field \"venue\": expected string, found string \"N\" instead of an object"));
}

TEST_CASE("fields that nobody reads are checked but have no column") {
  auto o = trades();
  o.fields[0].kept = false;
  auto d =
    decode(o, std::string{good} + "\n{\"symbol\":1,\"price\":1}\n{\"symbol\":\"\\q\",\"price\":1}\n{\"price\":1}");
  CHECK(d.rows() == texts{R"({"price":1.5,"size":3})"});
  CHECK(d.reasons() == texts{"type@1", "malformed@2", "missing@3"});
}

TEST_CASE("too long and too deep events are rejected alone") {
  auto o = trades();
  const std::string g = good;
  const std::string giant = "{\"symbol\":\"" + std::string(1024 * 1024, 'x') + "\",\"price\":1}";
  std::string deep = "{\"symbol\":\"A\",\"price\":1,\"z\":" + std::string(64, '[') + std::string(64, ']') + "}";
  std::string fits =
    "{\"symbol\":\"A\",\"price\":1.5,\"size\":3,\"z\":" + std::string(63, '[') + std::string(63, ']') + "}";
  const auto d = decode(o, g + "\n" + giant + "\n" + deep + "\n" + fits + "\n" + g);
  CHECK(d.rows() == texts{good_row, good_row, good_row});
  REQUIRE(d.reasons() == texts{"oversize@1", "malformed@2"});
  CHECK(d.rejects[0].body.size() == 4096);
  CHECK(d.rejects[0].detail.find("xxh3 ") != std::string::npos);
  CHECK(d.rejects[1].detail.find("deeper than 64") != std::string::npos);
  CHECK(decode(o, "[" + g + "," + giant + "," + g + "]").reasons() == texts{"oversize@1"});
  CHECK(decode(o, giant).reasons() == texts{"oversize@0"});
  o.max_event_bytes = g.size();
  CHECK(decode(o, g + "\n" + g + " \n" + g).reasons() == texts{"oversize@1"});
}

TEST_CASE("event time comes from its field, the arrival or nowhere") {
  auto o = json_options({body_field("ts", data_type::timestamp, true)});
  CHECK(decode(o, "{}").batch.time == std::vector<std::int64_t>{1000});
  o.time = 0;
  CHECK(decode(o, R"({"ts":"1970-01-01T00:00:01Z"})").batch.time == std::vector<std::int64_t>{1'000'000'000});
  CHECK(decode(o, "{}").reasons() == texts{"missing@0"});
  o.fields[0].kept = false;
  const auto d = decode(o, R"({"ts":"1970-01-01T00:00:01Z"})");
  CHECK(d.batch.time == std::vector<std::int64_t>{1'000'000'000});
  CHECK(d.batch.columns.empty());
}

TEST_CASE("the envelope can be read like fields") {
  using codec::field_source;
  auto o = json_options({body_field("a", data_type::int64), envelope_field("f", data_type::string, field_source::file),
                         envelope_field("s", data_type::string, field_source::subject),
                         envelope_field("at", data_type::timestamp, field_source::arrival)});
  auto d = decoder_of(o);
  codec::source_message m;
  m.payload = "{\"a\":1}\n{\"a\":2}";
  m.file = "x.ndjson";
  m.subject = "trades.A";
  m.arrival = 1'000'000'000;
  m.shard = 3;
  d->decode(m);
  m.subject = "trades.B";
  m.payload = "{\"a\":3}";
  d->decode(m);
  const auto out = finish(*d);
  CHECK(out.rows() == texts{R"({"a":1,"f":"x.ndjson","s":"trades.A","at":"1970-01-01T00:00:01.000Z"})",
                            R"({"a":2,"f":"x.ndjson","s":"trades.A","at":"1970-01-01T00:00:01.000Z"})",
                            R"({"a":3,"f":"x.ndjson","s":"trades.B","at":"1970-01-01T00:00:01.000Z"})"});
  CHECK(out.batch.shard == std::vector<std::uint32_t>{3, 3, 3});
}

TEST_CASE("lines of a file have their byte offset as place") {
  auto d = decoder_of(trades());
  codec::source_message m;
  const std::string text = std::string{good} + "\n\n" + good + "\nbad\n";
  m.payload = text;
  m.place = 100;
  d->decode_lines(m);
  const auto out = finish(*d);
  CHECK(out.batch.position == std::vector<std::int64_t>{make_position(100, 0), make_position(137, 0)});
  REQUIRE(out.rejects.size() == 1);
  CHECK(out.rejects[0].position == make_position(173, 0));
  CHECK(out.rejects[0].detail.find("(byte 173)") != std::string::npos);
}

TEST_CASE("specs that cannot be decoded are configuration errors") {
  const auto code = [](const codec::decode_options& o) {
    auto made = codec::make_decoder(o);
    return made ? ec::none : made.error().code;
  };
  auto a = body_field("a", data_type::int64);
  CHECK(code(json_options({a, a})) == ec::config);
  auto empty = a;
  empty.path = {};
  CHECK(code(json_options({empty})) == ec::config);
  empty.path = {"x", ""};
  CHECK(code(json_options({empty})) == ec::config);
  auto unit = a;
  unit.unit = codec::timestamp_unit::seconds;
  CHECK(code(json_options({unit})) == ec::config);
  auto timed = json_options({a});
  timed.time = 0;
  CHECK(code(timed) == ec::config);
  auto pattern = body_field("t", data_type::timestamp);
  pattern.unit = codec::timestamp_unit::pattern;
  CHECK(code(json_options({pattern})) == ec::config);
  pattern.pattern = "%Y-%Q";
  CHECK(code(json_options({pattern})) == ec::config);
  auto attribute = a;
  attribute.source = codec::field_source::attribute;
  CHECK(code(json_options({attribute})) == ec::config);
  CHECK(code(json_options({a})) == ec::none);
}
