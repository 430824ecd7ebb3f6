// SPDX-License-Identifier: Apache-2.0
// What only a real broker can do to us: go away, come back, forget a consumer, stop answering.
#include "tests/conformance/bus/harness.hpp"

#include <atomic>

namespace millrace::test {

namespace {

std::shared_ptr<bus> connect_to(const std::string& url) {
  nats_options options;
  options.url = url;
  return connect_nats(options).value();
}

/// Appends 1, 2, 3, ... fenced by the subject, resolving every unknown outcome by the tail (rule 2.4), until stopped.
class resolving_writer {
public:
  resolving_writer(std::shared_ptr<bus> b, std::string log)
    : bus_{std::move(b)}, log_{std::move(log)}, thread_{[this] { run(); }} {}
  ~resolving_writer() { stop(); }
  std::size_t stop() {
    stopping_ = true;
    if (thread_.joinable())
      thread_.join();
    return count_;
  }
  std::size_t count() const { return count_; }
  std::size_t ambiguous() const { return ambiguous_; }
  bool fenced() const { return fenced_; }

private:
  void run() {
    std::uint64_t last = 0;
    while (!stopping_ && !fenced_) {
      const auto payload = std::to_string(count_ + 1);
      auto outcome = append(*bus_, log_, log_, payload, expectation::of_subject(last));
      if (!outcome)
        outcome = resolve(last, payload);
      if (outcome) {
        last = *outcome;
        ++count_;
      }
    }
  }

  result<std::uint64_t> resolve(std::uint64_t last, const std::string& payload) {
    ++ambiguous_;
    while (!stopping_) {
      const auto tail = bus_->tail(log_, log_);
      if (!tail) {
        std::this_thread::sleep_for(10ms);
        continue;
      }
      const auto stands = *tail ? (*tail)->sequence : 0;
      if (stands == last)
        break; // Not stored: send again.
      if ((*tail)->payload == payload)
        return stands;
      fenced_ = true;
      break;
    }
    return error{ec::timeout, "not stored", {}};
  }

  std::shared_ptr<bus> bus_;
  std::string log_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::size_t> ambiguous_{0};
  std::atomic<bool> fenced_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

void check_counts(const std::vector<message>& read) {
  for (std::size_t i = 0; i < read.size(); ++i)
    REQUIRE(read[i].payload == std::to_string(i + 1));
}

} // namespace

TEST_CASE("without a broker everything answers unavailable within its deadline", "[bus][nats]") {
  const auto url = "nats://user:secret@127.0.0.1:" + std::to_string(nats_server::free_port());
  const auto start = std::chrono::steady_clock::now();
  const auto b = connect_to(url);
  CHECK_FALSE(b->connected());
  CHECK(code_of(append(*b, "l", "l", "x")) == ec::unavailable);
  CHECK(code_of(b->info("l")) == ec::unavailable);
  CHECK(code_of(b->tail("l", "l")) == ec::unavailable);
  CHECK(code_of(b->read("l", 1)) == ec::unavailable);
  CHECK(code_of(b->ensure_log(fresh_log())) == ec::unavailable);
  CHECK(code_of(b->kv_open("k", 0s)) == ec::unavailable);
  CHECK(code_of(b->publish("a", "x", {})) == ec::unavailable);
  const auto ping = b->ping(200ms);
  REQUIRE(code_of(ping) == ec::unavailable);
  CHECK(ping.error().message.find("127.0.0.1") != std::string::npos);
  CHECK(ping.error().message.find("secret") == std::string::npos);
  CHECK(std::chrono::steady_clock::now() - start < 4s);
}

TEST_CASE("a bus opened before its broker connects when it comes", "[bus][nats]") {
  const auto port = nats_server::free_port();
  const auto b = connect_to("nats://127.0.0.1:" + std::to_string(port));
  std::atomic<int> heard{0};
  const auto sub = b->subscribe("hello", [&](const message&) { ++heard; });
  REQUIRE(sub);
  CHECK_FALSE(b->connected());
  const nats_server server{{}, port};
  REQUIRE(eventually([&] { return b->connected() && b->ping(1s); }));
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  CHECK(must_append(*b, spec.name, spec.name, "x") == 1);
  REQUIRE(b->publish("hello", "x", {}));
  CHECK(eventually([&] { return heard == 1; }));
}

TEST_CASE("unusable options are configuration errors", "[bus][nats]") {
  nats_options options;
  options.url = "";
  CHECK(code_of(connect_nats(options)) == ec::config);
  options.url = "nats://127.0.0.1:1";
  options.credentials_file = "/nonexistent/file.creds";
  CHECK(code_of(connect_nats(options)) == ec::config);
  options.credentials_file.clear();
  options.tls_ca = "/nonexistent/ca.pem";
  CHECK(code_of(connect_nats(options)) == ec::config);
}

TEST_CASE("refused credentials are told in the error", "[bus][nats]") {
  const nats_server server{{"--user", "me", "--pass", "right"}};
  const auto host = server.url().substr(std::string{"nats://"}.size());
  const auto good = connect_to("nats://me:right@" + host);
  CHECK(good->ping(2s));
  const auto bad = connect_nats({"nats://me:wrong@" + host, "test", {}, {}, {}, {}});
  const auto e = bad ? (*bad)->ping(500ms).error() : bad.error();
  INFO(to_string(e));
  CHECK(e.message.find("wrong") == std::string::npos);
  CHECK(e.message.find(std::to_string(server.port())) != std::string::npos);
}

TEST_CASE("replicated logs are refused on servers that do not fence them", "[bus][nats]") {
  on_nats h;
  auto spec = fresh_log();
  spec.replicas = 3;
  const auto made = h.bus->ensure_log(spec);
  REQUIRE_FALSE(made);
  // Newer servers get as far as noticing that they are alone.
  CHECK(made.error().code != ec::none);
}

TEST_CASE("readers and fenced writers go on across a broker that is killed and comes back", "[bus][nats]") {
  nats_server server;
  const auto b = connect_to(server.url());
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  const auto reader = b->read(spec.name, 1);
  REQUIRE(reader);
  resolving_writer writer{b, spec.name};
  std::vector<message> seen;
  const auto read_until = [&](std::size_t count) {
    for (auto& m : read_some(**reader, count > seen.size() ? count - seen.size() : 1, 6s))
      seen.push_back(std::move(m));
    REQUIRE(seen.size() >= count);
  };
  read_until(50);
  for (const bool hard : {true, false}) {
    const auto before = writer.count();
    if (hard)
      server.kill();
    else
      server.stop();
    const auto away = (*reader)->next(100'000, 1 << 26, 50ms);
    if (away)
      seen.insert(seen.end(), away->begin(), away->end());
    CHECK(eventually([&] { return !b->connected(); }));
    CHECK(code_of(b->ping(100ms)) == ec::unavailable);
    server.start();
    REQUIRE(eventually([&] { return writer.count() > before + 50; }));
    read_until(before + 50);
  }
  const auto written = writer.stop();
  CHECK_FALSE(writer.fenced());
  CHECK(b->reconnects() >= 2);
  read_until(written);
  CHECK(seen.size() == b->info(spec.name)->messages);
  check_counts(seen);
}

TEST_CASE("an append to a broker that stops answering times out, and resolves afterwards", "[bus][nats]") {
  nats_server server;
  const auto b = connect_to(server.url());
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  const auto first = must_append(*b, spec.name, spec.name, "1");
  server.pause();
  const append_request request{spec.name, spec.name, "2", {}, expectation::of_subject(first)};
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = b->append({&request, 1}, 200ms);
  CHECK(code_of(outcome.front()) == ec::timeout);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  CHECK_FALSE(b->ping(100ms));
  server.resume();
  // It was on its way all the time: the same bytes sent again are refused, the tail tells why.
  CHECK(code_of(append(*b, spec.name, spec.name, "2", expectation::of_subject(first))) == ec::conflict);
  CHECK(b->tail(spec.name, spec.name).value()->payload == "2");
  CHECK(b->info(spec.name)->messages == 2);
}

TEST_CASE("a reader survives pulls that expire and servers that fall silent", "[bus][nats]") {
  nats_server server;
  const auto b = connect_to(server.url());
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  const auto reader = b->read(spec.name, 1);
  REQUIRE(reader);
  must_append(*b, spec.name, spec.name, "1");
  CHECK(read_some(**reader, 1).size() == 1);
  // Longer than a pull lives (5 s).
  CHECK((*reader)->next(1, 1, 5500ms)->empty());
  CHECK((*reader)->at_end());
  must_append(*b, spec.name, spec.name, "2");
  CHECK(read_some(**reader, 1).size() == 1);
  // Longer than silence is borne (3 s), shorter than the connection is (ping 5 s × 2).
  server.pause();
  const auto silent = (*reader)->next(1, 1, 3500ms);
  CHECK((!silent || silent->empty()));
  server.resume();
  must_append(*b, spec.name, spec.name, "3");
  const auto rest = read_some(**reader, 1);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].payload == "3");
}

TEST_CASE("competing writers never overwrite or double each other's appends", "[bus][nats]") {
  on_nats h;
  const auto spec = fresh_log();
  REQUIRE(h.bus->ensure_log(spec));
  constexpr int each = 60;
  std::atomic<int> conflicts{0};
  const auto contend = [&](const std::string& who) {
    const on_nats own;
    for (int done = 0; done < each;) {
      const auto tail = own.bus->tail(spec.name, spec.name);
      if (!tail)
        continue;
      const auto sequence = *tail ? (*tail)->sequence : 0;
      const auto previous = *tail ? (*tail)->payload : std::string{"start"};
      const auto outcome = append(*own.bus, spec.name, spec.name,
                                  who + std::to_string(done) + " after " + previous.substr(0, previous.find(' ')),
                                  expectation::of_subject(sequence));
      if (outcome)
        ++done;
      else if (outcome.error().code == ec::conflict)
        ++conflicts;
    }
  };
  std::thread a{contend, "a"};
  std::thread c{contend, "c"};
  a.join();
  c.join();
  const auto reader = h.bus->read(spec.name, 1);
  REQUIRE(reader);
  const auto all = read_some(**reader, 2 * each);
  REQUIRE(all.size() == 2 * each);
  CHECK(h.bus->info(spec.name)->messages == 2 * each);
  // Every message names the one before it: nothing came between a look and its append.
  std::string previous = "start";
  for (const auto& m : all) {
    CHECK(m.payload.substr(m.payload.rfind(' ') + 1) == previous);
    previous = m.payload.substr(0, m.payload.find(' '));
  }
}

TEST_CASE("a watch goes on after the broker's restart", "[bus][nats]") {
  nats_server server;
  const auto b = connect_to(server.url());
  REQUIRE(b->kv_open("members", 0s));
  std::atomic<int> last{0};
  const auto watch = b->kv_watch("members", [&](const kv_entry& e) { last = std::stoi(e.value); });
  REQUIRE(watch);
  REQUIRE(b->kv_put("members", "a", "1"));
  CHECK(eventually([&] { return last == 1; }));
  server.kill();
  server.start();
  REQUIRE(eventually([&] { return b->kv_put("members", "a", "2").has_value(); }));
  CHECK(eventually([&] { return last == 2; }));
}

TEST_CASE("a reader reports a broker that lost what was already read", "[bus][nats]") {
  auto server = std::make_unique<nats_server>();
  const auto port = server->port();
  const auto b = connect_to(server->url());
  const auto spec = fresh_log();
  REQUIRE(b->ensure_log(spec));
  for (int i = 0; i < 3; ++i)
    must_append(*b, spec.name, spec.name, "x");
  const auto reader = b->read(spec.name, 1);
  REQUIRE(reader);
  CHECK(read_some(**reader, 3).size() == 3);
  server.reset();
  server = std::make_unique<nats_server>(std::vector<std::string>{}, port);
  REQUIRE(eventually([&] { return b->ensure_log(spec).has_value(); }));
  ec code = ec::none;
  CHECK(eventually([&] { return (code = code_of((*reader)->next(1, 1, 100ms))) == ec::gap; }));
  CHECK(code == ec::gap);
}

} // namespace millrace::test
