// SPDX-License-Identifier: Apache-2.0
/// @file
/// CSV by RFC 4180: records with quoted fields.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::codec {

/// One record, taken apart. Reuses its memory.
struct csv_record {
  /// Unquoted fields; views into the record or `unquoted`, with the slack of the record's buffer behind.
  std::vector<std::string_view> fields;
  /// Empty: fine; else what is wrong. Then the record is only its first line, so that a stray quote cannot
  /// swallow the records behind it.
  std::string_view wrong;
  /// Bytes of the record, with its line end.
  std::size_t size = 0;

  std::vector<std::string> unquoted;
};

/// Reads the record at the start of `text` (not empty). A last record may lack its line end.
void read_csv_record(std::string_view text, csv_record& out);

/// Length of the part of `text` that is whole records: what a file reader may hand to `decode_lines`. 0: none.
std::size_t whole_csv_records(std::string_view text) noexcept;

} // namespace millrace::codec
