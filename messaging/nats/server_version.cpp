// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/server_version.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <netdb.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace millrace::nats {

namespace {

constexpr version replication_minimum{2, 10, 27};

/// The server's first line, `INFO {...}`: it comes in clear before anything is asked, also with TLS.
std::string first_line(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0)
    return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned{found, &freeaddrinfo};
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol);
  if (fd < 0)
    return {};
  const timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::string line;
  if (connect(fd, found->ai_addr, found->ai_addrlen) == 0) {
    char buffer[4096];
    while (line.find('\n') == std::string::npos && line.size() < 64 * 1024) {
      const auto n = recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0)
        break;
      line.append(buffer, static_cast<std::size_t>(n));
    }
  }
  close(fd);
  return line.substr(0, line.find('\n'));
}

} // namespace

std::optional<std::string> server_version(const connection& link) {
  char url[512] = {};
  if (natsConnection_GetConnectedUrl(link.raw(), url, sizeof url) != NATS_OK)
    return std::nullopt;
  std::string address = without_user_info(url);
  if (const auto scheme = address.find("://"); scheme != std::string::npos)
    address.erase(0, scheme + 3);
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return std::nullopt;
  auto host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  const auto line = first_line(host, address.substr(colon + 1));
  if (!line.starts_with("INFO "))
    return std::nullopt;
  const auto info = nlohmann::json::parse(line.begin() + 5, line.end(), nullptr, false);
  if (!info.is_object() || !info.contains("version") || !info["version"].is_string())
    return std::nullopt;
  return info["version"].get<std::string>();
}

std::optional<version> parse_version(std::string_view text) {
  version out{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.'))
      return std::nullopt;
    const auto [stop, failure] = std::from_chars(at, end, out[i]);
    if (failure != std::errc{})
      return std::nullopt;
    at = stop;
  }
  return out;
}

result<void> check_replication(const connection& link) {
  if (!link.connected())
    return link.away("replicated log");
  const auto text = server_version(link);
  const auto found = text ? parse_version(*text) : std::nullopt;
  if (!found)
    return error{ec::unavailable, "replicated log: the server does not tell its version", {}};
  if (*found < replication_minimum)
    return error{ec::config, "replicated logs need nats-server 2.10.27 or newer, this is " + *text,
                 "upgrade the servers, or set replicas to 1 (for development)"};
  return {};
}

} // namespace millrace::nats
