// SPDX-License-Identifier: Apache-2.0
// What `millrace doctor` asks a real server.
#include "messaging/inspector.hpp"
#include "tests/conformance/bus/harness.hpp"
#include "tests/support/nats_server.hpp"

#include <fstream>

namespace millrace {

TEST_CASE("versions are told apart by what the rules of the bus need", "[nats]") {
  CHECK(fitness_of("2.9.9") == broker_fitness::too_old);
  CHECK(fitness_of(single_minimum) == broker_fitness::single_replica);
  CHECK(fitness_of("2.10.26") == broker_fitness::single_replica);
  CHECK(fitness_of(replicated_minimum) == broker_fitness::good);
  CHECK(fitness_of("2.12.0-beta") == broker_fitness::good);
  CHECK(fitness_of("") == broker_fitness::unknown);
}

TEST_CASE("a server tells its version, its limits and how a log is set up", "[nats]") {
  test::nats_server server;
  const auto bus = *connect_nats({server.url(), "test", "", "", "", ""});
  auto asked = inspect_nats({server.url(), "test", "", "", "", ""});
  REQUIRE(asked);
  auto& i = **asked;
  const auto broker = i.broker();
  REQUIRE(broker);
  CHECK(broker->url == server.url());
  CHECK(fitness_of(broker->version) != broker_fitness::unknown);
  CHECK(broker->max_payload == 1024 * 1024);
  log_spec spec{"LOG", {"log.>"}, 4'000'000, {}, 1, true};
  auto made = bus->ensure_log(spec);
  for (int n = 0; !made && n < 50; ++n)
    made = bus->ensure_log(spec);
  REQUIRE(made);
  const auto account = i.account();
  REQUIRE(account);
  CHECK(account->streams == 1);
  CHECK_FALSE(account->storage_limit);
  const auto s = i.settings("LOG");
  REQUIRE(s);
  CHECK(s->discard_new);
  CHECK(s->on_disk);
  CHECK(s->by_limits);
  CHECK(s->deny_delete);
  CHECK(s->replicas == 1);
  CHECK(s->max_bytes == 4'000'000U);
  CHECK_FALSE(s->max_messages);
  CHECK_FALSE(s->max_messages_per_subject);
  CHECK(s->max_message_bytes == 1024U * 1024U);
  CHECK(s->max_age.count() == 0);
  CHECK(i.settings("NONE").error().code == ec::not_found);
}

TEST_CASE("rights are probed without leaving anything behind", "[nats]") {
  test::nats_server server;
  {
    auto asked = inspect_nats({server.url(), "test", "", "", "", ""});
    REQUIRE(asked);
    for (const auto* e :
         {"STREAM.CREATE", "STREAM.INFO", "STREAM.NAMES", "STREAM.MSG.GET", "STREAM.PURGE", "CONSUMER.CREATE"})
      CHECK((*asked)->may(e).value());
    CHECK((*asked)->account()->streams == 0);
  }
  server.stop();
  const auto file = server.directory() + "/rights.conf";
  std::ofstream{file} << "authorization { users: [{user: u, password: p, permissions: {publish: {deny: "
                         "[\"$JS.API.STREAM.CREATE.>\"]}}}] }\n";
  test::nats_server strict{{"-c", file}};
  auto asked = inspect_nats({"nats://u:p@127.0.0.1:" + std::to_string(strict.port()), "test", "", "", "", ""});
  REQUIRE(asked);
  const auto create = (*asked)->may("STREAM.CREATE");
  REQUIRE(create);
  CHECK_FALSE(*create);
  CHECK((*asked)->may("STREAM.INFO").value());
  CHECK((*asked)->broker()->url.find("u:p") == std::string::npos);
}

} // namespace millrace
