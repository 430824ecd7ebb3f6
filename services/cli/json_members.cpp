// SPDX-License-Identifier: Apache-2.0
#include "services/cli/json_members.hpp"

#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_kernel.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>

namespace millrace::cli {

namespace {

constexpr std::size_t max_depth = 1024;
/// Offsets are 32 bits wide; no message is nearly so long.
constexpr std::size_t max_text = std::size_t{1} << 30;

} // namespace

std::optional<member_places> find_members(std::string_view text, std::span<const std::string> names) {
  if (text.size() > max_text)
    return std::nullopt;
  std::string block{text};
  block += '\n';
  const auto size = block.size();
  block.append(codec::json_slack, ' ');
  codec::structural_index index;
  if (!index.build(block.data(), size).empty() || index.size() == 0)
    return std::nullopt;
  const auto* first = index.tokens();
  if (*first >= text.size() || block[*first] != '{')
    return std::nullopt;
  std::vector<std::vector<std::string>> paths;
  for (const auto& n : names)
    paths.push_back({n});
  codec::json_walker walker{paths, max_depth};
  walker.bind(block.data(), std::min(block.find('\\'), size));
  const auto* behind = walker.object(first, static_cast<std::uint32_t>(text.size()));
  if (behind == nullptr || *behind < text.size())
    return std::nullopt;
  member_places out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* s = walker.slot(i);
    if (s == nullptr) {
      out.emplace_back();
      continue;
    }
    const auto token = codec::trimmed_token(block.data(), s->begin, s->end);
    out.emplace_back(std::pair<std::size_t, std::size_t>{s->begin, s->begin + token.size()});
  }
  return out;
}

std::optional<std::string> string_of(std::string_view token) {
  std::string out;
  if (token.size() < 2 || token.front() != '"' || token.back() != '"' ||
      !codec::append_unescaped(out, token.substr(1, token.size() - 2)))
    return std::nullopt;
  return out;
}

bool set_member(std::string& text, const std::string& name, std::string_view json) {
  const auto places = find_members(text, {&name, 1});
  if (!places)
    return false;
  if (const auto& p = places->front()) {
    text.replace(p->first, p->second - p->first, json);
    return true;
  }
  const auto close = text.rfind('}');
  const auto before = text.find_last_not_of(" \t\r\n", close - 1);
  std::string member = text[before] == '{' ? "" : ",";
  codec::append_string(member, name);
  member += ':';
  member += json;
  text.insert(before + 1, member);
  return true;
}

} // namespace millrace::cli
