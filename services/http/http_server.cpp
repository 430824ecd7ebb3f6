// SPDX-License-Identifier: Apache-2.0
#include "services/http/http_server.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <httplib.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

namespace millrace::http {

namespace {

using httplib_request = httplib::Request;
using httplib_response = httplib::Response;

/// Beyond the body limit this much is read and dropped so that the sender sees the answer; then the connection closes.
constexpr std::size_t most_drained = 64 * 1024 * 1024;
/// httplib's default of 5 is a queue that a burst of scrapes and senders overflows.
constexpr int listen_backlog = 256;
/// A kept-alive connection without requests gives its thread back after this.
constexpr int keep_alive_seconds = 2;

/// Reaches the listening socket: httplib hides it, and compiles its backlog in.
class raw_server final : public httplib::Server {
public:
  bool widen_backlog() { return ::listen(svr_sock_, listen_backlog) == 0; }
};

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Takes the same time wherever the texts differ.
bool same_secret(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  return difference == 0;
}

std::string escape_for_regex(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '/' && c != '_' && c != '-')
      out += '\\';
    out += c;
  }
  return out;
}

request make_request(const httplib_request& in) {
  request out;
  out.method = in.method;
  out.path = in.path;
  for (const auto& [name, value] : in.params)
    out.parameters.emplace_back(name, value);
  const auto type = in.get_header_value("Content-Type");
  auto end = type.find(';');
  end = end == std::string::npos ? type.size() : end;
  while (end > 0 && type[end - 1] == ' ')
    --end;
  out.content_type = lower(std::string_view{type}.substr(0, end));
  for (const auto& [name, value] : in.headers)
    if (auto small = lower(name); small.rfind("ce-", 0) == 0)
      out.attributes.emplace_back(small.substr(3), value);
  // The library's order differs from version to version.
  std::sort(out.attributes.begin(), out.attributes.end());
  return out;
}

void fill(httplib_response& out, response r) {
  out.status = r.status;
  for (auto& [name, value] : r.headers)
    out.set_header(name, value);
  out.set_content(r.body, r.content_type);
}

/// Sends `r` and closes the connection, for requests whose body was not read: what follows on the connection is not a
/// request. A provider that reports failure after its last byte is the only way httplib 0.11 offers.
void fill_and_close(httplib_response& out, response r) {
  out.status = r.status;
  for (auto& [name, value] : r.headers)
    out.set_header(name, value);
  out.set_header("Connection", "close");
  auto body = std::make_shared<std::string>(std::move(r.body));
  out.set_content_provider(body->size(), r.content_type,
                           [body](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                             sink.write(body->data() + offset, length);
                             return false;
                           });
}

bool has_body(const httplib_request& r) {
  const auto length = r.get_header_value("Content-Length");
  return (!length.empty() && length != "0") || r.has_header("Transfer-Encoding");
}

} // namespace

struct server::impl {
  struct route {
    std::string path;
    bool prefix = false;
    handler get;
    handler post;
  };

  explicit impl(server_options o) : options{std::move(o)} {}

  route& route_of(std::string path) {
    const bool prefix = !path.empty() && path.back() == '*';
    if (prefix)
      path.pop_back();
    for (auto& r : routes)
      if (r.path == path && r.prefix == prefix)
        return r;
    return routes.emplace_back(route{std::move(path), prefix, {}, {}});
  }

  const route* find(const std::string& path) const {
    const route* best = nullptr;
    for (const auto& r : routes) {
      if (!r.prefix && r.path == path)
        return &r;
      if (r.prefix && path.rfind(r.path, 0) == 0 && (best == nullptr || r.path.size() > best->path.size()))
        best = &r;
    }
    return best;
  }

  bool authorized(const httplib_request& r) const {
    if (options.token.empty() || r.path == "/healthz" || r.path == "/readyz")
      return true;
    const auto header = r.get_header_value("Authorization");
    constexpr std::string_view scheme = "bearer ";
    return header.size() > scheme.size() && lower(std::string_view{header}.substr(0, scheme.size())) == scheme &&
           same_secret(std::string_view{header}.substr(scheme.size()), options.token);
  }

  /// The answer that needs no body, or nothing for a POST that is to be read.
  std::optional<response> answer_early(const httplib_request& in) const {
    if (!authorized(in)) {
      auto r = error_response(401, "unauthorized", "this server wants a bearer token (MILLRACE_HTTP_TOKEN)");
      r.headers.emplace_back("WWW-Authenticate", "Bearer");
      return r;
    }
    const auto* found = find(in.path);
    if (found == nullptr)
      return error_response(404, "not_found", "no such path: " + in.path);
    const bool reads = in.method == "GET" || in.method == "HEAD";
    if (reads && found->get) {
      auto q = make_request(in);
      q.rest = found->prefix ? in.path.substr(found->path.size()) : std::string{};
      return found->get(q);
    }
    if (in.method == "POST" && found->post) {
      // A body that is announced as hopeless is not even drained.
      const auto length = in.get_header_value("Content-Length");
      if (!length.empty() && std::strtoull(length.c_str(), nullptr, 10) > most_drained)
        return too_large();
      return std::nullopt;
    }
    auto r = error_response(405, "method_not_allowed", in.method + " is not offered by " + in.path);
    r.headers.emplace_back("Allow", found->get && found->post ? "GET, HEAD, POST" : found->get ? "GET, HEAD" : "POST");
    return r;
  }

  response too_large() const {
    return error_response(413, "too_large",
                          "the body is longer than " + std::to_string(options.max_body_bytes) +
                            " bytes; send less at once");
  }

  void post(const route& where, const httplib_request& in, httplib_response& out,
            const httplib::ContentReader& read) const {
    auto q = make_request(in);
    q.rest = where.prefix ? in.path.substr(where.path.size()) : std::string{};
    std::size_t seen = 0;
    const bool whole = read([&](const char* data, std::size_t size) {
      seen += size;
      if (seen <= options.max_body_bytes)
        q.body.append(data, size);
      return seen <= most_drained;
    });
    if (seen > options.max_body_bytes)
      return seen > most_drained ? fill_and_close(out, too_large()) : fill(out, too_large());
    if (!whole)
      return fill_and_close(out, error_response(400, "invalid", "the body is incomplete or its encoding is broken"));
    fill(out, where.post(q));
  }

  void install() {
    http.new_task_queue = [n = options.threads] { return new httplib::ThreadPool(n); };
    http.set_keep_alive_max_count(1'000'000);
    http.set_keep_alive_timeout(keep_alive_seconds);
    http.set_read_timeout(options.io_timeout_seconds);
    http.set_write_timeout(options.io_timeout_seconds);
    http.set_payload_max_length(most_drained + 1);
    http.set_tcp_nodelay(true);
    // The default sets SO_REUSEPORT: a second process would take half of the first one's connections.
    http.set_socket_options([](socket_t s) {
      const int yes = 1;
      setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http.set_pre_routing_handler([this](const httplib_request& in, httplib_response& out) {
      auto r = answer_early(in);
      if (!r)
        return httplib::Server::HandlerResponse::Unhandled;
      if (has_body(in))
        fill_and_close(out, std::move(*r));
      else
        fill(out, std::move(*r));
      return httplib::Server::HandlerResponse::Handled;
    });
    for (const auto& r : routes)
      if (r.post)
        http.Post(escape_for_regex(r.path) + (r.prefix ? ".*" : ""),
                  [this, &r](const httplib_request& in, httplib_response& out, const httplib::ContentReader& read) {
                    post(r, in, out, read);
                  });
    // What httplib itself refuses (a bad request line, an overlong URI) and what a handler threw.
    http.set_error_handler(httplib::Server::HandlerWithResponse{[](const httplib_request&, httplib_response& out) {
      if (out.body.empty() && out.content_length_ == 0)
        fill(out,
             error_response(out.status, out.status == 413 ? "too_large" : "invalid", "the request was not understood"));
      return httplib::Server::HandlerResponse::Handled;
    }});
    http.set_exception_handler([](const httplib_request&, httplib_response& out, std::exception_ptr) {
      fill(out, error_response(500, "internal", "the request failed inside the service"));
    });
  }

  server_options options;
  std::vector<route> routes;
  raw_server http;
  std::thread thread;
  std::atomic<bool> ended{false};
  std::string host;
  std::uint16_t port = 0;
};

server::server(server_options options) : impl_{std::make_unique<impl>(std::move(options))} {
  get("/healthz", [](const request&) { return response{200, "{\"status\":\"ok\"}\n"}; });
  readiness([] { return std::string{}; });
}

server::~server() { stop(); }

void server::get(std::string path, handler h) { impl_->route_of(std::move(path)).get = std::move(h); }

void server::post(std::string path, handler h) { impl_->route_of(std::move(path)).post = std::move(h); }

void server::metrics(std::function<std::string()> render, std::string_view content_type) {
  get("/metrics", [render = std::move(render), type = std::string{content_type}](const request&) {
    return response{200, render(), type};
  });
}

void server::readiness(std::function<std::string()> reason) {
  get("/readyz", [reason = std::move(reason)](const request&) {
    const auto why = reason();
    return why.empty() ? response{200, "{\"status\":\"ready\"}\n"} : error_response(503, "not_ready", why);
  });
}

result<void> server::start() {
  auto& s = *impl_;
  auto where = parse_listen(s.options.listen);
  if (!where)
    return std::move(where).error();
  s.host = where->first;
  s.install();
  errno = 0;
  int port = where->second;
  if (port == 0)
    port = s.http.bind_to_any_port(s.host);
  else if (!s.http.bind_to_port(s.host, port))
    port = -1;
  if (port <= 0 || !s.http.widen_backlog()) {
    const int reason = errno;
    return error{ec::io,
                 "http: cannot listen on " + s.options.listen + ": " +
                   (reason != 0 ? std::strerror(reason) : "the address is not one of this machine"),
                 "stop what uses the port, or choose another address"};
  }
  s.port = static_cast<std::uint16_t>(port);
  s.thread = std::thread{[&s] {
    s.http.listen_after_bind();
    s.ended = true;
  }};
  // `stop` does nothing before the loop runs.
  while (!s.http.is_running() && !s.ended)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  return {};
}

std::uint16_t server::port() const noexcept { return impl_->port; }

std::string server::address() const {
  const bool v6 = impl_->host.find(':') != std::string::npos;
  return (v6 ? '[' + impl_->host + ']' : impl_->host) + ':' + std::to_string(impl_->port);
}

void server::stop() {
  if (!impl_->thread.joinable())
    return;
  impl_->http.stop();
  impl_->thread.join();
}

} // namespace millrace::http
