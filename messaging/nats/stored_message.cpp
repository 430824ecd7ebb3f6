// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/stored_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

namespace millrace::nats {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> decoding = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

bool number(std::string_view text, std::size_t at, std::size_t length, int& out) {
  if (text.size() < at + length)
    return false;
  const auto* const end = text.data() + at + length;
  const auto [stop, error] = std::from_chars(text.data() + at, end, out);
  return error == std::errc{} && stop == end;
}

} // namespace

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const auto value = decoding[static_cast<unsigned char>(c)];
    if (value < 0)
      return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xff);
    }
  }
  return out;
}

std::optional<std::int64_t> from_rfc3339(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!number(text, 0, 4, year) || !number(text, 5, 2, month) || !number(text, 8, 2, day) ||
      !number(text, 11, 2, hour) || !number(text, 14, 2, minute) || !number(text, 17, 2, second) ||
      !text.ends_with('Z'))
    return std::nullopt;
  std::int64_t fraction = 0;
  std::int64_t unit = 1'000'000'000;
  const auto digits = text.size() > 20 ? text.substr(20, text.size() - 21) : std::string_view{};
  for (const char c : digits) {
    if (c < '0' || c > '9' || unit == 1)
      return std::nullopt;
    unit /= 10;
    fraction += (c - '0') * unit;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok())
    return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60'000'000'000 + second * 1'000'000'000LL + fraction;
}

header_list parse_headers(std::string_view block) {
  header_list out;
  auto next_line = [&block] {
    const auto end = std::min(block.find("\r\n"), block.size());
    const auto line = block.substr(0, end);
    block.remove_prefix(std::min(end + 2, block.size()));
    return line;
  };
  next_line(); // NATS/1.0
  while (!block.empty()) {
    const auto line = next_line();
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
      continue;
    auto value = line.substr(colon + 1);
    while (value.starts_with(' '))
      value.remove_prefix(1);
    out.emplace_back(line.substr(0, colon), value);
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

result<message> stored_message(const nlohmann::json& answer, const std::string& what) {
  const auto damaged = [&] { return error{ec::internal, what + ": the broker's answer cannot be read", {}}; };
  try {
    const auto& stored = answer.at("message");
    message out;
    out.sequence = stored.at("seq").get<std::uint64_t>();
    out.subject = stored.at("subject").get<std::string>();
    const auto stamp = from_rfc3339(stored.at("time").get_ref<const std::string&>());
    // Empty payloads and headers are left out.
    auto payload = from_base64(stored.contains("data") ? stored["data"].get_ref<const std::string&>() : std::string{});
    const auto headers =
      from_base64(stored.contains("hdrs") ? stored["hdrs"].get_ref<const std::string&>() : std::string{});
    if (!stamp || !payload || !headers)
      return damaged();
    out.stamp = *stamp;
    out.payload = std::move(*payload);
    out.headers = parse_headers(*headers);
    return out;
  } catch (const nlohmann::json::exception&) {
    return damaged();
  }
}

} // namespace millrace::nats
