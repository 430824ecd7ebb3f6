// SPDX-License-Identifier: Apache-2.0
#include "services/ingest/intake.hpp"

#include "actors/runtime/append.hpp"
#include "messaging/codec/decoder.hpp"

#include <atomic>

namespace millrace::services {

namespace {

/// Below the broker's `max_payload` of 1 MiB, headers included.
constexpr std::size_t max_message = 900 * 1000;
constexpr std::chrono::milliseconds deadline{5000};
constexpr unsigned retry_after_seconds = 1;

/// NDJSON cut at line ends into messages of at most `max_message` bytes. Empty when it cannot be cut: a line that is
/// longer, or a body that is not one object to a line.
std::vector<std::string_view> split_lines(std::string_view body) {
  std::vector<std::string_view> out;
  while (!body.empty()) {
    if (const auto first = body.find_first_not_of(" \t\r\n"); first == std::string_view::npos || body[first] != '{')
      return {};
    if (body.size() <= max_message) {
      out.push_back(body);
      break;
    }
    const auto end = body.substr(0, max_message).rfind('\n');
    if (end == std::string_view::npos)
      return {};
    out.push_back(body.substr(0, end + 1));
    body.remove_prefix(end + 1);
  }
  return out;
}

http::response store(bus& b, const log_spec& stream, const std::vector<std::string_view>& parts,
                     const header_list& headers) {
  std::size_t events = 0;
  for (const auto& part : parts) {
    // One after another: a sender that is told of a failure then knows that a prefix may be stored.
    const append_request request{stream.name, stream.subjects.front(), part, headers, expectation::nothing()};
    auto outcome = b.append({&request, 1}, deadline);
    if (!outcome.front()) {
      const auto& e = outcome.front().error();
      return e.code == ec::full ? http::overloaded(retry_after_seconds) : http::error_response(e);
    }
    events += codec::count_events(part);
  }
  return http::accepted(events);
}

} // namespace

std::string intake_subject(const std::string& pipeline, std::uint32_t n) {
  return "millrace." + pipeline + ".source." + std::to_string(n);
}

void add_intake(http::server& server, const std::string& path, std::shared_ptr<bus> b, log_spec stream, bool csv) {
  auto made = std::make_shared<std::atomic<bool>>(false);
  server.post(path, [b = std::move(b), stream = std::move(stream), csv, made](const http::request& r) {
    if (r.body.find_first_not_of(" \t\r\n") == std::string::npos)
      return http::error_response(400, "empty", "the body holds no event; send one JSON object, an array or NDJSON");
    // A CSV message has its header, a binary CloudEvent its attributes: neither can be cut.
    const bool whole = r.body.size() <= max_message;
    const auto parts = whole                          ? std::vector<std::string_view>{r.body}
                       : csv || !r.attributes.empty() ? std::vector<std::string_view>{}
                                                      : split_lines(r.body);
    if (parts.empty())
      return http::error_response(413, "too_large",
                                  "an event or array of more than " + std::to_string(max_message) +
                                    " bytes; send smaller ones, or NDJSON with one event to a line");
    if (!made->load()) {
      if (auto done = runtime::ensure_fitting_log(*b, stream); !done)
        return http::error_response(done.error());
      made->store(true);
    }
    header_list headers;
    for (const auto& [name, value] : r.attributes)
      headers.emplace_back("ce-" + name, value);
    return store(*b, stream, parts, headers);
  });
}

} // namespace millrace::services
