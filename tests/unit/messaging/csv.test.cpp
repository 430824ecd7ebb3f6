// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/csv.hpp"
#include "tests/unit/messaging/decoder_support.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

codec::decode_options readings() {
  auto o = json_options({body_field("ts", data_type::timestamp), body_field("value", data_type::float64, true),
                         body_field("note", data_type::string, true)});
  o.format = codec::event_format::csv;
  o.fields[0].unit = codec::timestamp_unit::pattern;
  o.fields[0].pattern = "%Y-%m-%d %H:%M:%S";
  o.time = 0;
  return o;
}

constexpr auto r1 = R"({"ts":"2014-02-14T14:30:00.000Z","value":0.5,"note":null})";

} // namespace

TEST_CASE("a CSV message has its header, and columns go by name") {
  const auto d = decode(readings(), "value,other,ts,note\r\n0.5,x,2014-02-14 14:30:00,\r\n"
                                    ",,2014-02-14 14:35:00,\"a \"\"b\"\",\nc\"\r\n\r\n");
  CHECK(d.rejects.empty());
  CHECK(d.rows() == texts{r1, R"({"ts":"2014-02-14T14:35:00.000Z","value":null,"note":"a \"b\",\nc"})"});
  CHECK(d.batch.position == std::vector<std::int64_t>{make_position(7, 0), make_position(7, 1)});
}

TEST_CASE("an optional column may be missing, a required one rejects the message once") {
  CHECK(decode(readings(), "ts\n2014-02-14 14:30:00").rows() ==
        texts{R"({"ts":"2014-02-14T14:30:00.000Z","value":null,"note":null})"});
  const auto d = decode(readings(), "value,note\n1,a\n2,b\n");
  CHECK(d.batch.rows == 0);
  CHECK(d.reasons() == texts{"missing@0"});
  CHECK(d.rejects[0].detail.find("no column \"ts\"") != std::string::npos);
  CHECK(d.rejects[0].body == "value,note\n1,a\n2,b\n");
}

TEST_CASE("a bad record rejects only itself") {
  const std::string head = "ts,value,note\n";
  const std::string g = "2014-02-14 14:30:00,0.5,\n";
  const std::vector<std::pair<std::string, std::string>> bad{{"2014-02-14 14:30:00,0.5", "malformed"},
                                                             {"2014-02-14 14:30:00,0.5,a,b", "malformed"},
                                                             {"2014-02-14 14:30:00,abc,", "type"},
                                                             {"2014-02-14 14:30:00,nan,", "type"},
                                                             {"2014-02-30 14:30:00,1,", "type"},
                                                             {",1,", "missing"},
                                                             {"2014-02-14 14:30:00,1,\xff", "malformed"},
                                                             {"2014-02-14 14:30:00,1,a\"b", "malformed"},
                                                             {"2014-02-14 14:30:00,1,\"a\"b", "malformed"},
                                                             {"2014-02-14 14:30:00,1,\"a", "malformed"}};
  for (const auto& [record, reason] : bad) {
    INFO(record);
    const auto d = decode(readings(), head + g + record + "\n" + g);
    CHECK(d.rows() == texts{r1, r1});
    CHECK(d.reasons() == texts{reason + "@1"});
    CHECK(d.rejects.at(0).body == record);
    CHECK_FALSE(d.rejects.at(0).is_json);
  }
}

TEST_CASE("a CSV file gives its header once") {
  auto d = decoder_of(readings());
  auto* const sink = dynamic_cast<codec::csv_header_sink*>(d.get());
  REQUIRE(sink != nullptr);
  CHECK_FALSE(sink->set_header("").has_value());
  CHECK_FALSE(sink->set_header("value\n").has_value());
  CHECK_FALSE(sink->set_header("ts,ts\n").has_value());
  CHECK(sink->set_header("\xef\xbb\xbf\"ts\",value\r\n").has_value());
  codec::source_message m;
  m.payload = "2014-02-14 14:30:00,0.5\n2014-02-14 14:30:00,0.5\nx\n";
  m.place = 10;
  d->decode_lines(m);
  const auto out = finish(*d);
  CHECK(out.rows() == texts{r1, r1});
  CHECK(out.batch.position == std::vector<std::int64_t>{make_position(10, 0), make_position(34, 0)});
  REQUIRE(out.rejects.size() == 1);
  CHECK(out.rejects[0].position == make_position(58, 0));
}

TEST_CASE("values of CSV cells are read by type") {
  auto o = json_options({body_field("b", data_type::boolean), body_field("i", data_type::int64),
                         body_field("u", data_type::uint64), body_field("x", data_type::bytes),
                         body_field("d", data_type::duration), body_field("j", data_type::json)});
  o.format = codec::event_format::csv;
  CHECK(decode(o, "b,i,u,x,d,j\nTRUE,-3,4,aGk=,5ms,\"{\"\"a\"\":[1]}\"\n").rows() ==
        texts{R"({"b":true,"i":-3,"u":4,"x":"aGk=","d":"0.005s","j":{"a":[1]}})"});
  CHECK(decode(o, "b,i,u,x,d,j\nTRUE,-3,4,aGk=,5ms,{a}\n").reasons() == texts{"type@0"});
}

TEST_CASE("whole records end at a line end outside of quotes") {
  using codec::whole_csv_records;
  CHECK(whole_csv_records("") == 0);
  CHECK(whole_csv_records("a,b") == 0);
  CHECK(whole_csv_records("a,b\n") == 4);
  CHECK(whole_csv_records("a,b\nc") == 4);
  CHECK(whole_csv_records("a,\"b\nc") == 0);
  CHECK(whole_csv_records("a,\"b\nc\"") == 0);
  CHECK(whole_csv_records("a,\"b\nc\"\nd") == 8);
  CHECK(whole_csv_records("a,\"b\"\"\nc\"\r\nd\n") == 13);
  CHECK(whole_csv_records("a,b\"\nc\n") == 7);
}
