// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test_update.hpp"

#include "services/cli/test_match.hpp"

#include <algorithm>

namespace millrace::cli {

namespace {

using lines = std::vector<std::string>;

lines split(std::string_view text) {
  lines out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1);
    out.emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::size_t indent(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

/// Neither blank nor a comment.
bool says_something(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r\n");
  return first != std::string::npos && line[first] != '#';
}

/// The lines after `first` that are indented by at least `column`; blank ones and comments at their end are not theirs.
std::size_t end_of_block(const lines& in, std::size_t first, std::size_t column) {
  auto end = first + 1;
  for (auto i = end; i < in.size(); ++i) {
    if (!says_something(in[i]))
      continue;
    if (indent(in[i]) < column)
      break;
    end = i + 1;
  }
  return end;
}

lines expectation(const test_case& c, const test_records& records, const std::string& prefix, std::size_t column) {
  lines out{prefix + "expect:\n"};
  const std::string inner(column + 2, ' ');
  if (!c.only.empty()) {
    std::string names;
    for (const auto& n : c.only)
      names += (names.empty() ? "" : ", ") + n->text;
    out.push_back(inner + "only: [" + names + "]\n");
  }
  for (std::size_t k = 0; k < record_sections.size(); ++k) {
    if (c.expects() && !c.expect[k])
      continue;
    const auto head = inner + std::string{record_sections[k]} + ":";
    if (records[k].empty()) {
      out.push_back(head + " []\n");
      continue;
    }
    out.push_back(head + "\n");
    for (const auto& r : records[k])
      out.push_back(inner + "  - " + flow_yaml(r) + "\n");
  }
  return out;
}

} // namespace

result<std::string> accept_records(std::string_view text, const std::vector<accepted_case>& cases) {
  auto in = split(text);
  if (!in.empty() && in.back().back() != '\n')
    in.back() += '\n';
  // From the last to the first, so that the places of the others stay true.
  for (auto it = cases.rbegin(); it != cases.rend(); ++it) {
    const auto& c = *it->what;
    if (c.node->in_flow || (c.expect_key && c.expect_key->in_flow))
      return error{ec::unsupported, "test `" + c.name + "` is written in braces, which --update does not rewrite",
                   "write its members line by line"};
    const auto column = static_cast<std::size_t>(c.node->column);
    const auto start = static_cast<std::size_t>(c.expect_key ? c.expect_key->line : c.node->line);
    if (start >= in.size() || in[start].size() < column)
      return error{ec::internal, "the place of test `" + c.name + "` is unknown", ""};
    const auto end = end_of_block(in, start, c.expect_key ? column + 1 : column);
    const auto prefix = c.expect_key ? in[start].substr(0, column) : std::string(column, ' ');
    const auto from = in.begin() + static_cast<std::ptrdiff_t>(c.expect_key ? start : end);
    const auto at = in.erase(from, in.begin() + static_cast<std::ptrdiff_t>(end));
    const auto made = expectation(c, *it->records, prefix, column);
    in.insert(at, made.begin(), made.end());
  }
  std::string out;
  for (const auto& l : in)
    out += l;
  return out;
}

} // namespace millrace::cli
