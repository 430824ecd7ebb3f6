// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/sqlite_db.hpp"

#include <utility>

namespace millrace::storage::sqlite {

void statement::bind(int index, std::string_view text) noexcept {
  // A null pointer would bind NULL.
  const char* data = text.data() != nullptr ? text.data() : "";
  sqlite3_bind_text64(handle_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void statement::bind_blob(int index, std::string_view bytes) noexcept {
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  sqlite3_bind_blob64(handle_.get(), index, data, bytes.size(), SQLITE_STATIC);
}

std::string_view statement::text(int column) const noexcept {
  const auto* data = sqlite3_column_blob(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return data != nullptr ? std::string_view{static_cast<const char*>(data), static_cast<std::size_t>(size)}
                         : std::string_view{};
}

namespace {

struct meaning {
  ec code;
  std::string_view hint;
};

meaning meaning_of(int rc) {
  switch (rc & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return {ec::unavailable, "another process holds the database; it is tried again"};
  case SQLITE_FULL: return {ec::full, "free space on the disk that holds the database"};
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return {ec::corrupt, "restore the file from a backup, or move it away and replay the logs into a new one"};
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
  case SQLITE_AUTH:
  case SQLITE_READONLY:
    return {ec::io, "check that the file and its folder exist and that this user may write to both"};
  case SQLITE_IOERR: return {ec::io, "check the disk and the file system"};
  case SQLITE_NOMEM: return {ec::unavailable, "out of memory; it is tried again"};
  case SQLITE_TOOBIG: return {ec::too_large, ""};
  default: return {ec::internal, ""};
  }
}

} // namespace

millrace::error database::failure(int rc, std::string_view attempt) const {
  const auto [code, hint] = meaning_of(rc);
  std::string message = "sqlite " + path_ + ": " + std::string{attempt} + ": ";
  message +=
    handle_ && sqlite3_errcode(handle_.get()) != SQLITE_OK ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(rc);
  return {code, std::move(message), std::string{hint}};
}

result<database> database::open(const std::string& path, open_mode mode, int busy_timeout_ms) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == open_mode::create ? SQLITE_OPEN_CREATE : 0);
  const int rc = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  database db{path, raw};
  if (rc != SQLITE_OK)
    return db.failure(rc, "open");
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, busy_timeout_ms);
  return db;
}

result<void> database::execute(const char* sql) {
  if (const int rc = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr); rc != SQLITE_OK)
    return failure(rc, sql);
  return {};
}

result<std::int64_t> database::integer(const char* sql) {
  auto s = prepare(sql);
  if (!s)
    return std::move(s).error();
  const int rc = s->step();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    return failure(rc, sql);
  return rc == SQLITE_ROW ? s->integer(0) : 0;
}

result<statement> database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int rc = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                    &raw, nullptr);
  if (rc != SQLITE_OK)
    return failure(rc, sql);
  return statement{raw};
}

void database::rollback() noexcept {
  if (sqlite3_get_autocommit(handle_.get()) == 0)
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

result<transaction> transaction::begin(database& db) {
  if (auto r = db.execute("BEGIN IMMEDIATE"); !r)
    return std::move(r).error();
  return transaction{db};
}

result<void> transaction::commit() {
  auto r = db_->execute("COMMIT");
  // A failed commit leaves the transaction open or rolled back; the destructor handles both.
  if (r)
    db_ = nullptr;
  return r;
}

} // namespace millrace::storage::sqlite
