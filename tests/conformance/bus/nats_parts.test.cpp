// SPDX-License-Identifier: Apache-2.0
// The small decoders of the NATS adapter.
#include "messaging/nats/appender.hpp"
#include "messaging/nats/server_version.hpp"
#include "messaging/nats/stored_message.hpp"
#include "tests/conformance/bus/harness.hpp"

namespace millrace::nats {

TEST_CASE("delivery subjects of old and new servers are read", "[nats]") {
  delivery d;
  REQUIRE(parse_delivery("$JS.ACK.LOG.cons.1.42.7.1750000000000000001.3", d));
  CHECK(d.consumer == "cons");
  CHECK(d.stream_sequence == 42);
  CHECK(d.consumer_sequence == 7);
  CHECK(d.stamp == 1'750'000'000'000'000'001);
  CHECK(d.pending == 3);
  REQUIRE(parse_delivery("$JS.ACK._.hash.LOG.cons.1.43.8.5.0", d));
  CHECK(d.stream_sequence == 43);
  REQUIRE(parse_delivery("$JS.ACK._.hash.LOG.cons.1.44.9.5.0.random", d));
  CHECK(d.stream_sequence == 44);
  CHECK(d.consumer == "cons");
  for (const auto* bad : {"", "inbox", "$JS.ACK.", "$JS.ACK.LOG.cons.1.42.7.5", "$JS.ACK.LOG.cons.1.x.7.5.3",
                          "$JS.ACK.a.LOG.cons.1.42.7.5.3"})
    CHECK_FALSE(parse_delivery(bad, d));
}

TEST_CASE("acknowledgements are told from everything that looks like one", "[nats]") {
  CHECK(parse_ack(R"({"stream":"L","seq":12})", "x").value() == 12);
  CHECK(parse_ack(R"({"stream":"L","seq":12,"duplicate":true})", "x").value() == 12);
  CHECK(parse_ack(R"({"stream":"L","seq":0,"duplicate":true})", "x").error().code == ec::unavailable);
  const auto code = [](int err_code) {
    return parse_ack(R"({"error":{"code":400,"err_code":)" + std::to_string(err_code) +
                       R"(,"description":"d"},"stream":"L","seq":0})",
                     "x")
      .error()
      .code;
  };
  CHECK(code(10071) == ec::conflict);
  CHECK(code(10164) == ec::conflict);
  CHECK(code(10077) == ec::full);
  CHECK(code(10023) == ec::full);
  CHECK(code(10047) == ec::full);
  CHECK(code(10054) == ec::too_large);
  CHECK(code(10060) == ec::config);
  CHECK(code(10008) == ec::unavailable);
  CHECK(code(1) == ec::internal);
  for (const auto* bad : {"", "{", "[]", "12", R"({"seq":"12"})", R"({"seq":-1})", R"({"stream":"L"})"})
    CHECK(parse_ack(bad, "x").error().code == ec::internal);
  CHECK(parse_ack(R"({"error":7})", "x").error().code == ec::internal);
}

TEST_CASE("base64 and times of stored messages are read exactly", "[nats]") {
  CHECK(from_base64("").value().empty());
  CHECK(from_base64("AA==").value() == std::string(1, '\0'));
  CHECK(from_base64("Zm9vYmE=").value() == "fooba");
  CHECK(from_base64("Zm9vYmFy").value() == "foobar");
  CHECK(from_base64("/+8=").value() == "\xff\xef");
  CHECK_FALSE(from_base64("abc"));
  CHECK_FALSE(from_base64("a b="));
  CHECK(from_rfc3339("1970-01-01T00:00:00Z").value() == 0);
  CHECK(from_rfc3339("2026-11-20T13:00:00.123456789Z").value() == 1'795'179'600'123'456'789);
  CHECK(from_rfc3339("2026-11-20T13:00:00.5Z").value() == 1'795'179'600'500'000'000);
  for (const auto* bad : {"", "2026-11-20", "2026-13-20T13:00:00Z", "2026-11-20T13:00:00", "2026-11-20T13:00:00.1x3Z"})
    CHECK_FALSE(from_rfc3339(bad));
}

TEST_CASE("header blocks are read line by line", "[nats]") {
  const auto headers = parse_headers("NATS/1.0\r\nb: 2\r\na: x: y\r\nempty:\r\n\r\n");
  CHECK(headers == header_list{{"a", "x: y"}, {"b", "2"}, {"empty", ""}});
  CHECK(parse_headers("").empty());
}

TEST_CASE("server versions are compared as numbers", "[nats]") {
  CHECK(parse_version("2.10.27").value() == version{2, 10, 27});
  CHECK(parse_version("2.10.27-beta.1").value() == version{2, 10, 27});
  CHECK(parse_version("2.9.10").value() < parse_version("2.10.27").value());
  CHECK_FALSE(parse_version("2.10"));
  CHECK_FALSE(parse_version("v2.10.1"));
}

TEST_CASE("nobody sees user names, passwords or tokens of a URL", "[nats]") {
  CHECK(without_user_info("nats://me:secret@host:4222") == "nats://host:4222");
  CHECK(without_user_info("nats://token@host:4222, tls://a:p@ss@b:1") == "nats://host:4222,tls://b:1");
  CHECK(without_user_info("host:4222") == "host:4222");
  CHECK(without_user_info("me:secret@host") == "host");
}

} // namespace millrace::nats
