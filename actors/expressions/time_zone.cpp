// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/time_zone.hpp"

#include "actors/expressions/time.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace millrace::expressions {

namespace {

/// Longest name of a zone, and the names a thread remembers: names can come from events, so both have a bound.
constexpr std::size_t max_zone_name = 64;
constexpr std::size_t max_kept_zones = 128;

/// The library opens the name as a file below the tz database: only what can be a zone's name may get there.
bool is_zone_name(std::string_view name) {
  constexpr std::string_view foreign[] = {"localtime", "posixrules", "posix/", "right/", "Fixed/", "Factory"};
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (name.empty() || name.size() > max_zone_name || !letter(name.front()))
    return false;
  if (std::any_of(std::begin(foreign), std::end(foreign), [&](auto f) { return name.starts_with(f); }))
    return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' || c == '+';
  });
}

std::optional<time_zone> load(const std::string& name) {
  absl::TimeZone zone;
  return is_zone_name(name) && absl::LoadTimeZone(name, &zone) ? std::optional{time_zone{zone}} : std::nullopt;
}

} // namespace

std::int64_t zone_cursor::look_up(std::int64_t seconds) {
  for (std::size_t i = 0; i < periods_.size(); ++i)
    if (seconds >= periods_[i].from && seconds < periods_[i].to) {
      last_ = i;
      return periods_[i].offset;
    }
  period p{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
           zone_.offset_at(seconds)};
  if (zone_.named_) {
    // The library tells local times: `from` by the offset before the change, `to` by the one after it.
    const absl::CivilSecond epoch{1970};
    const auto at = absl::FromUnixSeconds(seconds);
    absl::TimeZone::CivilTransition change;
    if (zone_.named_->NextTransition(at, &change))
      p.to = change.from - epoch - p.offset;
    // The previous one is the last strictly before the given time.
    if (zone_.named_->PrevTransition(at + absl::Seconds(1), &change))
      p.from = change.to - epoch - p.offset;
  }
  last_ = oldest_;
  oldest_ = (oldest_ + 1) % periods_.size();
  periods_[last_] = p;
  return p.offset;
}

std::optional<time_zone> find_zone(std::string_view text) {
  if (const auto offset = parse_zone(text))
    return time_zone{*offset};
  // The library takes a lock for every look-up.
  thread_local std::map<std::string, std::optional<time_zone>, std::less<>> kept;
  if (const auto it = kept.find(text); it != kept.end())
    return it->second;
  if (kept.size() >= max_kept_zones)
    kept.clear();
  std::string name{text};
  auto zone = load(name);
  return kept.emplace(std::move(name), zone).first->second;
}

std::string zone_error(std::string_view text) {
  std::string out = "unknown time zone '" + std::string{text.substr(0, max_zone_name)} + "'";
  if (!find_zone("Etc/GMT"))
    return out + ": this machine has no tz database (package tzdata), so only UTC and offsets such as +02:00 are known";
  return out + "; write an IANA name such as Europe/Berlin, or an offset such as +02:00";
}

} // namespace millrace::expressions
