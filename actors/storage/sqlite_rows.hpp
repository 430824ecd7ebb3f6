// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sections of a frame into rows of the tables, and rows back into output records. Private to this folder.
#pragma once

#include "actors/storage/sqlite_db.hpp"
#include "messaging/frame.hpp"

#include <string>
#include <string_view>

namespace millrace::storage::sqlite {

/// Prepared upserts. One transaction is open while `write` runs.
class row_writer {
public:
  static result<row_writer> prepare(database& db);

  /// Writes every row of `s` into the table its name calls for. Errors: ec::invalid for a section whose columns are
  /// not those of its kind.
  result<void> write(database& db, std::string_view pipeline, const section& s, bool keep_events);

private:
  result<void> write_windows(database& db, std::string_view pipeline, const section& s);
  result<void> write_alerts(database& db, std::string_view pipeline, const section& s);
  result<void> write_events(database& db, std::string_view pipeline, const section& s);

  statement window_;
  statement alert_;
  statement event_;
  std::string key_;
  std::string text_;
  std::string errors_;
};

/// The columns that `append_window_row` expects at the start of a SELECT on `windows`.
inline constexpr std::string_view window_columns =
  R"("window","key",start,"end",seq,version,final,retracted,"values",errors)";
/// The output record, the bytes that `codec::append_window_record` gave for the row.
void append_window_row(std::string& out, const statement& s);

/// The same for `alerts`.
inline constexpr std::string_view alert_columns = R"(rule,id,"key",state,at,since,severity,labels,summary,"values")";
void append_alert_row(std::string& out, const statement& s);

} // namespace millrace::storage::sqlite
