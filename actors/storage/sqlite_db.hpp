// SPDX-License-Identifier: Apache-2.0
/// @file
/// SQLite handles with owners, and its result codes as Millrace errors. Private to this folder.
#pragma once

#include "messaging/errors.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::storage::sqlite {

struct close_db {
  // _v2: a statement that outlives its connection by accident must not leak the file.
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
struct finalize_statement {
  void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
};

/// A prepared statement. Texts and blobs are bound without copying: they must outlive the next `step`.
class statement {
public:
  statement() = default;
  explicit statement(sqlite3_stmt* s) : handle_{s} {}

  void bind(int index, std::int64_t value) noexcept { sqlite3_bind_int64(handle_.get(), index, value); }
  void bind(int index, double value) noexcept { sqlite3_bind_double(handle_.get(), index, value); }
  void bind(int index, std::string_view text) noexcept;
  void bind_blob(int index, std::string_view bytes) noexcept;
  void bind_null(int index) noexcept { sqlite3_bind_null(handle_.get(), index); }
  /// SQLite integers are signed: counters and checksums keep their bits.
  void bind_bits(int index, std::uint64_t value) noexcept { bind(index, static_cast<std::int64_t>(value)); }

  /// SQLITE_ROW, SQLITE_DONE or an error code.
  int step() noexcept { return sqlite3_step(handle_.get()); }
  /// Ends the current execution; bindings stay.
  void reset() noexcept { sqlite3_reset(handle_.get()); }

  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(handle_.get(), column); }
  std::uint64_t bits(int column) const noexcept { return static_cast<std::uint64_t>(integer(column)); }
  bool is_null(int column) const noexcept { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
  /// Valid until the next step or reset.
  std::string_view text(int column) const noexcept;

private:
  std::unique_ptr<sqlite3_stmt, finalize_statement> handle_;
};

/// Resets a statement at the end of a scope: an unfinished read would hold its snapshot, and keep the WAL growing.
class scoped_reset {
public:
  explicit scoped_reset(statement& s) : statement_{s} {}
  ~scoped_reset() { statement_.reset(); }
  scoped_reset(const scoped_reset&) = delete;
  scoped_reset& operator=(const scoped_reset&) = delete;

private:
  statement& statement_;
};

enum class open_mode : std::uint8_t { create, existing };

/// One connection; one thread at a time.
class database {
public:
  static result<database> open(const std::string& path, open_mode mode, int busy_timeout_ms);

  const std::string& path() const noexcept { return path_; }
  sqlite3* handle() const noexcept { return handle_.get(); }

  /// Runs SQL that returns nothing.
  result<void> execute(const char* sql);
  /// The first column of the first row; 0 when there is no row.
  result<std::int64_t> integer(const char* sql);
  /// A statement that lives long.
  result<statement> prepare(std::string_view sql);
  std::int64_t changes() const noexcept { return sqlite3_changes64(handle_.get()); }
  /// Undoes the open transaction, if any; never fails in a way the caller could mend.
  void rollback() noexcept;

  /// `rc` as an error that names the file, what was attempted and the remedy.
  millrace::error failure(int rc, std::string_view attempt) const;

private:
  database(std::string path, sqlite3* db) : path_{std::move(path)}, handle_{db} {}

  std::string path_;
  std::unique_ptr<sqlite3, close_db> handle_;
};

/// `BEGIN IMMEDIATE`, rolled back unless committed.
class transaction {
public:
  static result<transaction> begin(database& db);
  transaction(transaction&& other) noexcept : db_{std::exchange(other.db_, nullptr)} {}
  transaction& operator=(transaction&&) = delete;
  ~transaction() {
    if (db_ != nullptr)
      db_->rollback();
  }
  result<void> commit();

private:
  explicit transaction(database& db) : db_{&db} {}

  database* db_;
};

} // namespace millrace::storage::sqlite
