// SPDX-License-Identifier: Apache-2.0
#include "services/process/table_sources.hpp"

#include "actors/enrich/table_contents.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "services/http/http_client.hpp"
#include "tests/support/catch.hpp"

#include <condition_variable>
#include <cstdlib>
#include <httplib.h>
#include <mutex>
#include <thread>

using namespace millrace;
using namespace std::chrono_literals;

namespace {

/// A server of one table that knows about ETags.
class table_server {
public:
  table_server() {
    server_.Get("/t.csv", [this](const httplib::Request& in, httplib::Response& out) {
      const std::lock_guard lock{mutex_};
      authorization_ = in.get_header_value("Authorization");
      token_ = in.get_header_value("X-Token");
      const auto tag = '"' + std::to_string(version_) + '"';
      out.set_header("ETag", tag);
      if (in.get_header_value("If-None-Match") == tag) {
        ++unchanged_;
        out.status = 304;
      } else {
        out.set_content(body_, "text/csv");
      }
      wake_.notify_all();
    });
    server_.Get("/large", [](const httplib::Request&, httplib::Response& out) {
      out.set_content(std::string(100'000, 'x'), "text/csv");
    });
    server_.Get("/moved", [](const httplib::Request&, httplib::Response& out) { out.set_redirect("/large"); });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread{[this] { server_.listen_after_bind(); }};
  }
  ~table_server() {
    server_.stop();
    thread_.join();
  }
  void set(std::string body) {
    const std::lock_guard lock{mutex_};
    body_ = std::move(body);
    ++version_;
  }
  std::string url(const std::string& path, const std::string& user = {}) const {
    return "http://" + user + "127.0.0.1:" + std::to_string(port_) + path;
  }
  bool wait_for_unchanged(int n) {
    std::unique_lock lock{mutex_};
    return wake_.wait_for(lock, 5s, [&] { return unchanged_ >= n; });
  }
  std::string token() {
    const std::lock_guard lock{mutex_};
    return token_;
  }
  std::string authorization() {
    const std::lock_guard lock{mutex_};
    return authorization_;
  }

private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string body_ = "symbol,sector\nA,tech\n";
  std::string token_;
  std::string authorization_;
  int version_ = 1;
  int unchanged_ = 0;
};

class received {
public:
  void operator()(runtime::control c) {
    const std::lock_guard lock{mutex_};
    all_.push_back(std::move(c.contents));
    wake_.notify_all();
  }
  std::string wait_for(std::size_t n) {
    std::unique_lock lock{mutex_};
    if (!wake_.wait_for(lock, 5s, [&] { return all_.size() >= n; }))
      return "nothing came";
    return all_[n - 1];
  }

private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> all_;
};

pipeline::definition_ptr definition_of(const std::string& table) {
  auto r = pipeline::load_text("pipeline: p\nevent: {fields: {k: string}}\nenrich:\n  tables:\n    t: " + table +
                                 "\n  steps: [{lookup: {table: t, on: k, add: [sector]}}]\n",
                               "p.yaml");
  for (const auto& f : r.findings)
    UNSCOPED_INFO(pipeline::to_string(f));
  REQUIRE(r.value);
  return r.value;
}

} // namespace

TEST_CASE("a table of an HTTP server comes once, then only when its ETag changes") {
  table_server server;
  const auto d =
    definition_of("{http: {url: '" + server.url("/t.csv") + "', every: 100ms, headers: {X-Token: abc}}, key: symbol}");
  auto sources = process::table_sources(*d, nullptr);
  REQUIRE(sources);
  REQUIRE(sources->size() == 1);
  received got;
  sources->front()->start([&](runtime::control c) { got(std::move(c)); });
  CHECK(got.wait_for(1) == "\"symbol\",\"sector\"\n\"A\",\"tech\"\n");
  CHECK(server.token() == "abc");
  CHECK(server.wait_for_unchanged(2));
  server.set("symbol,sector\nB,food\n");
  CHECK(got.wait_for(2) == "\"symbol\",\"sector\"\n\"B\",\"food\"\n");
  sources->front()->stop();
}

TEST_CASE("a table of a bucket comes through the bus") {
  const auto bus = make_memory_bus();
  auto sources = process::table_sources(*definition_of("{nats_kv: ref, key: symbol}"), bus);
  REQUIRE(sources);
  received got;
  sources->front()->start([&](runtime::control c) { got(std::move(c)); });
  CHECK(got.wait_for(1) == "\"symbol\",\"sector\"\n");
  REQUIRE(bus->kv_put("ref", "A", R"({"sector":"tech"})"));
  CHECK(got.wait_for(2) == "\"symbol\",\"sector\"\n\"A\",\"tech\"\n");
  sources->front()->stop();
}

TEST_CASE("a url comes from the environment, and its absence is said without it") {
  const auto d = definition_of("{http: {url_env: MILLRACE_TEST_TABLE_URL}, key: symbol}");
  ::unsetenv("MILLRACE_TEST_TABLE_URL");
  const auto none = process::table_sources(*d, nullptr);
  REQUIRE(!none);
  CHECK(none.error().code == ec::config);
  CHECK(none.error().message == "table `t`: the variable MILLRACE_TEST_TABLE_URL of `url_env` is not set");
  ::setenv("MILLRACE_TEST_TABLE_URL", "http://127.0.0.1:1/x", 1);
  CHECK(process::table_sources(*d, nullptr));
  ::unsetenv("MILLRACE_TEST_TABLE_URL");
}

TEST_CASE("a GET says what went wrong and never repeats its url") {
  table_server server;
  const auto ask = [](std::string url, std::size_t max = 1000) { return http::get({std::move(url), {}, max}); };
  const auto good = ask(server.url("/t.csv", "me:p%40ss@"));
  REQUIRE(good);
  CHECK(good->status == 200);
  CHECK(good->etag == "\"1\"");
  CHECK(good->content_type == "text/csv");
  CHECK(good->body == "symbol,sector\nA,tech\n");
  CHECK(server.authorization() == "Basic bWU6cEBzcw==");
  CHECK(ask(server.url("/nowhere"))->status == 404);
  CHECK(ask(server.url("/large")).error().code == ec::too_large);
  CHECK(ask(server.url("/moved"), 200'000)->body.size() == 100'000);
  // A redirect gets neither password nor headers, so it is not followed with them.
  CHECK(ask(server.url("/moved", "me:secret@"))->status == 302);
  // The condition is no secret: with it the table behind a redirect is read again.
  CHECK(http::get({server.url("/moved"), {{"If-None-Match", "\"0\""}}, 200'000})->status == 200);
  CHECK(http::get({server.url("/moved"), {{"X-Token", "abc"}}, 200'000})->status == 302);
  for (const auto* url :
       {"http://u:secret@127.0.0.1:1/x", "http://u:secret@/x", "http://u:secret@h:port/", "secret://x"}) {
    const auto r = ask(url);
    REQUIRE(!r);
    CHECK(to_string(r.error()).find("secret") == std::string::npos);
  }
}
