// SPDX-License-Identifier: Apache-2.0
// The fenced, idempotent writer (rule 2.8).
#include "actors/storage/sqlite_rows.hpp"
#include "actors/storage/sqlite_schema.hpp"
#include "actors/storage/store.hpp"

#include <map>
#include <utility>

namespace millrace::storage {

namespace {

using sqlite::database;
using sqlite::statement;
using sqlite::transaction;

constexpr std::string_view claim_sql = R"sql(
INSERT INTO positions(pipeline,log,epoch,sequence,checksum,watermark,reader_state,
  ledger_in,forwarded,absorbed,retired,filtered,duplicate,late,rejected,skipped)
VALUES(?1,?2,1,0,0,?3,x'',0,0,0,0,0,0,0,0,0)
ON CONFLICT(pipeline,log) DO UPDATE SET epoch=epoch+1)sql";

constexpr std::string_view read_sql = R"sql(
SELECT epoch,sequence,checksum,watermark,reader_state,
  ledger_in,forwarded,absorbed,retired,filtered,duplicate,late,rejected,skipped
FROM positions WHERE pipeline=?1 AND log=?2)sql";

constexpr std::string_view move_sql = R"sql(
UPDATE positions SET sequence=?3,checksum=?4,watermark=?5,reader_state=?6,
  ledger_in=?7,forwarded=?8,absorbed=?9,retired=?10,filtered=?11,duplicate=?12,late=?13,rejected=?14,skipped=?15
WHERE pipeline=?1 AND log=?2 AND sequence=?16 AND epoch=?17)sql";

class writer final : public store_writer {
public:
  writer(database db, bool keep_events) : db_{std::move(db)}, keep_events_{keep_events} {}

  result<void> prepare() {
    for (auto [target, sql] :
         {std::pair{&claim_, claim_sql}, std::pair{&read_, read_sql}, std::pair{&move_, move_sql}}) {
      auto s = db_.prepare(sql);
      if (!s)
        return std::move(s).error();
      *target = std::move(*s);
    }
    auto rows = sqlite::row_writer::prepare(db_);
    if (!rows)
      return std::move(rows).error();
    rows_ = std::move(*rows);
    return {};
  }

  result<position> claim(std::string_view pipeline, std::string_view log) override {
    auto t = transaction::begin(db_);
    if (!t)
      return std::move(t).error();
    claim_.bind(1, pipeline);
    claim_.bind(2, log);
    claim_.bind(3, std::int64_t{no_watermark});
    const int rc = claim_.step();
    claim_.reset();
    if (rc != SQLITE_DONE)
      return db_.failure(rc, "claim " + std::string{log});
    auto p = read(pipeline, log);
    if (!p)
      return p;
    if (auto r = t->commit(); !r)
      return std::move(r).error();
    held_[{std::string{pipeline}, std::string{log}}] = {p->epoch, p->sequence};
    return p;
  }

  result<void> write(std::string_view pipeline, std::string_view log, const write_request& request) override {
    const auto found = held_.find({std::string{pipeline}, std::string{log}});
    if (found == held_.end())
      return millrace::error{ec::invalid, "storage: write to " + std::string{log} + " before claim", ""};
    auto& mine = found->second;
    // Two partitions of one process may share this writer: the one that claimed earlier is fenced as well.
    if (request.next.epoch != 0 && request.next.epoch != mine.epoch)
      return fenced(log, request.next.epoch, mine.epoch);
    if (request.next.sequence < mine.sequence)
      return millrace::error{ec::invalid,
                             "storage: position of " + std::string{log} + " would go back from " +
                               std::to_string(mine.sequence) + " to " + std::to_string(request.next.sequence),
                             ""};
    auto t = transaction::begin(db_);
    if (!t)
      return std::move(t).error();
    auto moved = move(pipeline, log, mine, request.next);
    if (!moved)
      return std::move(moved).error();
    if (!*moved)
      return resolve(pipeline, log, mine, request.next);
    for (const auto& s : request.sections)
      if (auto r = rows_.write(db_, pipeline, s, keep_events_); !r)
        return r;
    if (auto r = t->commit(); !r)
      return r;
    mine.sequence = request.next.sequence;
    return {};
  }

private:
  /// What this writer knows of a position row it owns.
  struct ownership {
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
  };

  static millrace::error fenced(std::string_view log, std::uint64_t mine, std::uint64_t theirs) {
    return {ec::fenced,
            "storage: " + std::string{log} + " was claimed by another writer (epoch " + std::to_string(theirs) +
              ", ours " + std::to_string(mine) + ")",
            ""};
  }

  result<position> read(std::string_view pipeline, std::string_view log) {
    read_.bind(1, pipeline);
    read_.bind(2, log);
    const sqlite::scoped_reset reset{read_};
    if (const int rc = read_.step(); rc != SQLITE_ROW) {
      if (rc == SQLITE_DONE)
        return millrace::error{ec::fenced, "storage: the position of " + std::string{log} + " is gone",
                               "the database was replaced under a running service; restart it"};
      return db_.failure(rc, "read the position of " + std::string{log});
    }
    position p;
    p.epoch = read_.bits(0);
    p.sequence = read_.bits(1);
    p.checksum = read_.bits(2);
    p.watermark = read_.integer(3);
    p.reader_state = read_.text(4);
    auto& c = p.counters;
    int column = 5;
    for (auto* n :
         {&c.in, &c.forwarded, &c.absorbed, &c.retired, &c.filtered, &c.duplicate, &c.late, &c.rejected, &c.skipped})
      *n = read_.bits(column++);
    return p;
  }

  /// False: no row had our epoch and the old sequence.
  result<bool> move(std::string_view pipeline, std::string_view log, const ownership& mine, const position& next) {
    move_.bind(1, pipeline);
    move_.bind(2, log);
    move_.bind_bits(3, next.sequence);
    move_.bind_bits(4, next.checksum);
    move_.bind(5, std::int64_t{next.watermark});
    move_.bind_blob(6, next.reader_state);
    const auto& c = next.counters;
    int parameter = 7;
    for (const auto n :
         {c.in, c.forwarded, c.absorbed, c.retired, c.filtered, c.duplicate, c.late, c.rejected, c.skipped})
      move_.bind_bits(parameter++, n);
    move_.bind_bits(16, mine.sequence);
    move_.bind_bits(17, mine.epoch);
    const int rc = move_.step();
    move_.reset();
    if (rc != SQLITE_DONE)
      return db_.failure(rc, "move the position of " + std::string{log});
    return db_.changes() == 1;
  }

  /// No row was updated: either an earlier attempt of this very call was committed after all, or we are fenced.
  result<void> resolve(std::string_view pipeline, std::string_view log, ownership& mine, const position& next) {
    auto p = read(pipeline, log);
    if (!p)
      return std::move(p).error();
    if (p->epoch != mine.epoch || p->sequence != next.sequence || p->checksum != next.checksum)
      return fenced(log, mine.epoch, p->epoch);
    mine.sequence = next.sequence;
    return {};
  }

  database db_;
  bool keep_events_;
  statement claim_;
  statement read_;
  statement move_;
  sqlite::row_writer rows_;
  std::map<std::pair<std::string, std::string>, ownership> held_;
};

result<void> make_durable(database& db) {
  auto mode = db.prepare("PRAGMA journal_mode=WAL");
  if (!mode)
    return std::move(mode).error();
  if (const int rc = mode->step(); rc != SQLITE_ROW)
    return db.failure(rc, "switch to write-ahead logging");
  if (mode->text(0) != "wal")
    return millrace::error{ec::io, "sqlite " + db.path() + ": the file system does not support write-ahead logging",
                           "put the database on a local disk"};
  // FULL: in WAL mode anything less may lose committed positions with the power. The larger checkpoint interval
  // and cache keep bursts of window results from writing the same pages again and again.
  return db.execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864;"
                    "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY");
}

} // namespace

result<std::unique_ptr<store_writer>> open_sqlite_writer(const sqlite_options& options) {
  auto db = database::open(options.path, sqlite::open_mode::create, options.busy_timeout_ms);
  if (!db)
    return std::move(db).error();
  // Refuse a foreign file before its journal mode is changed.
  if (auto r = sqlite::migrate(*db); !r)
    return std::move(r).error();
  if (auto r = make_durable(*db); !r)
    return std::move(r).error();
  auto w = std::make_unique<writer>(std::move(*db), options.keep_events);
  if (auto r = w->prepare(); !r)
    return std::move(r).error();
  return std::unique_ptr<store_writer>{std::move(w)};
}

} // namespace millrace::storage
