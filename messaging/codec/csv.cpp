// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/csv.hpp"

#include "messaging/codec/decode_columns.hpp"

#include <algorithm>

namespace millrace::codec {
namespace {

constexpr auto npos = std::string_view::npos;

/// Of the first line of `text`, with its line end.
std::size_t line_size(std::string_view text) noexcept {
  const std::size_t end = text.find('\n');
  return end == npos ? text.size() : end + 1;
}

/// The quote that closes the field whose opening quote is at `at`; `doubled`: there are "" inside.
std::size_t closing_quote(std::string_view text, std::size_t at, bool& doubled) noexcept {
  for (std::size_t i = text.find('"', at + 1); i != npos; i = text.find('"', i + 1)) {
    if (i + 1 >= text.size() || text[i + 1] != '"')
      return i;
    doubled = true;
    ++i;
  }
  return npos;
}

/// 0: no line end at `at`; else its length.
std::size_t line_end_at(std::string_view text, std::size_t at) noexcept {
  if (at < text.size() && text[at] == '\n')
    return 1;
  return text.substr(at, 2) == "\r\n" ? 2 : 0;
}

void undouble(std::string& out, std::string_view inside) {
  out.clear();
  for (std::size_t i = 0; i < inside.size(); ++i) {
    out += inside[i];
    i += inside[i] == '"' ? 1 : 0;
  }
  out.append(text_slack, '\0');
}

struct cursor {
  std::string_view text;
  std::size_t at = 0;
};

/// Reads one field; false: wrong, see `out.wrong`.
bool read_field(cursor& c, csv_record& out) {
  if (c.at < c.text.size() && c.text[c.at] == '"') {
    bool doubled = false;
    const std::size_t end = closing_quote(c.text, c.at, doubled);
    if (end == npos) {
      out.wrong = "a quoted field is not closed";
      return false;
    }
    const std::string_view inside = c.text.substr(c.at + 1, end - c.at - 1);
    if (doubled) {
      // Strings of a growing vector move, short ones with their bytes: one per field, made before views exist.
      std::string& copy = out.unquoted[out.fields.size() % out.unquoted.size()];
      undouble(copy, inside);
      out.fields.emplace_back(copy.data(), copy.size() - text_slack);
    } else {
      out.fields.push_back(inside);
    }
    c.at = end + 1;
    return true;
  }
  const std::size_t from = c.at;
  c.at = std::min(c.text.find_first_of(",\n", from), c.text.size());
  std::string_view field = c.text.substr(from, c.at - from);
  if (c.at < c.text.size() && c.text[c.at] == '\n' && field.ends_with('\r')) {
    field.remove_suffix(1);
    --c.at;
  } else if (c.at == c.text.size() && field.ends_with('\r')) {
    field.remove_suffix(1);
  }
  if (field.find('"') != npos) {
    out.wrong = "a quote inside a field that is not quoted";
    return false;
  }
  out.fields.push_back(field);
  return true;
}

} // namespace

void read_csv_record(std::string_view text, csv_record& out) {
  out.fields.clear();
  out.wrong = {};
  if (out.unquoted.empty())
    out.unquoted.resize(4096);
  cursor c{text, 0};
  while (read_field(c, out)) {
    if (c.at == text.size()) {
      out.size = c.at;
      return;
    }
    if (const std::size_t end = line_end_at(text, c.at); end != 0) {
      out.size = c.at + end;
      return;
    }
    if (text[c.at] != ',') {
      out.wrong = "text after a quoted field";
      break;
    }
    if (out.fields.size() == out.unquoted.size()) {
      out.wrong = "more than 4096 fields";
      break;
    }
    ++c.at;
  }
  out.size = line_size(text);
}

std::size_t whole_csv_records(std::string_view text) noexcept {
  // A quote opens at the start of a field only; anything else is a wrong record, which ends with its line.
  std::size_t whole = 0;
  bool at_field_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && at_field_start) {
      bool doubled = false;
      i = closing_quote(text, i, doubled);
      if (i == npos || i + 1 == text.size())
        return whole;
      const char next = text[i + 1];
      if (next != ',' && next != '\n' && next != '\r') {
        const std::size_t line = line_size(text.substr(whole));
        if (text[whole + line - 1] != '\n')
          return whole;
        whole += line;
        i = whole - 1;
        continue;
      }
      at_field_start = false;
      continue;
    }
    at_field_start = c == ',' || c == '\n';
    if (c == '\n')
      whole = i + 1;
  }
  return whole;
}

} // namespace millrace::codec
