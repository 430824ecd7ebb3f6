// SPDX-License-Identifier: Apache-2.0
/// @file
/// Contents of a lookup table as they travel through the log (rule 7.1): one text for one set of rows, wherever it
/// came from and in whatever order. CSV with the columns of the table's layout, rows sorted by key, every value quoted
/// and null as nothing at all.
///
/// Every error is ec::config, names the table and what is wrong in it, and repeats neither URLs nor headers.
#pragma once

#include "actors/enrich/plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::enrich {

/// More than this no source takes; a table is held in memory by every partition.
inline constexpr std::size_t max_table_bytes = 8U << 20;

/// Rows as a source has them: texts or nulls.
struct raw_rows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

/// Checks rows against `layout` (`plan::table_columns`) and the types of `o`. A file must have just the columns of the
/// layout, other sources may have more.
result<std::string> contents_of(const table_options& o, const schema& layout, raw_rows rows);
/// The same from CSV with a header.
result<std::string> contents_of_csv(const table_options& o, const schema& layout, std::string_view text);
/// The same from a JSON array of objects; a member that is absent is null.
result<std::string> contents_of_json(const table_options& o, const schema& layout, std::string_view text);
/// Adds a row: the members of a JSON object, and `key` for the key column. `rows.columns` are those of the layout.
result<void> add_json_row(const table_options& o, raw_rows& rows, std::string_view key, std::string_view text);

/// Reads what `contents_of` made.
result<table_ptr> parse_contents(const table_options& o, const schema& layout, std::string_view contents);
std::uint64_t hash_of_contents(std::string_view contents) noexcept;

/// Reads `o.file`, at most so much of it.
result<std::string> read_table_file(const table_options& o, std::size_t max_bytes = max_table_bytes);

} // namespace millrace::enrich
