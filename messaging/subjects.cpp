// SPDX-License-Identifier: Apache-2.0
#include "messaging/subjects.hpp"

#include <algorithm>
#include <initializer_list>

namespace millrace {

namespace {

/// Cuts the first token off `rest`; `rest` becomes empty with `done` set after the last one.
std::string_view take_token(std::string_view& rest, bool& done) noexcept {
  const auto dot = rest.find('.');
  const auto token = rest.substr(0, dot);
  done = dot == std::string_view::npos;
  rest = done ? std::string_view{} : rest.substr(dot + 1);
  return token;
}

std::string join(char separator, std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    if (!out.empty())
      out += separator;
    out += part;
  }
  return out;
}

/// Walks both patterns token by token. `both_ways`: wildcards count on either side (overlap).
bool walk(std::string_view a, std::string_view b, bool both_ways) noexcept {
  bool a_done = a.empty();
  bool b_done = b.empty();
  while (!a_done && !b_done) {
    const auto x = take_token(a, a_done);
    const auto y = take_token(b, b_done);
    if (x == ">" || (both_ways && y == ">"))
      return true;
    if (!both_ways && y == ">")
      return false;
    if (x != "*" && x != y && !(both_ways && y == "*"))
      return false;
  }
  return a_done && b_done;
}

template <class TokenCheck>
bool every_token(std::string_view text, TokenCheck check) noexcept {
  for (bool done = false; !done;) {
    const auto token = take_token(text, done);
    if (!check(token, done))
      return false;
  }
  return true;
}

} // namespace

bool valid_token(std::string_view token) noexcept {
  return !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '.' && c != '*' && c != '>';
  });
}

result<void> check_token(std::string_view what, std::string_view token) {
  if (valid_token(token))
    return {};
  return error{ec::invalid, std::string{what} + " '" + std::string{token} + "' is not one word of a subject",
               "use printable ASCII without '.', '*', '>' and spaces"};
}

bool valid_subject(std::string_view subject) noexcept {
  return every_token(subject, [](std::string_view token, bool) { return valid_token(token); });
}

bool valid_filter(std::string_view filter) noexcept {
  return every_token(filter, [](std::string_view token, bool last) {
    return token == "*" || (last && token == ">") || valid_token(token);
  });
}

bool subject_covers(std::string_view pattern, std::string_view subject) noexcept {
  return walk(pattern, subject, false);
}
bool subjects_overlap(std::string_view a, std::string_view b) noexcept { return walk(a, b, true); }

std::string stream_name(std::string_view pipeline, std::string_view stage, std::uint32_t partition) {
  return join('_', {"MILLRACE", pipeline, stage, std::to_string(partition)});
}

std::string subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition) {
  return join('.', {"millrace", pipeline, stage, std::to_string(partition)});
}

std::string subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition,
                    std::string_view writer) {
  return join('.', {"millrace", pipeline, stage, std::to_string(partition), writer});
}

std::vector<std::string> log_subjects(std::string_view pipeline, std::string_view stage, std::uint32_t partition) {
  const auto base = subject(pipeline, stage, partition);
  return {base, base + ".>"};
}

std::string state_stage(std::string_view stage) { return "state_" + std::string{stage}; }

std::string source_stream_name(std::string_view pipeline, std::uint32_t n) {
  return join('_', {"MILLRACE", pipeline, "source", std::to_string(n)});
}

std::string results_subject(std::string_view pipeline, std::string_view window) {
  return join('.', {"millrace", pipeline, "results", window});
}

std::string alert_subject(std::string_view pipeline, std::string_view rule) {
  return join('.', {"millrace", pipeline, "alert", rule});
}

std::string rejected_stream_name(std::string_view pipeline) { return join('_', {"MILLRACE", pipeline, "rejected"}); }

std::string rejected_subjects(std::string_view pipeline) { return join('.', {"millrace", pipeline, "rejected", ">"}); }

std::string rejected_subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition) {
  return join('.', {"millrace", pipeline, "rejected", stage, std::to_string(partition)});
}

std::string membership_bucket(std::string_view pipeline) { return join('_', {"MILLRACE", pipeline, "members"}); }

} // namespace millrace
