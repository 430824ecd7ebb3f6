// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/postgres_table.hpp"

#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

using namespace millrace;
using namespace millrace::storage;

namespace {

namespace fs = std::filesystem;

/// A PostgreSQL of our own on a Unix socket, if the server is installed; it refuses to be run by root.
class server {
public:
  server() {
    if (!fs::exists("/usr/lib/postgresql"))
      return;
    for (const auto& version : fs::directory_iterator{"/usr/lib/postgresql"})
      if (fs::exists(version.path() / "bin/initdb"))
        bin_ = (version.path() / "bin").string();
    if (bin_.empty())
      return;
    folder_ = (fs::temp_directory_path() / ("millrace-pg-" + std::to_string(::getpid()))).string();
    fs::create_directories(folder_);
    if (::geteuid() == 0) {
      user_ = "setpriv --reuid=nobody --regid=nogroup --clear-groups ";
      run("chown nobody:nogroup " + folder_);
    }
    running_ = run(user_ + bin_ + "/initdb -D " + folder_ + "/data -U reader -A trust --no-sync -E UTF8 --locale=C") &&
               run(user_ + bin_ + "/pg_ctl -D " + folder_ + "/data -w -t 20 -l " + folder_ +
                   "/log -o \"-c listen_addresses='' -c fsync=off -k " + folder_ + "\" start");
  }
  ~server() {
    if (running_)
      run(user_ + bin_ + "/pg_ctl -D " + folder_ + "/data -m immediate stop");
    std::error_code ignored;
    if (!folder_.empty())
      fs::remove_all(folder_, ignored);
  }
  bool running() const { return running_; }
  std::string url() const { return "postgresql://reader:secret@/postgres?host=" + folder_; }
  result<postgres_rows> ask(const std::string& text, std::size_t max = 1U << 20) const {
    return query_postgres({url(), text, max});
  }

private:
  static bool run(const std::string& command) {
    return std::system(("cd / && " + command + " >/dev/null 2>&1").c_str()) == 0;
  }

  std::string bin_;
  std::string folder_;
  std::string user_;
  bool running_ = false;
};

} // namespace

TEST_CASE("PostgreSQL's rows are read as texts, and it is not written to") {
  const server pg;
  if (!pg.running()) {
    WARN("skipped: no PostgreSQL server can be started here");
    return;
  }
  const auto rows =
    pg.ask("select * from (values ('A', 1, true, 1.5::float8, null), ('B', 2, false, 2, 'x')) as t(k, n, b, d, s)");
  REQUIRE(rows);
  CHECK(rows->columns == std::vector<std::string>{"k", "n", "b", "d", "s"});
  REQUIRE(rows->rows.size() == 2);
  using row = std::vector<std::optional<std::string>>;
  CHECK(rows->rows[0] == row{"A", "1", "true", "1.5", std::nullopt});
  CHECK(rows->rows[1] == row{"B", "2", "false", "2", "x"});
  CHECK(pg.ask("select 'x' as k where false")->columns == std::vector<std::string>{"k"});

  const auto wrong = pg.ask("selec 1");
  REQUIRE(!wrong);
  CHECK(wrong.error().code == ec::config);
  CHECK(wrong.error().message.find("syntax error") != std::string::npos);
  CHECK(pg.ask("create table t (a int)").error().message.find("read-only") != std::string::npos);
  CHECK(pg.ask("set application_name = 'x'").error().message == "the query gives no rows");
  CHECK(pg.ask("select 1; select 2").error().code == ec::config);
  CHECK(pg.ask("select repeat('x', 100) from generate_series(1, 100)", 1000).error().code == ec::too_large);
}

TEST_CASE("no error of PostgreSQL repeats the url") {
  for (const auto* url :
       {"postgresql://u:secret@127.0.0.1:1/x", "postgresql://u:secret@h:port/x", "secret", "postgres://%zz:secret@"}) {
    const auto r = query_postgres({url, "select 1", 1000, std::chrono::seconds{2}});
    REQUIRE(!r);
    CHECK(to_string(r.error()).find("secret") == std::string::npos);
  }
}
