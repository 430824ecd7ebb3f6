// SPDX-License-Identifier: Apache-2.0
#include "services/cli/doctor_text.hpp"

#include "messaging/codec/json_writer.hpp"
#include "services/cli/doctor.hpp"

#include <algorithm>
#include <array>

namespace millrace::cli {

namespace {

constexpr std::size_t listed = 5;

std::string_view word_of(health h) {
  switch (h) {
  case health::ok: return "ok";
  case health::warn: return "warn";
  case health::fail: break;
  }
  return "FAIL";
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":";
  codec::append_string(out, value);
}

} // namespace

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> units{" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  std::uint64_t tenths = bytes * 10;
  for (; tenths >= 10240 && unit + 1 < units.size(); ++unit)
    tenths /= 1024;
  return std::to_string(tenths / 10) + (unit == 0 ? "" : "." + std::to_string(tenths % 10)) + units[unit];
}

std::string span_text(std::int64_t ns) {
  std::string out;
  codec::append_duration(out, ns / 100'000'000 * 100'000'000);
  return out.substr(1, out.size() - 2);
}

std::string plural(std::size_t n, const std::string& one, const std::string& many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string some_of(const std::vector<std::string>& all) {
  std::string out;
  for (std::size_t i = 0; i < std::min(listed, all.size()); ++i)
    out += (i == 0 ? "" : "; ") + all[i];
  return all.size() > listed ? out + "; and " + std::to_string(all.size() - listed) + " more" : out;
}

bool any_failed(const std::vector<check>& all) {
  return std::any_of(all.begin(), all.end(), [](const check& c) { return c.status == health::fail; });
}

std::string to_text(const std::vector<check>& all) {
  std::size_t widest = 0;
  for (const auto& c : all)
    widest = std::max(widest, c.name.size());
  std::string out;
  std::size_t warnings = 0;
  std::size_t failures = 0;
  for (const auto& c : all) {
    warnings += c.status == health::warn ? 1U : 0U;
    failures += c.status == health::fail ? 1U : 0U;
    std::string line{word_of(c.status)};
    line.resize(6, ' ');
    line += c.name;
    line.append(widest - c.name.size() + 2, ' ');
    out += line + c.seen + "\n";
    if (!c.remedy.empty())
      out += std::string(widest + 8, ' ') + "-> " + c.remedy + "\n";
  }
  return out + "\n" + plural(all.size(), "check", "checks") + ", " + plural(warnings, "warning", "warnings") + ", " +
         plural(failures, "failure", "failures") + "\n";
}

std::string to_json(const std::vector<check>& all) {
  std::string out = "[";
  for (const auto& c : all) {
    out += out.size() == 1 ? "{" : ",\n{";
    append_member(out, "check", c.name);
    append_member(out, "status", word_of(c.status));
    append_member(out, "seen", c.seen);
    append_member(out, "remedy", c.remedy);
    out += '}';
  }
  return out + "]\n";
}

} // namespace millrace::cli
