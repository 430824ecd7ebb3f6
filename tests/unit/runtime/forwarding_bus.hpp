// SPDX-License-Identifier: Apache-2.0
/// @file
/// A bus that hands everything on, to be overridden where a test wants to come in between.
#pragma once

#include "messaging/bus.hpp"

namespace millrace::test {

class forwarding_bus : public bus {
public:
  explicit forwarding_bus(bus& to) : to_{to} {}

  result<log_info> ensure_log(const log_spec& s) override { return to_.ensure_log(s); }
  result<log_info> info(std::string_view l) override { return to_.info(l); }
  result<std::string> log_of(std::string_view s) override { return to_.log_of(s); }
  std::vector<result<std::uint64_t>> append(std::span<const append_request> r, std::chrono::milliseconds d) override {
    return to_.append(r, d);
  }
  result<std::optional<message>> tail(std::string_view l, std::string_view s) override { return to_.tail(l, s); }
  result<message> get(std::string_view l, std::uint64_t n) override { return to_.get(l, n); }
  result<std::vector<message>> tails(std::string_view l, std::string_view f) override { return to_.tails(l, f); }
  result<std::unique_ptr<log_reader>> read(std::string_view l, std::uint64_t n, std::string_view f) override {
    return to_.read(l, n, f);
  }
  result<void> trim(std::string_view l, std::string_view s, std::uint64_t n) override { return to_.trim(l, s, n); }
  result<void> purge(std::string_view l, std::uint64_t n) override { return to_.purge(l, n); }
  result<void> drop(std::string_view l, std::string_view s) override { return to_.drop(l, s); }
  result<void> kv_open(std::string_view b, std::chrono::nanoseconds t) override { return to_.kv_open(b, t); }
  result<std::uint64_t> kv_put(std::string_view b, std::string_view k, std::string_view v) override {
    return to_.kv_put(b, k, v);
  }
  result<std::optional<kv_entry>> kv_get(std::string_view b, std::string_view k) override { return to_.kv_get(b, k); }
  result<std::vector<kv_entry>> kv_list(std::string_view b) override { return to_.kv_list(b); }
  result<std::unique_ptr<subscription>> kv_watch(std::string_view b, std::function<void(const kv_entry&)> f) override {
    return to_.kv_watch(b, std::move(f));
  }
  result<void> publish(std::string_view s, std::string_view p, const header_list& h) override {
    return to_.publish(s, p, h);
  }
  result<std::unique_ptr<subscription>> subscribe(std::string_view s, std::function<void(const message&)> f) override {
    return to_.subscribe(s, std::move(f));
  }
  bool connected() override { return to_.connected(); }
  std::uint64_t reconnects() override { return to_.reconnects(); }
  result<void> ping(std::chrono::milliseconds d) override { return to_.ping(d); }

private:
  bus& to_;
};

} // namespace millrace::test
