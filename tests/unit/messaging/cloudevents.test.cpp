// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/messaging/decoder_support.hpp"

#include <utility>

using namespace millrace;
using namespace millrace::test;

namespace {

codec::decode_options cloud() {
  auto id = envelope_field("id", data_type::string, codec::field_source::attribute);
  id.path = {"id"};
  auto o = json_options({body_field("price", data_type::float64), id});
  o.format = codec::event_format::cloudevents;
  o.time_from_attribute = true;
  return o;
}

constexpr auto event =
  R"({"specversion":"1.0","type":"t","source":"s","id":"e1","time":"1970-01-01T00:00:02Z","data":{"price":1.5,"id":"x"}})";

} // namespace

TEST_CASE("structured CloudEvents carry fields in data and attributes around it") {
  const auto d = decode(cloud(), event);
  CHECK(d.rows() == texts{R"({"price":1.5,"id":"e1"})"});
  CHECK(d.batch.time == std::vector<std::int64_t>{2'000'000'000});
  CHECK(decode(cloud(), "[" + std::string{event} + "," + event + "]").batch.rows == 2);
  CHECK(decode(cloud(), std::string{event} + "\n" + event).batch.rows == 2);
}

TEST_CASE("a CloudEvent without what is needed is rejected by name") {
  const auto none = decode(cloud(), R"({"id":"e","time":"1970-01-01T00:00:02Z"})");
  REQUIRE(none.reasons() == texts{"missing@0"});
  CHECK(none.rejects[0].detail.starts_with("field \"price\" is missing"));
  const auto text = decode(cloud(), R"({"id":"e","time":"1970-01-01T00:00:02Z","data":"text"})");
  CHECK(text.reasons() == texts{"type@0"});
  const auto untimed = decode(cloud(), R"({"id":"e","data":{"price":1}})");
  REQUIRE(untimed.reasons() == texts{"missing@0"});
  CHECK(untimed.rejects[0].detail.starts_with("attribute \"time\" is missing"));
}

TEST_CASE("binary CloudEvents carry attributes in headers and the fields in the body") {
  auto d = decoder_of(cloud());
  std::vector<std::pair<std::string, std::string>> headers{{"Id", "e9"}, {"time", "1970-01-01T00:00:03Z"}};
  codec::source_message m;
  m.payload = R"({"price":2})";
  m.attributes = &headers;
  d->decode(m);
  headers[1].second = "noon";
  d->decode(m);
  headers.pop_back();
  d->decode(m);
  // No attributes: structured again.
  headers.clear();
  m.payload = event;
  d->decode(m);
  const auto out = finish(*d);
  CHECK(out.rows() == texts{R"({"price":2.0,"id":"e9"})", R"({"price":1.5,"id":"e1"})"});
  CHECK(out.batch.time == std::vector<std::int64_t>{3'000'000'000, 2'000'000'000});
  CHECK(out.reasons() == texts{"type@0", "missing@0"});
}
