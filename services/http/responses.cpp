// SPDX-License-Identifier: Apache-2.0
// The JSON answers every route shares, and the small parsers of requests.
#include "messaging/codec/json_writer.hpp"
#include "services/http/http_server.hpp"

#include <algorithm>
#include <charconv>

namespace millrace::http {

namespace {

constexpr unsigned retry_seconds = 1;

int status_of(ec code) {
  switch (code) {
  case ec::invalid:
  case ec::config: return 400;
  case ec::not_found: return 404;
  case ec::conflict: return 409;
  case ec::too_large: return 413;
  case ec::full: return 429;
  case ec::unavailable:
  case ec::timeout:
  case ec::fenced: return 503;
  case ec::unsupported: return 501;
  default: return 500;
  }
}

} // namespace

std::optional<std::string_view> request::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.first == name; });
  if (found == parameters.end())
    return std::nullopt;
  return found->second;
}

response error_response(int status, std::string_view code, std::string_view message) {
  response r;
  r.status = status;
  r.body = R"({"error":{"code":)";
  codec::append_string(r.body, code);
  r.body += R"(,"message":)";
  codec::append_string(r.body, message);
  r.body += "}}\n";
  return r;
}

response error_response(const error& e) {
  auto message = e.message;
  if (!e.hint.empty())
    message += " (" + e.hint + ')';
  auto r = error_response(status_of(e.code), to_string(e.code), message);
  if (r.status == 429 || r.status == 503)
    r.headers.emplace_back("Retry-After", std::to_string(retry_seconds));
  return r;
}

response accepted(std::size_t events) {
  response r;
  r.status = 202;
  r.body = R"({"accepted":)" + std::to_string(events) + "}\n";
  return r;
}

response overloaded(unsigned retry_after_seconds) {
  auto r = error_response(429, "full", "the log is full; nothing of this request was stored; send it again later");
  r.headers.emplace_back("Retry-After", std::to_string(retry_after_seconds));
  return r;
}

result<std::pair<std::string, std::uint16_t>> parse_listen(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return error{ec::config, "http address \"" + std::string{text} + "\": " + std::string{why},
                 "write ADDR:PORT, for example 127.0.0.1:8080 or [::1]:8080"};
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return bad("no port");
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || failure != std::errc{} || end != digits.data() + digits.size())
    return bad("the port is not a number up to 65535");
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return bad("an IPv6 address stands in brackets");
  return std::pair{host.empty() ? std::string{"0.0.0.0"} : std::string{host}, port};
}

} // namespace millrace::http
