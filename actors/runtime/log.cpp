// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/log.hpp"

#include "messaging/codec/json_writer.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <memory>

namespace millrace::log {

namespace {

struct state {
  std::shared_ptr<spdlog::logger> out;
  std::atomic<bool> json{false};
};

state& shared() {
  static state s = [] {
    auto l = std::make_shared<spdlog::logger>("millrace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    l->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc);
    l->flush_on(spdlog::level::trace);
    l->set_level(spdlog::level::info);
    return state{std::move(l)};
  }();
  return s;
}

constexpr std::array<std::pair<std::string_view, spdlog::level::level_enum>, 6> levels{{
  {"trace", spdlog::level::trace},
  {"debug", spdlog::level::debug},
  {"info", spdlog::level::info},
  {"warn", spdlog::level::warn},
  {"error", spdlog::level::err},
  {"off", spdlog::level::off},
}};

} // namespace

result<void> configure(std::string_view setting) {
  auto& s = shared();
  auto name = setting;
  const bool json = name.starts_with("json:") || name == "json";
  if (json)
    name = name == "json" ? "info" : name.substr(5);
  else if (name.starts_with("text:"))
    name = name.substr(5);
  for (const auto& [text, value] : levels) {
    if (text == name) {
      s.json = json;
      s.out->set_level(value);
      s.out->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                              : "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v",
                         spdlog::pattern_time_type::utc);
      return {};
    }
  }
  return millrace::error{ec::config, "unknown log level '" + std::string{setting} + "'",
                         "use trace, debug, info, warn, error or off, with json: before it for JSON lines"};
}

void write(level l, std::string_view what, const fields& f) {
  auto& s = shared();
  const auto value = levels[static_cast<std::size_t>(l)].second;
  if (!s.out->should_log(value))
    return;
  std::string line;
  if (s.json) {
    // The pattern writes the braces, time and level around these members.
    line = "\"message\":";
    codec::append_string(line, what);
    for (const auto& [k, v] : f) {
      line += ',';
      codec::append_string(line, k);
      line += ':';
      codec::append_string(line, v);
    }
  } else {
    line = what;
    for (const auto& [k, v] : f) {
      line += ' ';
      line += k;
      line += '=';
      if (v.find(' ') != std::string::npos)
        codec::append_string(line, v);
      else
        line += v;
    }
  }
  s.out->log(value, "{}", line);
}

} // namespace millrace::log
