// SPDX-License-Identifier: Apache-2.0
#include "messaging/inspector.hpp"

#include "messaging/nats/jetstream.hpp"
#include "messaging/nats/server_version.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace millrace {

namespace nats {
namespace {

using nlohmann::json;

constexpr version oldest_tried{2, 9, 10};
constexpr version oldest_replicated{2, 10, 27};
constexpr std::chrono::milliseconds connect_patience{5000};
constexpr std::chrono::milliseconds probe_deadline{1500};

/// −1 and, in some places, 0 stand for "no limit".
std::optional<std::uint64_t> limit_of(const json& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end() || !found->is_number_integer() || found->get<std::int64_t>() <= 0)
    return std::nullopt;
  return found->get<std::uint64_t>();
}

/// `2026-01-05T14:30:00.123456789Z`, as the server writes it.
std::optional<std::int64_t> time_of(const std::string& text) {
  std::tm t{};
  int read = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
                  &t.tm_sec, &read) != 6)
    return std::nullopt;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  std::int64_t ns = static_cast<std::int64_t>(timegm(&t)) * 1'000'000'000;
  auto at = static_cast<std::size_t>(read);
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      ns += (text[at] - '0') * unit;
  }
  if (text.substr(at) != "Z")
    return std::nullopt;
  return ns;
}

class nats_inspector final : public inspector {
public:
  explicit nats_inspector(std::shared_ptr<connection> link) : link_{link}, js_{std::move(link)} {}

  result<broker_info> broker() override {
    if (auto ok = link_->wait_connected(connect_patience); !ok)
      return ok.error();
    broker_info out;
    char url[512] = {};
    if (natsConnection_GetConnectedUrl(link_->raw(), url, sizeof url) == NATS_OK)
      out.url = without_user_info(url);
    out.version = server_version(*link_).value_or("");
    out.max_payload = static_cast<std::uint64_t>(std::max<std::int64_t>(0, natsConnection_GetMaxPayload(link_->raw())));
    return out;
  }

  result<account_info> account() override {
    const auto answer = js_.request("INFO", {}, "JetStream");
    if (!answer)
      return answer.error();
    return guarded("JetStream", [&]() -> result<account_info> {
      account_info out;
      out.storage = answer->value("storage", std::uint64_t{0});
      out.reserved = answer->value("reserved_storage", std::uint64_t{0});
      out.streams = answer->value("streams", std::uint64_t{0});
      const auto limits = answer->value("limits", json::object());
      out.storage_limit = limit_of(limits, "max_storage");
      out.stream_limit = limit_of(limits, "max_streams");
      return out;
    });
  }

  result<log_settings> settings(std::string_view log) override {
    const auto what = "log " + std::string{log};
    const auto answer = js_.request("STREAM.INFO." + std::string{log}, {}, what);
    if (!answer)
      return answer.error();
    return guarded(what, [&]() -> result<log_settings> {
      const auto& c = answer->at("config");
      log_settings out;
      out.discard_new = c.value("discard", "") == "new";
      out.on_disk = c.value("storage", "") == "file";
      out.by_limits = c.value("retention", "") == "limits";
      out.deny_delete = c.value("deny_delete", false);
      out.replicas = c.value("num_replicas", 1);
      out.max_bytes = limit_of(c, "max_bytes");
      out.max_messages = limit_of(c, "max_msgs");
      out.max_messages_per_subject = limit_of(c, "max_msgs_per_subject");
      out.max_message_bytes = limit_of(c, "max_msg_size");
      out.max_age = std::chrono::nanoseconds{c.value("max_age", std::int64_t{0})};
      out.now = time_of(answer->value("ts", ""));
      return out;
    });
  }

  result<bool> may(std::string_view endpoint) override {
    if (auto ok = link_->wait_connected(connect_patience); !ok)
      return ok.error();
    // A stream that nobody has; a configuration of another name is refused before it is looked at.
    static const std::string nobody = "MILLRACE_doctor_probe";
    std::string name{endpoint};
    json body = json::object();
    if (endpoint == "STREAM.NAMES")
      body["subject"] = "millrace.doctor.probe";
    else
      name += "." + nobody;
    if (endpoint == "STREAM.CREATE")
      body = {{"name", nobody + "_other"}, {"subjects", {"millrace.doctor.probe"}}};
    if (endpoint == "STREAM.MSG.GET")
      body["seq"] = 1;
    if (endpoint == "CONSUMER.CREATE")
      body = {{"stream_name", nobody}, {"config", {{"ack_policy", "none"}}}};
    const auto answer = js_.ask(name, body, name, probe_deadline);
    if (answer)
      return true;
    if (answer.error().code == ec::timeout)
      return false;
    return answer.error();
  }

private:
  template <class F>
  static auto guarded(const std::string& what, F f) -> decltype(f()) {
    try {
      return f();
    } catch (const json::exception& e) {
      return error{ec::internal, what + ": unexpected answer of the broker: " + e.what(), {}};
    }
  }

  std::shared_ptr<connection> link_;
  jetstream js_;
};

} // namespace
} // namespace nats

broker_fitness fitness_of(std::string_view text) noexcept {
  const auto v = nats::parse_version(text);
  if (!v)
    return broker_fitness::unknown;
  if (*v < nats::oldest_tried)
    return broker_fitness::too_old;
  return *v < nats::oldest_replicated ? broker_fitness::single_replica : broker_fitness::good;
}

result<std::unique_ptr<inspector>> inspect_nats(const nats_options& options) {
  auto link = nats::connection::open(options, nats::role::control);
  if (!link)
    return link.error();
  return std::unique_ptr<inspector>{std::make_unique<nats::nats_inspector>(std::move(*link))};
}

} // namespace millrace
