// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>

namespace millrace::pipeline {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

/// The digits at the start of `text`, which they are taken from; false when there are none or too many.
bool take_number(std::string_view& text, std::uint64_t& value) noexcept {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr == text.data())
    return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array duration_units{unit{"d", 86'400'000'000'000},
                                    unit{"h", 3'600'000'000'000},
                                    unit{"m", 60'000'000'000},
                                    unit{"s", 1'000'000'000},
                                    unit{"ms", 1'000'000},
                                    unit{"us", 1'000},
                                    unit{"ns", 1}};

constexpr std::array size_units{
  unit{"B", 1},           unit{"kB", 1'000},       unit{"KB", 1'000},       unit{"MB", 1'000'000},
  unit{"GB", 1000000000}, unit{"KiB", 1ULL << 10}, unit{"MiB", 1ULL << 20}, unit{"GiB", 1ULL << 30},
  unit{"TiB", 1ULL << 40}};

error bad_duration(std::string_view text) {
  return {ec::config, "`" + std::string{text} + "` is not a duration", "write e.g. 250ms, 5s, 1m30s, 2h or 7d"};
}

} // namespace

result<std::int64_t> parse_duration(std::string_view text) {
  if (text == "0")
    return std::int64_t{0};
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  auto rest = text;
  std::uint64_t total = 0;
  std::size_t smallest = 0;
  if (text.empty())
    return bad_duration(text);
  while (!rest.empty()) {
    std::uint64_t n = 0;
    if (!take_number(rest, n))
      return bad_duration(text);
    const auto letters = std::find_if_not(rest.begin(), rest.end(), is_lower) - rest.begin();
    const auto name = rest.substr(0, static_cast<std::size_t>(std::min(letters, std::ptrdiff_t{3})));
    std::size_t at = smallest;
    while (at < duration_units.size() && duration_units[at].name != name)
      ++at;
    if (at == duration_units.size())
      return bad_duration(text);
    if (n > (most - total) / duration_units[at].factor)
      return error{ec::config, "`" + std::string{text} + "` is too long", "the longest duration is about 292 years"};
    total += n * duration_units[at].factor;
    smallest = at + 1;
    rest.remove_prefix(name.size());
  }
  return static_cast<std::int64_t>(total);
}

result<std::uint64_t> parse_size(std::string_view text) {
  const error bad{ec::config, "`" + std::string{text} + "` is not a size", "write e.g. 512MiB, 1GiB or plain bytes"};
  auto rest = text;
  std::uint64_t n = 0;
  if (!take_number(rest, n))
    return bad;
  if (rest.empty())
    return n;
  for (const auto& u : size_units)
    if (u.name == rest)
      return n <= std::numeric_limits<std::uint64_t>::max() / u.factor ? result<std::uint64_t>{n * u.factor} : bad;
  return bad;
}

result<std::uint64_t> parse_count(std::string_view text) {
  auto rest = text;
  std::uint64_t n = 0;
  if (!take_number(rest, n) || !rest.empty())
    return error{ec::config, "`" + std::string{text} + "` is not a whole number", ""};
  return n;
}

bool is_name(std::string_view text, bool underscore) noexcept {
  return !text.empty() && text.size() <= 40 && is_lower(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_lower(c) || is_digit(c) || c == '-' || (underscore && c == '_');
  });
}

bool is_identifier(std::string_view text) noexcept {
  // cel-spec, doc/langdef.md: the words of the grammar and those it reserves.
  static constexpr auto reserved = std::to_array<std::string_view>(
    {"false", "in",     "null", "true", "as",      "break",     "const",  "continue", "else", "for",  "function",
     "if",    "import", "let",  "loop", "package", "namespace", "return", "var",      "void", "while"});
  const auto head = [](char c) { return is_lower(c) || is_upper(c) || c == '_'; };
  return !text.empty() && text.size() <= 128 && head(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return head(c) || is_digit(c); }) &&
         std::find(reserved.begin(), reserved.end(), text) == reserved.end();
}

std::string_view subject_problem(std::string_view text) noexcept {
  if (text.empty())
    return "a subject is not empty";
  const auto first = text.substr(0, text.find('.'));
  if (first == "millrace" || first == "$JS" || first == "$KV" || first == "$SYS")
    return "this subject belongs to Millrace or NATS itself";
  if (first == ">" || first == "*")
    return "a subject that starts with a wildcard would also take Millrace's own messages";
  for (auto rest = text;;) {
    const auto dot = rest.find('.');
    const auto token = rest.substr(0, dot);
    if (token.empty())
      return "a subject has no empty tokens";
    if (token.find_first_of(" \t\r\n") != std::string_view::npos)
      return "a subject has no white space";
    if (token != "*" && token != ">" && token.find_first_of("*>") != std::string_view::npos)
      return "a wildcard is a whole token of a subject";
    if (token == ">" && dot != std::string_view::npos)
      return "`>` is the last token of a subject";
    if (dot == std::string_view::npos)
      return {};
    rest.remove_prefix(dot + 1);
  }
}

} // namespace millrace::pipeline
