// SPDX-License-Identifier: Apache-2.0
/// @file
/// Splits CSV text (RFC 4180) into records of cells.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::enrich {

/// Quoted cells may hold commas, doubled quotes and line ends; lines end in LF or CRLF; blank lines are skipped, a
/// byte-order mark too.
class csv_records {
public:
  explicit csv_records(std::string_view text);

  /// The next record. False at the end of the text or at an error.
  bool next(std::vector<std::string>& cells);
  /// The line, from 1, on which the record last read begins.
  std::size_t line() const noexcept { return record_line_; }
  /// Whether cell `i` of the record last read was quoted.
  bool quoted(std::size_t i) const { return quoted_[i]; }
  /// What is wrong at `line()`; empty: nothing.
  std::string_view error() const noexcept { return error_; }

private:
  bool cell(std::string& out);
  bool quoted_cell(std::string& out);
  void skip_line_end() noexcept;
  bool at_line_end() const noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t record_line_ = 0;
  std::string_view error_;
  std::vector<bool> quoted_;
};

} // namespace millrace::enrich
