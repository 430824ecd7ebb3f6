// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/sqlite_schema.hpp"

#include <array>
#include <string>

namespace millrace::storage::sqlite {

namespace {

// Append only: entry i leads from version i to i + 1. Rows are clustered by time, because windows arrive nearly in
// order of time and are asked for by time; the second index serves one key.
constexpr std::array<const char*, 1> migrations{R"sql(
CREATE TABLE windows(
  pipeline   TEXT    NOT NULL,
  "window"   TEXT    NOT NULL,
  "key"      TEXT    NOT NULL, -- JSON object, e.g. {"symbol":"AAPL"}; {} without a key
  start      INTEGER NOT NULL, -- nanoseconds since 1970-01-01T00:00:00Z
  "end"      INTEGER NOT NULL, -- the same
  seq        INTEGER NOT NULL, -- number of a count window's result; -1 for other windows
  version    INTEGER NOT NULL, -- counts the emissions of this result; only the last is kept
  generation INTEGER NOT NULL, -- counts re-computations under a changed definition
  final      INTEGER NOT NULL, -- 1 once the watermark has passed the end
  retracted  INTEGER NOT NULL, -- 1: this session was absorbed by another
  "values"   TEXT    NOT NULL, -- JSON object, one member per aggregate: json_extract("values", '$.vwap')
  errors     TEXT,             -- JSON object, aggregate to reason; NULL: none
  PRIMARY KEY(pipeline, "window", start, "key", seq)
) WITHOUT ROWID;
CREATE INDEX windows_by_key ON windows(pipeline, "window", "key", start, seq);

CREATE TABLE alerts(
  pipeline TEXT    NOT NULL,
  id       TEXT    NOT NULL, -- of the incident: its states share it
  rule     TEXT    NOT NULL,
  "key"    TEXT    NOT NULL, -- JSON object
  state    TEXT    NOT NULL, -- pending, firing, resolved
  at       INTEGER NOT NULL, -- event time of the transition, nanoseconds since the epoch
  since    INTEGER NOT NULL, -- event time at which the condition became true
  severity TEXT,
  labels   TEXT    NOT NULL, -- JSON object
  summary  TEXT    NOT NULL,
  "values" TEXT    NOT NULL, -- JSON object
  PRIMARY KEY(pipeline, id, state)
) WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts(pipeline, at, id, state);

CREATE TABLE events(          -- only filled with `storage: {events: true}`
  pipeline TEXT    NOT NULL,
  shard    INTEGER NOT NULL, -- index of the source shard
  position INTEGER NOT NULL, -- place in the shard * 2^20 + index in the message
  time     INTEGER NOT NULL, -- event time, nanoseconds since the epoch
  event    TEXT    NOT NULL, -- JSON object
  PRIMARY KEY(pipeline, shard, position)
) WITHOUT ROWID;
CREATE INDEX events_by_time ON events(pipeline, time, shard, position);

CREATE TABLE positions(       -- how far each input log is stored; changed in the transaction of its rows
  pipeline     TEXT    NOT NULL,
  log          TEXT    NOT NULL,
  epoch        INTEGER NOT NULL, -- fence: only the owner that raised it last may write
  sequence     INTEGER NOT NULL, -- last message stored
  checksum     INTEGER NOT NULL, -- of that message, 64 bits as a signed number
  watermark    INTEGER NOT NULL, -- nanoseconds; smallest integer: unknown, largest: the input has ended
  reader_state BLOB    NOT NULL, -- opaque
  ledger_in    INTEGER NOT NULL,
  forwarded    INTEGER NOT NULL,
  absorbed     INTEGER NOT NULL,
  retired      INTEGER NOT NULL,
  filtered     INTEGER NOT NULL,
  duplicate    INTEGER NOT NULL,
  late         INTEGER NOT NULL,
  rejected     INTEGER NOT NULL,
  skipped      INTEGER NOT NULL,
  PRIMARY KEY(pipeline, log)
) WITHOUT ROWID;
)sql"};

// "MILR"; lets file(1) and us tell our databases from others.
constexpr std::int64_t application_id = 0x4d494c52;

millrace::error newer(const database& db, std::int64_t version) {
  return {ec::unsupported,
          "sqlite " + db.path() + ": schema version " + std::to_string(version) + " is newer than this program's " +
            std::to_string(schema_version()),
          "upgrade Millrace, or use another file"};
}

/// The version, after making sure that the file is ours or empty.
result<std::int64_t> version_of(database& db) {
  // In this order: the id comes in the same transaction as the first objects, so whoever sees objects of ours then
  // sees the id, though another process is just creating them.
  auto objects = db.integer("SELECT count(*) FROM sqlite_master");
  if (!objects)
    return objects;
  auto id = db.integer("PRAGMA application_id");
  if (!id)
    return id;
  auto version = db.integer("PRAGMA user_version");
  if (!version)
    return version;
  if (*id != application_id && *objects != 0)
    return millrace::error{ec::config, "sqlite " + db.path() + ": the file is a database of another program",
                           "give storage.url another path"};
  return version;
}

result<void> apply_next(database& db) {
  auto t = transaction::begin(db);
  if (!t)
    return std::move(t).error();
  // Read again under the lock: another process may have migrated meanwhile.
  auto version = version_of(db);
  if (!version)
    return std::move(version).error();
  if (*version < schema_version()) {
    if (auto r = db.execute(migrations[static_cast<std::size_t>(*version)]); !r)
      return r;
    const auto stamp = "PRAGMA user_version=" + std::to_string(*version + 1) +
                       "; PRAGMA application_id=" + std::to_string(application_id);
    if (auto r = db.execute(stamp.c_str()); !r)
      return r;
  }
  return t->commit();
}

} // namespace

int schema_version() noexcept { return static_cast<int>(migrations.size()); }

result<void> migrate(database& db) {
  for (;;) {
    auto version = version_of(db);
    if (!version)
      return std::move(version).error();
    if (*version > schema_version())
      return newer(db, *version);
    if (*version == schema_version())
      return {};
    if (auto r = apply_next(db); !r)
      return r;
  }
}

result<void> check_version(database& db) {
  auto version = version_of(db);
  if (!version)
    return std::move(version).error();
  if (*version > schema_version())
    return newer(db, *version);
  if (*version < schema_version())
    return millrace::error{ec::unavailable,
                           "sqlite " + db.path() + ": schema version " + std::to_string(*version) + " is older than " +
                             std::to_string(schema_version()),
                           "start the storage service of this version once: it migrates the file"};
  return {};
}

} // namespace millrace::storage::sqlite
