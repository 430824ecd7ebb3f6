// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/sqlite_db.hpp"
#include "tests/unit/storage/fixture.hpp"

#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::testing;

namespace {

sqlite::database raw(const temp_dir& dir) {
  return must(sqlite::database::open(dir.file(), sqlite::open_mode::create, 50));
}

ec open_error(const temp_dir& dir) {
  sqlite_options o;
  o.path = dir.file();
  auto w = open_sqlite_writer(o);
  return w ? ec::none : w.error().code;
}

} // namespace

TEST_CASE("a stored window is read back as the very record that was computed") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  const std::vector<window_row> rows{
    {"AAPL", 1, 1'000'000'000, 0, 3, 12.5, "", true, false},
    {"A\"\\\n\u00e9", -7, 1'000'000'001, 2, 0, std::nullopt, R"({"vwap":"division by zero"})", false, false},
    {"", 0, -5, 9, 1, 1e300, "", true, true},
  };
  log_feed feed{*w, "log"};
  feed.write({windows_section(rows)});
  const auto reader = reader_on(dir);
  const auto got = must(reader->windows(all_windows()));
  REQUIRE(got.items.size() == 3);
  CHECK(got.items[0] == record_of(rows[2]));
  CHECK(got.items[1] == record_of(rows[0]));
  CHECK(got.items[2] == record_of(rows[1]));
  CHECK(got.next.empty());
}

TEST_CASE("a first claim starts at zero, a later one continues with everything the position held") {
  const temp_dir dir;
  auto w = writer_on(dir);
  const auto first = must(w->claim("p", "log"));
  CHECK(first.epoch == 1);
  CHECK(first.sequence == 0);
  CHECK(first.watermark == no_watermark);
  position next;
  next.epoch = first.epoch;
  next.sequence = 42;
  next.checksum = 0xffff'ffff'ffff'fff0ULL;
  next.reader_state = std::string{"\0state\xff", 7};
  next.watermark = 17;
  next.counters = {.in = 9, .forwarded = 1, .absorbed = 2, .retired = 1, .filtered = 3, .late = 3};
  must(w->write("p", "log", {{}, next}));
  w = writer_on(dir);
  const auto again = must(w->claim("p", "log"));
  CHECK(again.epoch == 2);
  CHECK(again.sequence == 42);
  CHECK(again.checksum == next.checksum);
  CHECK(again.reader_state == next.reader_state);
  CHECK(again.watermark == 17);
  CHECK(again.counters == next.counters);
  CHECK(must(w->claim("p", "other")).epoch == 1);
  CHECK(must(w->claim("q", "log")).sequence == 0);
}

TEST_CASE("a writer whose log was claimed by another is fenced and stores nothing") {
  const temp_dir dir;
  const auto old = writer_on(dir);
  log_feed zombie{*old, "log"};
  zombie.write({windows_section({{"A", 0, 1, 0, 1}})});
  const auto fresh = writer_on(dir);
  log_feed owner{*fresh, "log"};
  const auto r = zombie.try_write({windows_section({{"B", 0, 1, 0, 1}})});
  REQUIRE(!r);
  CHECK(r.error().code == ec::fenced);
  owner.write({windows_section({{"C", 0, 1, 0, 1}})});
  const auto again = zombie.try_write({windows_section({{"B", 0, 1, 0, 1}})});
  REQUIRE(!again);
  CHECK(again.error().code == ec::fenced);
  CHECK(must(reader_on(dir)->windows(all_windows())).items.size() == 2);
}

TEST_CASE("of two claims through one writer only the later may write") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed first{*w, "log"};
  log_feed second{*w, "log"};
  const auto r = first.try_write({});
  REQUIRE(!r);
  CHECK(r.error().code == ec::fenced);
  second.write({});
}

TEST_CASE("a call whose commit was lost in doubt is done when repeated") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  const std::vector<section> rows{windows_section({{"A", 0, 1, 0, 1}})};
  const auto next = feed.next();
  // Another connection does what the commit in doubt would have done.
  auto db = raw(dir);
  const auto move =
    "UPDATE positions SET sequence=1, checksum=" + std::to_string(static_cast<std::int64_t>(next.checksum));
  must(db.execute(move.c_str()));
  must(w->write("p", "log", {rows, next}));
  CHECK(must(reader_on(dir)->windows(all_windows())).items.empty());
  must(db.execute("UPDATE positions SET sequence=7"));
  const auto after = next;
  const auto r = w->write("p", "log", {rows, [&] {
                                         auto p = after;
                                         p.sequence = 2;
                                         return p;
                                       }()});
  REQUIRE(!r);
  CHECK(r.error().code == ec::fenced);
}

TEST_CASE("writing the same rows again changes nothing") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  const std::vector<section> rows{windows_section({{"A", 0, 1, 0, 1}, {"A", 0, 1, 1, 2}, {"B", 0, 1, 0, 5}})};
  feed.write(rows);
  const auto reader = reader_on(dir);
  const auto once = must(reader->windows(all_windows())).items;
  feed.write(rows);
  CHECK(must(reader->windows(all_windows())).items == once);
  CHECK(once.size() == 2);
}

TEST_CASE("a write before a claim, and a position that goes back, are refused") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  position p;
  p.sequence = 1;
  CHECK(w->write("p", "log", {{}, p}).error().code == ec::invalid);
  log_feed feed{*w, "log"};
  feed.write({});
  feed.write({});
  p.epoch = feed.at().epoch;
  CHECK(w->write("p", "log", {{}, p}).error().code == ec::invalid);
}

TEST_CASE("a section without its fixed columns is refused and nothing of its frame is stored") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", data_type::int64, false}})};
  b.set_int(0, 1);
  b.finish_row(0, 0, 0, 0);
  const auto r = feed.try_write({windows_section({{"A", 0, 1, 0, 1}}), section{"w", b.finish()}});
  REQUIRE(!r);
  CHECK(r.error().code == ec::invalid);
  CHECK(must(reader_on(dir)->windows(all_windows())).items.empty());
  feed.write({windows_section({{"A", 0, 1, 0, 1}})});
}

TEST_CASE("a writer killed at any moment leaves whole transactions") {
  const temp_dir dir;
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Each frame holds ten rows; no Catch assertions in the child.
    sqlite_options o;
    o.path = dir.file();
    auto w = open_sqlite_writer(o);
    if (!w)
      _exit(1);
    auto p = (*w)->claim("p", "log");
    if (!p)
      _exit(2);
    for (;;) {
      ++p->sequence;
      std::vector<window_row> rows;
      for (int i = 0; i < 10; ++i)
        rows.push_back({"S" + std::to_string(i), 0, static_cast<nanoseconds_t>(p->sequence), 0, i});
      const std::vector<section> sections{windows_section(rows)};
      if (!(*w)->write("p", "log", {sections, *p}))
        _exit(3);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds{150});
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  const auto w = writer_on(dir);
  const auto p = must(w->claim("p", "log"));
  auto db = raw(dir);
  CHECK(must(db.integer("SELECT count(*) FROM windows")) == static_cast<std::int64_t>(p.sequence) * 10);
  auto integrity = must(db.prepare("PRAGMA integrity_check"));
  REQUIRE(integrity.step() == SQLITE_ROW);
  CHECK(integrity.text(0) == "ok");
}

TEST_CASE("a database that another process has locked is unavailable, and the call works when repeated") {
  const temp_dir dir;
  const auto w = writer_on(dir);
  log_feed feed{*w, "log"};
  auto other = raw(dir);
  must(other.execute("BEGIN IMMEDIATE"));
  const auto r = feed.try_write({windows_section({{"A", 0, 1, 0, 1}})});
  REQUIRE(!r);
  CHECK(r.error().code == ec::unavailable);
  CHECK(r.error().message.find(dir.file()) != std::string::npos);
  CHECK(!r.error().hint.empty());
  must(other.execute("ROLLBACK"));
  feed.write({windows_section({{"A", 0, 1, 0, 1}})});
}

TEST_CASE("a database without space is full, with the file and the remedy") {
  const temp_dir dir;
  auto db = raw(dir);
  must(db.execute("PRAGMA max_page_count=8; CREATE TABLE t(x)"));
  result<void> r;
  for (int i = 0; i < 100 && r; ++i)
    r = db.execute("INSERT INTO t VALUES(zeroblob(2000))");
  REQUIRE(!r);
  CHECK(r.error().code == ec::full);
  CHECK(r.error().message.find(dir.file()) != std::string::npos);
  CHECK(!r.error().hint.empty());
}

TEST_CASE("a file that is not a database is corrupt, one of another program is refused untouched") {
  const temp_dir dir;
  SECTION("garbage") {
    std::ofstream{dir.file()} << std::string(8192, 'x');
    CHECK(open_error(dir) == ec::corrupt);
  }
  SECTION("another program's") {
    must(raw(dir).execute("CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)"));
    CHECK(open_error(dir) == ec::config);
    auto db = raw(dir);
    CHECK(must(db.integer("SELECT count(*) FROM sqlite_master")) == 1);
    CHECK(must(db.integer("PRAGMA user_version")) == 0);
  }
  SECTION("a folder that is not there") {
    sqlite_options o;
    o.path = dir.file("no/such/t.db");
    const auto w = open_sqlite_writer(o);
    REQUIRE(!w);
    CHECK(w.error().code == ec::io);
    CHECK(w.error().message.find("no/such/t.db") != std::string::npos);
  }
}

TEST_CASE("the schema carries its version, and one of a newer program is refused") {
  const temp_dir dir;
  (void)writer_on(dir);
  auto db = raw(dir);
  CHECK(must(db.integer("PRAGMA user_version")) == 1);
  CHECK(must(db.integer("PRAGMA application_id")) == 0x4d494c52);
  const auto tables = db.integer("SELECT count(*) FROM sqlite_master WHERE type='table' AND name IN "
                                 "('windows','alerts','events','positions')");
  CHECK(must(tables) == 4);
  CHECK(open_error(dir) == ec::none);
  must(db.execute("PRAGMA user_version=99"));
  CHECK(open_error(dir) == ec::unsupported);
  sqlite_options o;
  o.path = dir.file();
  CHECK(open_sqlite_reader(o).error().code == ec::unsupported);
}

TEST_CASE("two writers that start on a new file at once both find a whole schema") {
  const temp_dir dir;
  sqlite_options o;
  o.path = dir.file();
  std::vector<ec> codes(4, ec::internal);
  std::vector<std::thread> threads;
  for (auto& code : codes)
    threads.emplace_back([&] {
      auto w = open_sqlite_writer(o);
      code = w ? ec::none : w.error().code;
    });
  for (auto& t : threads)
    t.join();
  CHECK(codes == std::vector<ec>(4, ec::none));
}

TEST_CASE("commits are synchronous and in write-ahead mode") {
  const temp_dir dir;
  (void)writer_on(dir);
  auto db = raw(dir);
  auto mode = must(db.prepare("PRAGMA journal_mode"));
  REQUIRE(mode.step() == SQLITE_ROW);
  CHECK(mode.text(0) == "wal");
}
