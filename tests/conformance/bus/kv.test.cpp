// SPDX-License-Identifier: Apache-2.0
// What both buses promise about key-value buckets, notifications and readiness.
#include "tests/conformance/bus/harness.hpp"

#include <mutex>

namespace millrace::test {

namespace {

std::string fresh_bucket() {
  static int count = 0;
  return "bucket" + std::to_string(++count);
}

/// What callbacks of other threads have said.
class notes {
public:
  void add(std::string line) {
    const std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return lines_;
  }
  bool reach(std::size_t n) const {
    return eventually([&] { return all().size() >= n; });
  }

private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

} // namespace

TEMPLATE_TEST_CASE("a bucket keeps the last value of every key", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto bucket = fresh_bucket();
  CHECK(code_of(b.kv_get(bucket, "k")) == ec::not_found);
  CHECK(code_of(b.kv_put(bucket, "k", "v")) == ec::not_found);
  CHECK(code_of(b.kv_list(bucket)) == ec::not_found);
  REQUIRE(b.kv_open(bucket, 15s));
  REQUIRE(b.kv_open(bucket, 15s));
  CHECK(b.kv_get(bucket, "k").value() == std::nullopt);
  CHECK(b.kv_list(bucket)->empty());

  const auto first = b.kv_put(bucket, "k", "one");
  const auto second = b.kv_put(bucket, "k", "two");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(*second > *first);
  REQUIRE(b.kv_put(bucket, "a/b.c=1", ""));
  const auto entry = b.kv_get(bucket, "k").value();
  REQUIRE(entry);
  CHECK(entry->key == "k");
  CHECK(entry->value == "two");
  CHECK(entry->revision == *second);
  CHECK_FALSE(entry->deleted);
  const auto all = b.kv_list(bucket);
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK((*all)[0].key == "k");
  CHECK((*all)[1].key == "a/b.c=1");
  CHECK(code_of(b.kv_put(bucket, "a b", "x")) == ec::invalid);
  CHECK(code_of(b.kv_put(bucket, "*", "x")) == ec::invalid);
  CHECK(code_of(b.kv_open("a.b", 0s)) == ec::invalid);
}

TEMPLATE_TEST_CASE("a watch sees what is there and what comes", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto bucket = fresh_bucket();
  REQUIRE(b.kv_open(bucket, 0s));
  REQUIRE(b.kv_put(bucket, "a", "old"));
  REQUIRE(b.kv_put(bucket, "a", "1"));
  REQUIRE(b.kv_put(bucket, "b", "2"));
  notes seen;
  auto watch = b.kv_watch(bucket, [&](const kv_entry& e) { seen.add(e.key + "=" + e.value); });
  REQUIRE(watch);
  CHECK(seen.reach(2));
  REQUIRE(b.kv_put(bucket, "a", "3"));
  CHECK(seen.reach(3));
  CHECK(seen.all() == std::vector<std::string>{"a=1", "b=2", "a=3"});
  watch->reset();
  REQUIRE(b.kv_put(bucket, "a", "4"));
  std::this_thread::sleep_for(20ms);
  CHECK(seen.all().size() == 3);
  CHECK(code_of(b.kv_watch("nobucket", [](const kv_entry&) {})) == ec::not_found);
}

TEMPLATE_TEST_CASE("a published message reaches the subscribers of its subject", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  notes seen;
  auto one = b.subscribe("news.*.up", [&](const message& m) {
    seen.add(m.subject + ":" + m.payload + ":" + std::string{m.header("Kind")});
  });
  REQUIRE(one);
  REQUIRE(b.publish("news.a.up", "1", {{"Kind", "k"}}));
  REQUIRE(b.publish("news.a.down", "2", {}));
  REQUIRE(b.publish("news.b.up", "3", {}));
  CHECK(seen.reach(2));
  CHECK(seen.all() == std::vector<std::string>{"news.a.up:1:k", "news.b.up:3:"});
  one->reset();
  REQUIRE(b.publish("news.a.up", "4", {}));
  std::this_thread::sleep_for(20ms);
  CHECK(seen.all().size() == 2);
  CHECK(code_of(b.publish("news.*", "x", {})) == ec::invalid);
  CHECK(code_of(b.publish("news.a", "x", {{"a", "b\nc"}})) == ec::invalid);
  CHECK(code_of(b.subscribe("a b", [](const message&) {})) == ec::invalid);
}

TEMPLATE_TEST_CASE("a published message is stored where a log covers its subject", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  const auto spec = fresh_log();
  REQUIRE(b.ensure_log(spec));
  REQUIRE(b.publish(spec.name + ".a", "stored", {}));
  CHECK(eventually([&] { return b.info(spec.name)->messages == 1; }));
  CHECK(b.tail(spec.name, spec.name + ".a").value()->payload == "stored");
}

TEMPLATE_TEST_CASE("a subscription may end inside its own callback", "[bus]", on_memory, on_nats) {
  TestType h;
  auto& b = *h.bus;
  notes seen;
  std::unique_ptr<subscription> self;
  std::mutex guard;
  {
    const std::lock_guard lock{guard};
    self = std::move(b.subscribe("once",
                                 [&](const message& m) {
                                   const std::lock_guard inner{guard};
                                   seen.add(m.payload);
                                   self.reset();
                                 }))
             .value();
  }
  REQUIRE(b.publish("once", "1", {}));
  REQUIRE(b.publish("once", "2", {}));
  CHECK(seen.reach(1));
  std::this_thread::sleep_for(20ms);
  CHECK(seen.all() == std::vector<std::string>{"1"});
}

TEMPLATE_TEST_CASE("a bus says that it is ready", "[bus]", on_memory, on_nats) {
  TestType h;
  CHECK(h.bus->connected());
  CHECK(h.bus->reconnects() == 0);
  CHECK(h.bus->ping(2s));
}

} // namespace millrace::test
