// SPDX-License-Identifier: Apache-2.0
#include "services/http/http_client.hpp"

#include <algorithm>
#include <charconv>
#include <exception>
#include <httplib.h>
#include <optional>

namespace millrace::http {

namespace {

struct parts {
  /// `https://host:port`
  std::string server;
  std::string user;
  std::string password;
  /// With the query, from `/` on.
  std::string path;
};

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const auto* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<parts> split(std::string_view url) {
  const auto scheme = url.substr(0, url.find("://"));
  if (scheme != "http" && scheme != "https")
    return std::nullopt;
  auto rest = url.substr(scheme.size() + 3);
  rest = rest.substr(0, rest.find('#'));
  auto host = rest.substr(0, rest.find_first_of("/?"));
  parts out;
  out.path = rest.substr(host.size());
  if (!out.path.starts_with('/'))
    out.path.insert(0, "/");
  if (const auto at = host.rfind('@'); at != std::string_view::npos) {
    const auto user = host.substr(0, at);
    const auto colon = user.find(':');
    out.user = percent_decoded(user.substr(0, colon));
    if (colon != std::string_view::npos)
      out.password = percent_decoded(user.substr(colon + 1));
    host.remove_prefix(at + 1);
  }
  if (host.empty())
    return std::nullopt;
  out.server = std::string{scheme} + "://" + std::string{host};
  return out;
}

result<get_answer> ask(const get_request& r, const parts& to) {
  httplib::Client client{to.server};
  if (!client.is_valid())
    return error{ec::config, "the url's server cannot be used", "e.g. `https://example.com/instruments.csv`"};
  client.set_connection_timeout(r.connect_timeout.count());
  client.set_read_timeout(r.read_timeout.count());
  if (!to.user.empty())
    client.set_basic_auth(to.user, to.password);
  // A condition is no secret.
  const auto is_private = [](const auto& h) { return h.first != "If-None-Match"; };
  client.set_follow_location(to.user.empty() && std::none_of(r.headers.begin(), r.headers.end(), is_private));
  httplib::Headers headers;
  for (const auto& [name, value] : r.headers)
    headers.emplace(name, value);
  get_answer out;
  bool too_large = false;
  const auto answer = client.Get(to.path, headers, [&](const char* data, std::size_t n) {
    too_large = out.body.size() + n > r.max_bytes;
    if (!too_large)
      out.body.append(data, n);
    return !too_large;
  });
  if (too_large)
    return error{ec::too_large, "the answer has more than " + std::to_string(r.max_bytes >> 20) + " MiB", ""};
  if (!answer)
    return error{ec::unavailable, "no answer (" + httplib::to_string(answer.error()) + ")", ""};
  out.status = answer->status;
  out.etag = answer->get_header_value("ETag");
  out.content_type = answer->get_header_value("Content-Type");
  return out;
}

} // namespace

result<get_answer> get(const get_request& r) {
  const auto to = split(r.url);
  if (!to)
    return error{ec::config, "the url cannot be read", "e.g. `https://example.com/instruments.csv`"};
  try {
    return ask(r, *to);
  } catch (const std::exception&) {
    // What is thrown may repeat the url.
    return error{ec::config, "the url cannot be used", "e.g. `https://example.com/instruments.csv`"};
  }
}

} // namespace millrace::http
