// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tables and their versions. The SQL is the reference for people who query the file with Grafana or by hand:
/// its comments stay in the database (`.schema` in the sqlite3 shell shows them).
#pragma once

#include "actors/storage/sqlite_db.hpp"

namespace millrace::storage::sqlite {

/// The version this program writes (PRAGMA user_version).
int schema_version() noexcept;

/// Brings the database to `schema_version()`, each step in one transaction; safe when two processes start at once.
/// Errors: ec::config (a foreign database), ec::unsupported (written by a newer program).
result<void> migrate(database& db);

/// For readers: errors unless the database stands at `schema_version()`; ec::unavailable while it is older.
result<void> check_version(database& db);

} // namespace millrace::storage::sqlite
