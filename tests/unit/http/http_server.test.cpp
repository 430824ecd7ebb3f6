// SPDX-License-Identifier: Apache-2.0
#include "services/http/http_server.hpp"

#include "tests/unit/http/client.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

using namespace millrace;
using namespace millrace::http;
using namespace millrace::http::testing;

namespace {

bool is_error(const answer& a, const std::string& code) {
  return a.headers.count("content-type") == 1 && a.headers.at("content-type") == "application/json" &&
         a.body.rfind("{\"error\":{\"code\":\"" + code + "\",\"message\":\"", 0) == 0;
}

/// An intake that tells what it was given.
response echo(const request& r) {
  response out;
  out.status = 202;
  out.body = r.content_type + '|' + std::to_string(r.body.size()) + '|' + r.rest;
  for (const auto& [name, value] : r.attributes)
    out.body += '|' + name + '=' + value;
  return out;
}

server_options small() {
  server_options o;
  o.max_body_bytes = 1000;
  o.threads = 4;
  o.io_timeout_seconds = 2;
  return o;
}

struct running {
  explicit running(server_options o = small()) : s{std::move(o)} {
    s.post("/v1/events", echo);
    s.post("/in/*", echo);
    s.get("/throws", [](const request&) -> response { throw std::runtime_error{"secret"}; });
    s.get("/both", [](const request& r) { return response{200, std::string{r.parameter("a").value_or("-")}}; });
    s.post("/both", echo);
    s.post("/full", [](const request&) { return overloaded(3); });
    s.metrics([] { return std::string{"up 1\n"}; }, "text/plain; version=0.0.4");
    s.readiness([this] { return std::string{ready ? "" : "no \"broker\""}; });
    const auto r = s.start();
    if (!r)
      FAIL(to_string(r.error()));
  }
  answer get(const std::string& target, const header_list& headers = {}) {
    return ask(s.port(), "GET", target, headers);
  }

  std::atomic<bool> ready{true};
  server s;
};

} // namespace

TEST_CASE("a free port is found and reported") {
  running r;
  CHECK(r.s.port() != 0);
  CHECK(r.s.address() == "127.0.0.1:" + std::to_string(r.s.port()));
  running other;
  CHECK(other.s.port() != r.s.port());
}

TEST_CASE("a port in use is an error that says so, not a shared port") {
  running r;
  auto o = small();
  o.listen = r.s.address();
  server second{o};
  const auto started = second.start();
  REQUIRE(!started);
  CHECK(started.error().code == ec::io);
  CHECK(started.error().message.find(o.listen) != std::string::npos);
  CHECK(started.error().message.find("in use") != std::string::npos);
}

TEST_CASE("listen addresses are parsed with their errors") {
  CHECK(*parse_listen("0.0.0.0:9090") == std::pair{std::string{"0.0.0.0"}, std::uint16_t{9090}});
  CHECK(*parse_listen(":8080") == std::pair{std::string{"0.0.0.0"}, std::uint16_t{8080}});
  CHECK(*parse_listen("[::1]:0") == std::pair{std::string{"::1"}, std::uint16_t{0}});
  for (const auto* bad : {"", "localhost", "a:", "a:b", "a:65536", "a:-1", "::1:80", "a:8080x"}) {
    INFO(bad);
    REQUIRE(!parse_listen(bad));
    CHECK(parse_listen(bad).error().code == ec::config);
  }
}

TEST_CASE("health is always 200, readiness says why it is not ready") {
  running r;
  CHECK(r.get("/healthz").status == 200);
  CHECK(r.get("/readyz").status == 200);
  r.ready = false;
  const auto no = r.get("/readyz");
  CHECK(no.status == 503);
  CHECK(no.body == "{\"error\":{\"code\":\"not_ready\",\"message\":\"no \\\"broker\\\"\"}}\n");
  CHECK(r.get("/healthz").status == 200);
}

TEST_CASE("metrics come with their content type, and HEAD without a body") {
  running r;
  const auto m = r.get("/metrics");
  CHECK(m.status == 200);
  CHECK(m.body == "up 1\n");
  CHECK(m.headers.at("content-type") == "text/plain; version=0.0.4");
  const auto head = ask(r.s.port(), "HEAD", "/metrics");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
}

TEST_CASE("a posted body reaches the route with content type and CloudEvents headers") {
  running r;
  const auto a = ask(r.s.port(), "POST", "/v1/events",
                     {{"Content-Type", "Application/JSON ; charset=utf-8"}, {"CE-Id", "7"}, {"ce-source", "/x"}}, "{}");
  CHECK(a.status == 202);
  CHECK(a.body == "application/json|2||id=7|source=/x");
  CHECK(ask(r.s.port(), "POST", "/in/some/where", {}, "abc").body == "|3|some/where");
  CHECK(ask(r.s.port(), "POST", "/v1/events").body == "|0|");
  CHECK(r.get("/both?a=1%202&b=3").body == "1 2");
}

TEST_CASE("a form and a multipart body arrive as they were sent") {
  running r;
  for (const std::string type : {"application/x-www-form-urlencoded", "text/plain", "application/x-ndjson"})
    CHECK(ask(r.s.port(), "POST", "/v1/events", {{"Content-Type", type}}, "a=1&b=2").body == type + "|7|");
}

TEST_CASE("a body over the limit is 413, whatever way it is sent") {
  running r;
  const std::string big(1001, 'x');
  const auto plain = ask(r.s.port(), "POST", "/v1/events", {}, big);
  CHECK(plain.status == 413);
  CHECK(is_error(plain, "too_large"));
  CHECK(ask(r.s.port(), "POST", "/v1/events", {}, std::string(1000, 'x')).status == 202);
  connection chunked{r.s.port()};
  chunked.send("POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + big +
               "\r\n0\r\n\r\n");
  CHECK(chunked.receive().status == 413);
  chunked.send(request_text("GET", "/healthz"));
  CHECK(chunked.receive().status == 200);
  connection huge{r.s.port()};
  huge.send("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
  const auto refused = huge.receive();
  CHECK(refused.status == 413);
  CHECK(huge.ended());
}

TEST_CASE("a full log is 429 with the time to wait") {
  running r;
  const auto a = ask(r.s.port(), "POST", "/full", {}, "x");
  CHECK(a.status == 429);
  CHECK(a.headers.at("retry-after") == "3");
  CHECK(is_error(a, "full"));
  CHECK(accepted(12).body == "{\"accepted\":12}\n");
  CHECK(accepted(12).status == 202);
}

TEST_CASE("every refusal has the JSON shape of an error") {
  running r;
  CHECK(is_error(r.get("/nowhere"), "not_found"));
  CHECK(r.get("/nowhere").status == 404);
  CHECK(r.get("/in").status == 404);
  const auto get_of_post = r.get("/v1/events");
  CHECK(get_of_post.status == 405);
  CHECK(get_of_post.headers.at("allow") == "POST");
  CHECK(is_error(get_of_post, "method_not_allowed"));
  for (const std::string method : {"PUT", "DELETE", "PATCH", "OPTIONS", "POST"}) {
    INFO(method);
    const auto a = ask(r.s.port(), method, "/metrics", {}, "body");
    CHECK(a.status == 405);
    CHECK(is_error(a, "method_not_allowed"));
    CHECK(is_error(ask(r.s.port(), method, "/nowhere", {}, "body"), "not_found"));
  }
  const auto thrown = r.get("/throws");
  CHECK(thrown.status == 500);
  CHECK(is_error(thrown, "internal"));
  CHECK(thrown.body.find("secret") == std::string::npos);
  const auto odd = ask(r.s.port(), "FROB", "/metrics");
  CHECK(odd.status == 400);
  CHECK(is_error(odd, "invalid"));
  const auto long_uri = r.get("/" + std::string(9000, 'a'));
  CHECK(long_uri.status == 414);
  CHECK(is_error(long_uri, "invalid"));
}

TEST_CASE("a refused body is never taken for the next request") {
  running r;
  connection c{r.s.port()};
  c.send(request_text("POST", "/nowhere", {}, request_text("GET", "/healthz")));
  CHECK(c.receive().status == 404);
  CHECK(c.ended());
}

TEST_CASE("a kept-alive connection serves far more requests than the library's default") {
  running r;
  connection c{r.s.port()};
  for (int i = 0; i < 50; ++i) {
    REQUIRE(c.send(request_text("POST", "/v1/events", {}, "abc")));
    REQUIRE(c.receive().status == 202);
  }
}

TEST_CASE("with a token everything but health wants it") {
  auto o = small();
  o.token = "s3cret";
  running r{o};
  CHECK(r.get("/healthz").status == 200);
  CHECK(r.get("/readyz").status == 200);
  const auto denied = r.get("/metrics");
  CHECK(denied.status == 401);
  CHECK(denied.headers.at("www-authenticate") == "Bearer");
  CHECK(is_error(denied, "unauthorized"));
  for (const std::string bad :
       {"Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret!", "Basic s3cret", "s3cret", "Bearer s3crets3cret"})
    CHECK(r.get("/metrics", {{"Authorization", bad}}).status == 401);
  CHECK(r.get("/metrics", {{"Authorization", "Bearer s3cret"}}).status == 200);
  CHECK(r.get("/metrics", {{"Authorization", "bearer s3cret"}}).status == 200);
  CHECK(ask(r.s.port(), "POST", "/v1/events", {}, "x").status == 401);
  CHECK(ask(r.s.port(), "POST", "/v1/events", {{"Authorization", "Bearer s3cret"}}, "x").status == 202);
  CHECK(r.get("/nowhere").status == 401);
}

TEST_CASE("requests are served side by side, also while other connections idle") {
  auto o = small();
  o.threads = 16;
  running r{o};
  std::vector<std::unique_ptr<connection>> idle;
  for (int i = 0; i < 8; ++i)
    idle.push_back(std::make_unique<connection>(r.s.port()));
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i)
        if (ask(r.s.port(), "POST", "/v1/events", {}, "x").status == 202)
          ++good;
    });
  for (auto& t : threads)
    t.join();
  CHECK(good == 120);
}

TEST_CASE("stopping is orderly, prompt and may be repeated") {
  running r;
  connection idle{r.s.port()};
  idle.send(request_text("GET", "/healthz"));
  CHECK(idle.receive().status == 200);
  const auto before = std::chrono::steady_clock::now();
  r.s.stop();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds{4});
  r.s.stop();
  server never{small()};
  never.stop();
}

TEST_CASE("errors of the bus and the store become fitting statuses") {
  CHECK(error_response(error{ec::invalid, "m", "h"}).status == 400);
  CHECK(error_response(error{ec::invalid, "m", "h"}).body ==
        "{\"error\":{\"code\":\"invalid\",\"message\":\"m (h)\"}}\n");
  CHECK(error_response(error{ec::full, "m", ""}).status == 429);
  CHECK(error_response(error{ec::full, "m", ""}).headers.front().first == "Retry-After");
  CHECK(error_response(error{ec::unavailable, "m", ""}).status == 503);
  CHECK(error_response(error{ec::too_large, "m", ""}).status == 413);
  CHECK(error_response(error{ec::internal, "m", ""}).status == 500);
}
