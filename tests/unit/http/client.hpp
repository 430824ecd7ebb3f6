// SPDX-License-Identifier: Apache-2.0
/// @file
/// A plain-socket HTTP client: the tests see the very bytes, and may send what no library would.
#pragma once

#include "tests/support/catch.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace millrace::http::testing {

struct answer {
  int status = 0;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

class connection {
public:
  explicit connection(std::uint16_t port) : fd_{socket(AF_INET, SOCK_STREAM, 0)} {
    REQUIRE(fd_ >= 0);
    const timeval limit{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~connection() { close(fd_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// False when the peer has closed.
  bool send(const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (n <= 0)
        return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }

  /// One answer; status 0 when the connection ended first.
  answer receive(bool head = false) {
    answer out;
    std::string line;
    if (!read_line(line) || line.rfind("HTTP/1.1 ", 0) != 0)
      return out;
    out.status = std::atoi(line.c_str() + 9);
    while (read_line(line) && !line.empty()) {
      const auto colon = line.find(':');
      auto name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      out.headers[name] = line.substr(colon + 2);
    }
    const auto length = out.headers.find("content-length");
    const std::size_t size = length == out.headers.end() || head ? 0 : std::stoul(length->second);
    while (buffer_.size() < size && fill()) {
    }
    out.body = buffer_.substr(0, size);
    buffer_.erase(0, out.body.size());
    return out;
  }

  /// True once the peer has closed and nothing is left to read.
  bool ended() { return buffer_.empty() && !fill(); }

private:
  bool fill() {
    char bytes[4096];
    const auto n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0)
      return false;
    buffer_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  bool read_line(std::string& line) {
    for (;;) {
      if (const auto end = buffer_.find("\r\n"); end != std::string::npos) {
        line = buffer_.substr(0, end);
        buffer_.erase(0, end + 2);
        return true;
      }
      if (!fill())
        return false;
    }
  }

  int fd_;
  std::string buffer_;
};

using header_list = std::vector<std::pair<std::string, std::string>>;

inline std::string request_text(const std::string& method, const std::string& target, const header_list& headers = {},
                                const std::string& body = {}) {
  std::string out = method + ' ' + target + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [name, value] : headers)
    out += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST")
    out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + body;
}

inline answer ask(std::uint16_t port, const std::string& method, const std::string& target, header_list headers = {},
                  const std::string& body = {}) {
  // Closed at once, or the server waits for the next request when it stops.
  headers.emplace_back("Connection", "close");
  connection c{port};
  c.send(request_text(method, target, headers, body));
  return c.receive(method == "HEAD");
}

} // namespace millrace::http::testing
