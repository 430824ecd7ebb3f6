// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/json_writer.hpp"
#include "services/cli/rejected.hpp"

#include <algorithm>
#include <array>

namespace millrace::cli {

namespace {

constexpr std::size_t shown_detail = 60;
constexpr std::size_t shown_event = 60;
constexpr std::size_t columns = 7;

std::string time_text(nanoseconds_t t) {
  std::string out;
  codec::append_timestamp(out, t);
  return out.substr(1, out.size() - 2);
}

/// Characters, not bytes: what a terminal's columns count, near enough.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
    std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  codec::append_string(out, value);
}

} // namespace

std::string printable(std::string_view text, std::size_t limit) {
  // Through the JSON writer, which escapes what would steer a terminal and replaces what is not UTF-8.
  std::string quoted;
  codec::append_string(quoted, text.substr(0, std::min(text.size(), 4 * limit)));
  std::string out;
  std::size_t shown = 0;
  const auto end = quoted.size() - 1;
  for (std::size_t i = 1; i < end; ++i) {
    const auto c = static_cast<unsigned char>(quoted[i]);
    const bool starts = (c & 0xc0U) != 0x80U;
    if (starts && shown == limit)
      return out + "...";
    shown += starts ? 1 : 0;
    // Quotes are safe here, and JSON is easier to read without their escapes.
    if (c == '\\' && i + 1 < end && (quoted[i + 1] == '"' || quoted[i + 1] == '\\'))
      out += quoted[++i];
    else
      out += c == 0x7f ? '?' : static_cast<char>(c);
  }
  return text.size() > 4 * limit ? out + "..." : out;
}

std::string summary_text(const rejected_listing& l) {
  std::string out = std::to_string(l.matching) + (l.matching == 1 ? " rejected event" : " rejected events");
  if (l.entries.size() < l.matching)
    out += ", the newest " + std::to_string(l.entries.size()) + " shown (--limit)";
  out += '\n';
  for (const auto& [place, n] : l.totals)
    out += "  " + printable(place.first, shown_detail) + " " + printable(place.second, shown_detail) + ": " +
           std::to_string(n) + "\n";
  return out;
}

std::string to_text(const std::string& pipeline, const rejected_listing& l) {
  if (l.matching == 0)
    return "pipeline " + pipeline + " has no rejected events that match\n";
  using row = std::array<std::string, columns>;
  std::vector<row> rows{{"SEQUENCE", "STORED", "STAGE", "REASON", "ORIGIN", "DETAIL", "EVENT"}};
  for (const auto& e : l.entries)
    rows.push_back({std::to_string(e.sequence) + (e.retried ? " retried" : ""), time_text(e.stored),
                    printable(e.stage + "/" + e.partition, shown_detail), printable(e.reason, shown_detail),
                    printable(e.origin, shown_detail), printable(e.detail, shown_detail),
                    printable(e.body, shown_event)});
  std::array<std::size_t, columns> widest{};
  for (const auto& r : rows)
    for (std::size_t i = 0; i < columns; ++i)
      widest[i] = std::max(widest[i], width(r[i]));
  std::string out;
  for (const auto& r : rows) {
    for (std::size_t i = 0; i < columns; ++i) {
      out += r[i];
      if (i + 1 < columns)
        out.append(widest[i] - width(r[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out + "\n" + summary_text(l);
}

std::string to_json(const rejected_entry& e) {
  std::string out = "{\"sequence\":" + std::to_string(e.sequence);
  append_member(out, "stored", time_text(e.stored));
  append_member(out, "stage", e.stage);
  append_member(out, "partition", e.partition);
  append_member(out, "reason", e.reason);
  append_member(out, "origin", e.origin);
  append_member(out, "detail", e.detail);
  out += e.retried ? ",\"retried\":true" : ",\"retried\":false";
  out += ",\"event\":";
  if (e.is_json) {
    out += e.body;
  } else {
    out += "null,\"raw\":";
    codec::append_base64(out, e.body);
  }
  return out + "}";
}

} // namespace millrace::cli
