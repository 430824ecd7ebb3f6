// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/csv_records.hpp"

namespace millrace::enrich {

csv_records::csv_records(std::string_view text) : text_{text} {
  if (text_.substr(0, 3) == "\xEF\xBB\xBF")
    text_.remove_prefix(3);
}

bool csv_records::at_line_end() const noexcept {
  return at_ >= text_.size() || text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n";
}

void csv_records::skip_line_end() noexcept {
  if (at_ < text_.size() && text_[at_] == '\r')
    ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') {
    ++at_;
    ++line_;
  }
}

bool csv_records::next(std::vector<std::string>& cells) {
  cells.clear();
  quoted_.clear();
  if (!error_.empty())
    return false;
  while (at_ < text_.size() && at_line_end())
    skip_line_end();
  record_line_ = line_;
  if (at_ >= text_.size())
    return false;
  for (;;) {
    cells.emplace_back();
    quoted_.push_back(at_ < text_.size() && text_[at_] == '"');
    if (!cell(cells.back()))
      return false;
    if (at_line_end())
      break;
    ++at_; // the comma
  }
  skip_line_end();
  return true;
}

bool csv_records::cell(std::string& out) {
  if (at_ < text_.size() && text_[at_] == '"')
    return quoted_cell(out);
  const auto begin = at_;
  while (!at_line_end() && text_[at_] != ',') {
    if (text_[at_] == '"') {
      error_ = "a quote inside a cell that does not begin with one; quote the cell and double the quote";
      return false;
    }
    ++at_;
  }
  out = text_.substr(begin, at_ - begin);
  return true;
}

bool csv_records::quoted_cell(std::string& out) {
  ++at_;
  for (;;) {
    const auto quote = text_.find('"', at_);
    if (quote == std::string_view::npos) {
      error_ = "a quoted cell does not end";
      return false;
    }
    for (const char c : text_.substr(at_, quote - at_)) {
      out += c;
      line_ += c == '\n' ? 1U : 0U;
    }
    at_ = quote + 1;
    if (at_ < text_.size() && text_[at_] == '"') {
      out += '"';
      ++at_;
      continue;
    }
    if (at_line_end() || text_[at_] == ',')
      return true;
    error_ = "text after the closing quote of a cell";
    return false;
  }
}

} // namespace millrace::enrich
