// SPDX-License-Identifier: Apache-2.0
/// @file
/// The two buses under the one suite. A harness has a `bus` and gives every test names of its own.
#pragma once

#include "messaging/memory/memory_bus.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/nats_server.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace::test {

using namespace std::chrono_literals;

/// One server for all tests of this executable that do not hurt it.
inline nats_server& shared_server() {
  static nats_server server;
  return server;
}

inline std::int64_t wall_clock() {
  // A fixed start and a step: tests look at order only.
  static std::int64_t now = 1'750'000'000'000'000'000;
  return now += 1000;
}

struct on_memory {
  std::shared_ptr<millrace::bus> bus = make_memory_bus({wall_clock, {}, {}, false});
};

struct on_nats {
  std::shared_ptr<millrace::bus> bus = [] {
    nats_options options;
    options.url = shared_server().url();
    return connect_nats(options).value();
  }();
};

/// A log with a name that no other test uses; stores `<name>` and `<name>.>`.
inline log_spec fresh_log(std::uint64_t max_bytes = 64ULL * 1024 * 1024) {
  static int count = 0;
  const auto name = "log" + std::to_string(++count);
  log_spec spec;
  spec.name = name;
  spec.subjects = {name, name + ".>"};
  spec.max_bytes = max_bytes;
  return spec;
}

inline result<std::uint64_t> append(bus& b, const std::string& log, const std::string& subject,
                                    std::string_view payload, expectation expects = expectation::nothing(),
                                    header_list headers = {}) {
  const append_request request{log, subject, payload, std::move(headers), expects};
  auto out = b.append({&request, 1}, 5s);
  return std::move(out.front());
}

inline std::uint64_t must_append(bus& b, const std::string& log, const std::string& subject, std::string_view payload,
                                 expectation expects = expectation::nothing()) {
  auto out = append(b, log, subject, payload, expects);
  INFO((out ? std::string{} : to_string(out.error())));
  REQUIRE(out);
  return *out;
}

/// Reads until `count` messages have come or `limit` has passed; ec::unavailable is waited out.
inline std::vector<message> read_some(log_reader& r, std::size_t count, std::chrono::milliseconds limit = 5s) {
  std::vector<message> out;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (out.size() < count && std::chrono::steady_clock::now() < deadline) {
    auto batch = r.next(count - out.size(), 8 * 1024 * 1024, 200ms);
    if (!batch) {
      INFO(to_string(batch.error()));
      REQUIRE(batch.error().code == ec::unavailable);
      continue;
    }
    for (auto& m : *batch)
      out.push_back(std::move(m));
  }
  return out;
}

inline bool eventually(const std::function<bool()>& fact, std::chrono::milliseconds limit = 5s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

template <class T>
ec code_of(const result<T>& r) {
  return r ? ec::none : r.error().code;
}

} // namespace millrace::test
