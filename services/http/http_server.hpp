// SPDX-License-Identifier: Apache-2.0
/// @file
/// The HTTP server of a service: metrics, health, and the routes the service adds. One place for bearer token, body
/// limit, timeouts and the JSON shape of errors.
#pragma once

#include "messaging/errors.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::http {

struct request {
  std::string method;
  /// Decoded, without the query.
  std::string path;
  /// What a route ending in `*` left open; empty otherwise.
  std::string rest;
  /// Decoded query parameters, sorted by name; a name may occur more than once.
  std::vector<std::pair<std::string, std::string>> parameters;
  /// Without parameters (`; charset=...`), lower case; empty if not given.
  std::string content_type;
  /// The headers `ce-*`, lower case, without the prefix: CloudEvents in binary mode.
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string body;

  /// The first parameter of that name.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// `{"error":{"code":...,"message":...}}`.
response error_response(int status, std::string_view code, std::string_view message);
/// The status that fits the error's code (invalid: 400, not_found: 404, too_large: 413, full: 429 with Retry-After,
/// unavailable and timeout: 503 with Retry-After, unsupported: 501, otherwise 500); message and hint in the body.
response error_response(const error& e);
/// 202 `{"accepted":n}`: events are stored.
response accepted(std::size_t events);
/// 429: the log is full; the sender waits (rule 8.1).
response overloaded(unsigned retry_after_seconds);

/// Called on a thread of the server's pool; several at once. Must not throw; if it does, the answer is 500.
using handler = std::function<response(const request&)>;

struct server_options {
  /// `ADDR:PORT`, `[v6]:PORT` or `:PORT` (every address); port 0 picks a free one.
  std::string listen = "127.0.0.1:0";
  /// Not empty: every path but /healthz and /readyz wants `Authorization: Bearer <token>`.
  std::string token = {};
  /// Longest body, after decompression; beyond: 413.
  std::size_t max_body_bytes = 8 * 1024 * 1024;
  /// A kept-alive connection holds a thread while it is open, so this bounds the connections served at once.
  std::size_t threads = 32;
  /// A peer that sends or takes nothing for so long is dropped.
  unsigned io_timeout_seconds = 10;
};

class server {
public:
  explicit server(server_options options);
  /// *Shutdown*: as `stop`.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Routes; before `start` only. `path` is exact, or a prefix if it ends in `*`; an exact one wins, then the longest
  /// prefix. A GET route answers HEAD as well.
  void get(std::string path, handler h);
  void post(std::string path, handler h);

  /// GET /metrics: `render` gives the text exposition.
  void metrics(std::function<std::string()> render, std::string_view content_type);
  /// GET /readyz: 200 while `reason` gives an empty text, else 503 with the reason. /healthz is always there and
  /// always 200. Without this call /readyz is 200.
  void readiness(std::function<std::string()> reason);

  /// Binds and serves on threads of its own. Errors: ec::config (address), ec::io (port taken, no permission).
  result<void> start();
  /// The bound port; 0 before `start`.
  std::uint16_t port() const noexcept;
  /// Host and bound port for people: `127.0.0.1:8080`.
  std::string address() const;
  /// Takes no new connections, finishes requests in progress and joins the threads; waits up to two seconds for idle
  /// kept-alive connections. Idempotent; not to be called from a handler.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Splits `ADDR:PORT`; an empty address means every one. Errors: ec::config.
result<std::pair<std::string, std::uint16_t>> parse_listen(std::string_view text);

} // namespace millrace::http
