// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/jetstream.hpp"

#include "messaging/bus_checks.hpp"
#include "messaging/nats/stored_message.hpp"
#include "messaging/subjects.hpp"

#include <algorithm>

namespace millrace::nats {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

/// How long a call waits for a connection that is just being made before it says ec::unavailable.
constexpr milliseconds connect_patience{250};
constexpr std::int64_t max_message_bytes = 1024 * 1024;
constexpr std::int64_t default_duplicate_window = 120'000'000'000;

ec to_ec(js_code code, int http) noexcept {
  switch (code) {
  case js_code::wrong_last_sequence:
  case js_code::wrong_last_sequence_constant: return ec::conflict;
  case js_code::store_failed:
  case js_code::insufficient_resources:
  case js_code::storage_exceeded:
  case js_code::resources: return ec::full;
  case js_code::message_too_large: return ec::too_large;
  case js_code::no_message:
  case js_code::stream_not_found:
  case js_code::consumer_not_found: return ec::not_found;
  case js_code::wrong_stream:
  case js_code::stream_exists:
  case js_code::subject_overlap: return ec::config;
  case js_code::unavailable_leader:
  case js_code::not_enabled:
  case js_code::not_enabled_for_account: return ec::unavailable;
  case js_code::none: break;
  }
  return http >= 500 ? ec::unavailable : http == 404 ? ec::not_found : ec::internal;
}

std::string hint_for(js_code code) {
  switch (code) {
  case js_code::insufficient_resources:
  case js_code::storage_exceeded:
  case js_code::resources: return "the broker's storage is reserved or used up: free some, or make the logs smaller";
  case js_code::not_enabled:
  case js_code::not_enabled_for_account: return "start nats-server with JetStream (-js)";
  default: return {};
  }
}

std::int64_t nanoseconds_of(std::chrono::nanoseconds d) { return static_cast<std::int64_t>(d.count()); }

log_info to_info(const json& answer) {
  log_info out;
  const auto& config = answer.at("config");
  const auto& state = answer.at("state");
  out.name = config.at("name").get<std::string>();
  out.subjects = config.value("subjects", std::vector<std::string>{});
  out.first_sequence = state.at("first_seq").get<std::uint64_t>();
  out.last_sequence = state.at("last_seq").get<std::uint64_t>();
  out.messages = state.at("messages").get<std::uint64_t>();
  out.bytes = state.at("bytes").get<std::uint64_t>();
  // A log that never had a message says 0; the memory bus and the reader's arithmetic say 1.
  if (out.messages == 0)
    out.first_sequence = out.last_sequence + 1;
  return out;
}

/// nlohmann throws on an answer of another shape than agreed; that is the broker's fault, not ours.
template <class F>
auto guarded(const std::string& what, F f) -> decltype(f()) {
  try {
    return f();
  } catch (const json::exception& e) {
    return error{ec::internal, what + ": unexpected answer of the broker: " + e.what(), {}};
  }
}

} // namespace

js_code code_in(const json& answer) noexcept {
  const auto e = answer.find("error");
  if (e == answer.end() || !e->is_object())
    return js_code::none;
  const auto code = e->find("err_code");
  return code != e->end() && code->is_number_integer() ? static_cast<js_code>(code->get<int>()) : js_code::none;
}

std::optional<error> error_in(const json& answer, const std::string& what) {
  const auto e = answer.find("error");
  if (e == answer.end())
    return std::nullopt;
  int http = 0;
  std::string text = "error";
  if (e->is_object()) {
    if (const auto c = e->find("code"); c != e->end() && c->is_number_integer())
      http = c->get<int>();
    if (const auto d = e->find("description"); d != e->end() && d->is_string())
      text = d->get<std::string>();
  }
  const auto code = code_in(answer);
  return error{to_ec(code, http), what + ": " + text + " [" + std::to_string(static_cast<int>(code)) + "]",
               hint_for(code)};
}

result<json> parse_answer(std::string_view text, const std::string& what) {
  auto parsed = json::parse(text.begin(), text.end(), nullptr, false);
  if (!parsed.is_object())
    return error{ec::internal, what + ": the broker's answer is not JSON", {}};
  return parsed;
}

result<json> jetstream::ask(const std::string& endpoint, const json& body, const std::string& what,
                            milliseconds deadline) const {
  if (auto ok = control_->wait_connected(std::min(connect_patience, deadline)); !ok)
    return control_->away(what);
  // Empty bodies are empty, not "{}": old servers refuse a body where they expect none.
  const auto text = body.empty() ? std::string{} : body.dump();
  natsMsg* raw = nullptr;
  const auto status = natsConnection_RequestString(&raw, control_->raw(), ("$JS.API." + endpoint).c_str(), text.c_str(),
                                                   std::max<std::int64_t>(1, deadline.count()));
  const msg_ptr answer{raw};
  if (status != NATS_OK)
    return control_->connected() ? to_error(status, what) : control_->away(what);
  return parse_answer(payload_of(raw), what);
}

result<json> jetstream::request(const std::string& endpoint, const json& body, const std::string& what,
                                milliseconds deadline) const {
  auto answer = ask(endpoint, body, what, deadline);
  if (!answer)
    return answer;
  if (auto e = error_in(*answer, what))
    return std::move(*e);
  return answer;
}

result<log_info> jetstream::info(std::string_view log, milliseconds deadline) const {
  if (auto ok = check_token("log name", log); !ok)
    return ok.error();
  const auto what = "log " + std::string{log};
  auto answer = request("STREAM.INFO." + std::string{log}, {}, what, deadline);
  if (!answer)
    return answer.error();
  return guarded(what, [&]() -> result<log_info> { return to_info(*answer); });
}

result<std::vector<std::string>> jetstream::subjects(std::string_view log, std::string_view filter) const {
  if (auto ok = check_token("log name", log); !ok)
    return ok.error();
  const auto what = "subjects of log " + std::string{log};
  std::vector<std::string> out;
  // The server answers pages of 100 000 subjects.
  for (;;) {
    json body{{"subjects_filter", filter}};
    if (!out.empty())
      body["offset"] = out.size();
    auto answer = request("STREAM.INFO." + std::string{log}, body, what);
    if (!answer)
      return answer.error();
    const auto before = out.size();
    const auto total = guarded(what, [&]() -> result<std::uint64_t> {
      const auto found = answer->at("state").value("subjects", json::object());
      for (const auto& [subject, count] : found.items())
        out.push_back(subject);
      return answer->value("total", std::uint64_t{0});
    });
    if (!total)
      return total.error();
    if (out.size() == before || out.size() >= *total)
      return out;
  }
}

result<log_info> jetstream::ensure(const log_spec& spec, const json& config) const {
  const auto what = "log " + spec.name;
  const auto existing = [&]() -> result<log_info> {
    auto found = info(spec.name);
    if (found)
      if (auto same = same_subjects(spec, found->subjects); !same)
        return same.error();
    return found;
  };
  auto found = existing();
  if (found || found.error().code != ec::not_found)
    return found;
  // Creating a replicated stream takes about half a second, more under load.
  auto answer = ask("STREAM.CREATE." + spec.name, config, "create " + what, std::chrono::seconds{15});
  if (!answer)
    return answer.error();
  if (code_in(*answer) == js_code::stream_exists)
    return existing();
  if (auto e = error_in(*answer, "create " + what))
    return std::move(*e);
  return guarded(what, [&]() -> result<log_info> { return to_info(*answer); });
}

result<std::string> jetstream::stream_of(std::string_view subject) const {
  const std::string wanted{subject};
  auto answer = request("STREAM.NAMES", {{"subject", wanted}}, "log of " + wanted);
  if (!answer)
    return answer.error();
  // The server names every stream that stores some of it.
  const auto names = guarded("log of " + wanted, [&]() -> result<std::vector<std::string>> {
    const auto& list = (*answer)["streams"];
    return list.is_array() ? list.get<std::vector<std::string>>() : std::vector<std::string>{};
  });
  if (!names)
    return names.error();
  for (const auto& name : *names) {
    auto found = info(name);
    if (!found)
      return found.error();
    for (const auto& pattern : found->subjects)
      if (subject_covers(pattern, subject))
        return name;
  }
  if (!names->empty())
    return partly_covered(names->front(), subject);
  return error{ec::not_found, "no log stores the subject " + wanted, {}};
}

result<std::optional<message>> jetstream::last(std::string_view log, std::string_view subject) const {
  if (auto ok = check_token("log name", log); !ok)
    return ok.error();
  const auto what = "tail of " + std::string{subject};
  auto answer = ask("STREAM.MSG.GET." + std::string{log}, {{"last_by_subj", subject}}, what);
  if (!answer)
    return answer.error();
  if (code_in(*answer) == js_code::no_message)
    return std::optional<message>{};
  if (auto e = error_in(*answer, what))
    return std::move(*e);
  auto m = stored_message(*answer, what);
  if (!m)
    return m.error();
  return std::optional{std::move(*m)};
}

result<message> jetstream::at(std::string_view log, std::uint64_t sequence) const {
  if (auto ok = check_token("log name", log); !ok)
    return ok.error();
  const auto what = "message " + std::to_string(sequence) + " of log " + std::string{log};
  auto answer = request("STREAM.MSG.GET." + std::string{log}, {{"seq", sequence}}, what);
  if (!answer)
    return answer.error();
  return stored_message(*answer, what);
}

result<void> jetstream::purge(std::string_view log, std::string_view subject,
                              std::optional<std::uint64_t> below) const {
  if (auto ok = check_token("log name", log); !ok)
    return ok;
  auto body = json::object();
  if (!subject.empty())
    body["filter"] = subject;
  if (below)
    body["seq"] = *below;
  auto answer = request("STREAM.PURGE." + std::string{log}, body, "purge " + std::string{subject});
  if (!answer)
    return answer.error();
  return {};
}

nlohmann::json log_config(const log_spec& spec) {
  const auto age = nanoseconds_of(spec.max_age);
  return {
    {"name", spec.name},
    {"subjects", spec.subjects},
    {"retention", "limits"},
    {"storage", "file"},
    {"discard", "new"},
    {"max_consumers", -1},
    {"max_msgs", -1},
    {"max_msgs_per_subject", -1},
    {"max_bytes", spec.max_bytes},
    {"max_age", age},
    {"max_msg_size", max_message_bytes},
    {"num_replicas", spec.replicas},
    // Unused (no message ids on logs), but the server wants it within max_age.
    {"duplicate_window", age > 0 ? std::min(age, default_duplicate_window) : default_duplicate_window},
    {"deny_delete", spec.protected_log},
    {"allow_direct", false},
  };
}

nlohmann::json bucket_config(const log_spec& spec) {
  auto config = log_config(spec);
  config["max_msgs_per_subject"] = 1;
  config["max_bytes"] = -1;
  config["deny_delete"] = true;
  config["allow_rollup_hdrs"] = true;
  return config;
}

} // namespace millrace::nats
