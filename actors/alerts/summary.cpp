// SPDX-License-Identifier: Apache-2.0
#include "actors/alerts/summary.hpp"

#include "messaging/codec/json_writer.hpp"

#include <optional>

namespace millrace::alerts {

namespace {

/// End of the string literal that starts at `at` (a quote); npos when it does not end. Triple quotes too.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const auto quote = text.substr(at, 1);
  const bool raw = at > 0 && (text[at - 1] == 'r' || text[at - 1] == 'R');
  const auto triple = std::string{quote} + std::string{quote} + std::string{quote};
  const bool is_triple = text.substr(at, 3) == triple;
  const std::string_view close = is_triple ? std::string_view{triple} : quote;
  for (auto i = at + close.size(); i < text.size(); ++i) {
    if (text[i] == '\\' && !raw)
      ++i;
    else if (text.substr(i, close.size()) == close)
      return i + close.size();
  }
  return std::string_view::npos;
}

/// Position of the `}}` that closes a hole whose expression starts at `at`; strings and map literals inside it
/// may hold braces.
std::size_t hole_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (auto i = at; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = skip_string(text, i);
      if (i == std::string_view::npos)
        return i;
      continue;
    }
    if (c == '{')
      ++depth;
    else if (c == '}' && depth > 0)
      --depth;
    else if (text.substr(i, 2) == "}}")
      return i;
    ++i;
  }
  return std::string_view::npos;
}

bool is_blank(std::string_view s) { return s.find_first_not_of(" \t\r\n") == std::string_view::npos; }

void append_plain(std::string& out, const column& c, std::size_t row) {
  if (c.is_null(row)) {
    out += "null";
    return;
  }
  switch (c.type) {
  case data_type::string:
  case data_type::json: out += c.text(row); return;
  case data_type::bytes:
  case data_type::timestamp:
  case data_type::duration: {
    std::string quoted;
    codec::append_value(quoted, c, row);
    out.append(quoted, 1, quoted.size() - 2);
    return;
  }
  default: codec::append_value(out, c, row);
  }
}

} // namespace

summary_template summary_template::compile(std::string_view text, const schema& variables, const std::string& path,
                                           std::vector<diagnostic>& findings) {
  summary_template t;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find("{{", at);
    const auto literal = text.substr(at, open == std::string_view::npos ? open : open - at);
    if (const auto stray = literal.find("}}"); stray != std::string_view::npos)
      findings.push_back({path, at + stray, "`}}` closes nothing", "write {{expression}}"});
    if (!literal.empty())
      t.parts_.push_back({std::string{literal}, nullptr});
    if (open == std::string_view::npos)
      break;
    const auto begin = open + 2;
    const auto end = hole_end(text, begin);
    if (end == std::string_view::npos) {
      findings.push_back({path, open, "`{{` is not closed", "write {{expression}}"});
      break;
    }
    const auto source = text.substr(begin, end - begin);
    if (is_blank(source)) {
      findings.push_back({path, open, "`{{}}` holds no expression", "write {{expression}}"});
    } else {
      std::vector<expressions::expression_error> errors;
      auto hole = expressions::expression::compile(source, variables, errors);
      for (const auto& e : errors)
        findings.push_back({path, begin + e.offset, e.message, e.hint});
      if (hole)
        t.parts_.push_back({{}, std::move(hole)});
    }
    at = end + 2;
  }
  return t;
}

std::vector<std::string> summary_template::render(const event_batch& in) const {
  std::vector<std::string> out(in.rows);
  for (const auto& p : parts_) {
    if (!p.hole) {
      for (auto& s : out)
        s += p.text;
      continue;
    }
    expressions::evaluation e;
    p.hole->evaluate(in, e);
    for (std::size_t row = 0; row < in.rows; ++row)
      if (!e.is_error(row))
        append_plain(out[row], e.values, row);
  }
  return out;
}

std::vector<std::size_t> summary_template::uses() const {
  std::vector<std::size_t> out;
  for (const auto& p : parts_)
    if (p.hole)
      out.insert(out.end(), p.hole->uses().begin(), p.hole->uses().end());
  return out;
}

} // namespace millrace::alerts
