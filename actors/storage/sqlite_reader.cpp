// SPDX-License-Identifier: Apache-2.0
// The queries behind the HTTP API. Several threads; each call borrows a connection.
#include "actors/storage/cursor.hpp"
#include "actors/storage/sqlite_query.hpp"
#include "actors/storage/sqlite_rows.hpp"
#include "actors/storage/sqlite_schema.hpp"
#include "actors/storage/store.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace millrace::storage {

namespace {

using sqlite::database;
using sqlite::select;
using sqlite::statement;

/// Lists longer than this are for paging.
constexpr std::size_t most_items = 10'000;
/// Connections kept; further calls wait for one.
constexpr std::size_t most_connections = 8;

std::size_t page_size(std::size_t limit) { return std::clamp<std::size_t>(limit, 1, most_items); }

/// ` AND column >= from AND column < to`.
void range(select& q, std::string_view column, const std::optional<nanoseconds_t>& from,
           const std::optional<nanoseconds_t>& to) {
  if (from)
    q.sql(" AND ").sql(column).sql(">=?").value(*from);
  if (to)
    q.sql(" AND ").sql(column).sql("<?").value(*to);
}

/// Steps through `q`, one row more than the page holds: that is how we know there is another page.
/// `append` writes the record of a row, `mark` its cursor.
template <class Append, class Mark>
result<page> read_page(database& db, const select& q, std::size_t limit, Append append, Mark mark) {
  auto s = q.prepare(db);
  if (!s)
    return std::move(s).error();
  page out;
  std::string last;
  for (;;) {
    const int rc = s->step();
    if (rc == SQLITE_DONE)
      return out;
    if (rc != SQLITE_ROW)
      return db.failure(rc, "query");
    if (out.items.size() == limit) {
      out.next = std::move(last);
      return out;
    }
    append(out.items.emplace_back(), *s);
    if (out.items.size() == limit)
      last = encode_cursor(mark(*s));
  }
}

class reader final : public store_reader {
public:
  explicit reader(sqlite_options options) : options_{std::move(options)} {}

  /// Opens the first connection, so that a wrong path is found at once.
  result<void> probe() {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    return {};
  }

  result<page> windows(const window_query& q) override {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    return list_windows(**db, q, page_size(q.limit), q.descending, "");
  }

  result<page> latest(const window_query& q) override {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    if (q.key.empty())
      return latest_of_every_key(**db, q);
    auto one = list_windows(**db, q, 1, true, " AND retracted=0");
    if (one)
      one->next.clear();
    return one;
  }

  result<page> alerts(const alert_query& q) override {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    select s{"SELECT "};
    s.sql(sqlite::alert_columns).sql(" FROM alerts WHERE pipeline=?").value(q.pipeline);
    if (!q.state.empty())
      s.sql(" AND state=?").value(q.state);
    if (!q.rule.empty())
      s.sql(" AND rule=?").value(q.rule);
    range(s, "at", q.from, q.to);
    if (!q.cursor.empty()) {
      // The text is state and id; a state has no '/'.
      auto c = decode_cursor(q.cursor, 'a', 1);
      if (!c)
        return std::move(c).error();
      const auto slash = c->text.find('/');
      if (slash == std::string::npos)
        return millrace::error{ec::invalid, "cursor: not one that this list gave", ""};
      s.sql(q.descending ? " AND (at,id,state)<(?,?,?)" : " AND (at,id,state)>(?,?,?)");
      s.value(c->numbers[0]).value(c->text.substr(slash + 1)).value(c->text.substr(0, slash));
    }
    const auto limit = page_size(q.limit);
    s.sql(q.descending ? " ORDER BY at DESC,id DESC,state DESC" : " ORDER BY at,id,state");
    s.sql(" LIMIT ?").value(static_cast<std::int64_t>(limit) + 1);
    return read_page(**db, s, limit, sqlite::append_alert_row, [](const statement& row) {
      return cursor{'a', {row.integer(4)}, std::string{row.text(3)} + '/' + std::string{row.text(1)}};
    });
  }

  result<page> events(const event_query& q) override {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    auto filters = sqlite::make_filters(q.match);
    if (!filters)
      return std::move(filters).error();
    select s{"SELECT event,time,shard,position FROM events WHERE pipeline=?"};
    s.value(q.pipeline);
    range(s, "time", q.from, q.to);
    s.members("event", *filters);
    if (!q.cursor.empty()) {
      auto c = decode_cursor(q.cursor, 'e', 3);
      if (!c)
        return std::move(c).error();
      s.sql(q.descending ? " AND (time,shard,position)<(?,?,?)" : " AND (time,shard,position)>(?,?,?)");
      for (const auto n : c->numbers)
        s.value(n);
    }
    const auto limit = page_size(q.limit);
    s.sql(q.descending ? " ORDER BY time DESC,shard DESC,position DESC" : " ORDER BY time,shard,position");
    s.sql(" LIMIT ?").value(static_cast<std::int64_t>(limit) + 1);
    return read_page(
      **db, s, limit, [](std::string& out, const statement& row) { out = row.text(0); },
      [](const statement& row) {
        return cursor{'e', {row.integer(1), row.integer(2), row.integer(3)}, {}};
      });
  }

  result<nanoseconds_t> watermark(std::string_view pipeline) override {
    auto db = borrow();
    if (!db)
      return std::move(db).error();
    select q{"SELECT min(watermark) FROM positions WHERE pipeline=?"};
    q.value(pipeline);
    auto s = q.prepare(**db);
    if (!s)
      return std::move(s).error();
    if (const int rc = s->step(); rc != SQLITE_ROW)
      return (*db)->failure(rc, "read the watermark");
    return s->is_null(0) ? no_watermark : nanoseconds_t{s->integer(0)};
  }

private:
  /// A connection on loan; goes back when it leaves its scope.
  class loan {
  public:
    loan(reader& owner, std::unique_ptr<database> db) : owner_{&owner}, db_{std::move(db)} {}
    loan(loan&&) = default;
    loan& operator=(loan&&) = delete;
    ~loan() {
      if (db_)
        owner_->give_back(std::move(db_));
    }
    database& operator*() { return *db_; }
    database* operator->() { return db_.get(); }

  private:
    reader* owner_;
    std::unique_ptr<database> db_;
  };

  result<loan> borrow() {
    {
      std::unique_lock lock{mutex_};
      free_changed_.wait(lock, [&] { return !free_.empty() || open_ < most_connections; });
      if (!free_.empty()) {
        loan l{*this, std::move(free_.back())};
        free_.pop_back();
        return l;
      }
      ++open_;
    }
    auto db = connect();
    if (!db) {
      const std::lock_guard lock{mutex_};
      --open_;
      free_changed_.notify_one();
      return std::move(db).error();
    }
    return loan{*this, std::make_unique<database>(std::move(*db))};
  }

  void give_back(std::unique_ptr<database> db) {
    const std::lock_guard lock{mutex_};
    free_.push_back(std::move(db));
    free_changed_.notify_one();
  }

  result<database> connect() const {
    auto db = database::open(options_.path, sqlite::open_mode::existing, options_.busy_timeout_ms);
    if (!db) {
      auto e = std::move(db).error();
      e.code = ec::unavailable;
      e.hint = "the storage service creates the database when it starts";
      return e;
    }
    if (auto r = db->execute("PRAGMA query_only=1; PRAGMA cache_size=-16384"); !r)
      return std::move(r).error();
    if (auto r = sqlite::check_version(*db); !r)
      return std::move(r).error();
    return db;
  }

  static result<std::string> newest_key(database& db, const window_query& q) {
    select s{R"(SELECT "key" FROM windows WHERE pipeline=? AND "window"=? ORDER BY start DESC LIMIT 1)"};
    s.value(q.pipeline).value(q.window);
    auto found = s.prepare(db);
    if (!found)
      return std::move(found).error();
    const int rc = found->step();
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
      return db.failure(rc, "query");
    return rc == SQLITE_ROW ? std::string{found->text(0)} : std::string{"{}"};
  }

  static result<page> list_windows(database& db, const window_query& q, std::size_t limit, bool descending,
                                   std::string_view condition) {
    auto filters = sqlite::make_filters(q.key);
    if (!filters)
      return std::move(filters).error();
    std::vector<std::string> keys;
    if (!filters->empty()) {
      auto example = newest_key(db, q);
      if (!example)
        return std::move(example).error();
      auto full = sqlite::full_keys(db, *example, *filters);
      if (!full)
        return std::move(full).error();
      keys = std::move(*full);
    }
    select s{"SELECT "};
    s.sql(sqlite::window_columns).sql(" FROM windows");
    s.sql(keys.empty() ? "" : " INDEXED BY windows_by_key");
    s.sql(R"( WHERE pipeline=? AND "window"=?)").value(q.pipeline).value(q.window);
    if (!keys.empty())
      s.sql(R"( AND "key" IN )").list(keys);
    else
      s.members(R"("key")", *filters);
    range(s, "start", q.from, q.to);
    if (!q.cursor.empty()) {
      auto c = decode_cursor(q.cursor, 'w', 2);
      if (!c)
        return std::move(c).error();
      s.sql(descending ? R"( AND (start,"key",seq)<(?,?,?))" : R"( AND (start,"key",seq)>(?,?,?))");
      s.value(c->numbers[0]).value(c->text).value(c->numbers[1]);
    }
    s.sql(condition);
    s.sql(descending ? R"( ORDER BY start DESC,"key" DESC,seq DESC)" : R"( ORDER BY start,"key",seq)");
    s.sql(" LIMIT ?").value(static_cast<std::int64_t>(limit) + 1);
    return read_page(db, s, limit, sqlite::append_window_row, [](const statement& row) {
      return cursor{'w', {row.integer(2), row.integer(4)}, std::string{row.text(1)}};
    });
  }

  /// Jumps from key to key in the index: the cost is per key, not per window.
  static result<page> latest_of_every_key(database& db, const window_query& q) {
    std::string after;
    bool first = true;
    if (!q.cursor.empty()) {
      auto c = decode_cursor(q.cursor, 'l', 0);
      if (!c)
        return std::move(c).error();
      after = std::move(c->text);
      first = false;
    }
    select next{R"(SELECT min("key") FROM windows INDEXED BY windows_by_key
      WHERE pipeline=? AND "window"=? AND "key">?)"};
    next.value(q.pipeline).value(q.window);
    select newest{"SELECT "};
    newest.sql(sqlite::window_columns).sql(" FROM windows INDEXED BY windows_by_key");
    newest.sql(R"( WHERE pipeline=? AND "window"=?)").value(q.pipeline).value(q.window);
    range(newest, "start", q.from, q.to);
    newest.sql(R"( AND retracted=0 AND "key"=? ORDER BY start DESC,seq DESC LIMIT 1)");
    // The key is the last value of both.
    const int next_parameter = 3;
    const int newest_parameter = 3 + (q.from ? 1 : 0) + (q.to ? 1 : 0);
    auto next_key = next.prepare(db);
    auto record = newest.prepare(db);
    if (!next_key || !record)
      return !next_key ? std::move(next_key).error() : std::move(record).error();

    page out;
    const auto limit = page_size(q.limit);
    std::string last = after;
    for (;;) {
      // No key is empty text, so that "" stands before all of them.
      next_key->reset();
      next_key->bind(next_parameter, std::string_view{first ? std::string_view{} : std::string_view{after}});
      first = false;
      if (const int rc = next_key->step(); rc != SQLITE_ROW)
        return db.failure(rc, "query");
      if (next_key->is_null(0))
        return out;
      after = next_key->text(0);
      record->reset();
      record->bind(newest_parameter, std::string_view{after});
      const int rc = record->step();
      if (rc == SQLITE_DONE)
        continue;
      if (rc != SQLITE_ROW)
        return db.failure(rc, "query");
      if (out.items.size() == limit) {
        out.next = encode_cursor({'l', {}, last});
        return out;
      }
      sqlite::append_window_row(out.items.emplace_back(), *record);
      last = after;
    }
  }

  sqlite_options options_;
  std::mutex mutex_;
  std::condition_variable free_changed_;
  std::size_t open_ = 0;
  std::vector<std::unique_ptr<database>> free_;
};

} // namespace

result<std::unique_ptr<store_reader>> open_sqlite_reader(const sqlite_options& options) {
  auto r = std::make_unique<reader>(options);
  if (auto probed = r->probe(); !probed)
    return std::move(probed).error();
  return std::unique_ptr<store_reader>{std::move(r)};
}

} // namespace millrace::storage
