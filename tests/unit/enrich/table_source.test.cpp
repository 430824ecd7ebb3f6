// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_source.hpp"

#include "messaging/memory/memory_bus.hpp"
#include "tests/unit/enrich/support.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <unistd.h>

namespace {

using namespace enrich_test;
using namespace std::chrono_literals;

table_options remote(remote_table::kind what, std::vector<std::string> columns = {"sector", "lot"}) {
  table_options o;
  o.name = "t";
  o.key = "symbol";
  o.types = {{"lot", data_type::int64}};
  o.remote.what = what;
  o.remote.bucket = "instruments";
  o.columns = std::move(columns);
  return o;
}

schema layout_of(const table_options& o) {
  const auto t = empty_table(o);
  REQUIRE(t);
  return (*t)->columns();
}

/// `symbol/sector/lot` of each row.
list rows_of(const table_options& o, std::string_view contents) {
  const auto t = parse_contents(o, layout_of(o), contents);
  REQUIRE(t);
  list out;
  for (std::size_t row = 0; row < (*t)->rows(); ++row) {
    out.emplace_back();
    for (std::size_t c = 0; c < (*t)->columns().size(); ++c) {
      out.back() += c == 0 ? "" : "/";
      codec::append_value(out.back(), (*t)->values(c), row);
    }
  }
  return out;
}

/// What a look found: its rows, `same`, or the error.
list seen_by(table_look& look, const table_options& o) {
  auto found = look.look();
  if (!found)
    return {"error: " + found.error().message};
  return *found ? rows_of(o, **found) : list{"same"};
}

class scratch_file {
public:
  scratch_file() : path_{std::filesystem::temp_directory_path() / ("millrace-table-" + std::to_string(::getpid()))} {}
  ~scratch_file() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  void write(std::string_view text) const {
    // Another file each time, as careful people replace theirs.
    const auto next = path_.string() + ".next";
    std::ofstream{next, std::ios::binary} << text;
    std::filesystem::rename(next, path_);
  }

private:
  std::filesystem::path path_;
};

} // namespace

TEST_CASE("equal rows have equal contents, wherever they come from") {
  const auto o = remote(remote_table::kind::http);
  const auto layout = layout_of(o);
  const auto csv = contents_of_csv(o, layout, "lot,symbol,more,sector\n2,B,x,\n1,A,y,\"te,\"\"ch\"\n");
  REQUIRE(csv);
  CHECK(*csv == "\"symbol\",\"sector\",\"lot\"\n\"A\",\"te,\"\"ch\",\"1\"\n\"B\",,\"2\"\n");
  const auto json = contents_of_json(
    o, layout, R"([{"symbol":"A","lot":1,"sector":"te,\"ch"},{"lot":2,"symbol":"B","sector":null,"more":[1]}])");
  REQUIRE(json);
  CHECK(*json == *csv);
  CHECK(hash_of_contents(*json) == hash_of_contents(*csv));
}

TEST_CASE("an empty text is a text in JSON and null in CSV") {
  const auto o = remote(remote_table::kind::http);
  const auto layout = layout_of(o);
  CHECK(rows_of(o, *contents_of_json(o, layout, R"([{"symbol":"A","sector":""}])")) == list{R"("A"/""/null)"});
  CHECK(rows_of(o, *contents_of_csv(o, layout, "symbol,sector,lot\nA,\"\",\n")) == list{R"("A"/null/null)"});
}

TEST_CASE("contents that cannot be used are refused, and the reason names where") {
  const auto o = remote(remote_table::kind::http);
  const auto layout = layout_of(o);
  const auto csv = [&](std::string_view text) {
    const auto r = contents_of_csv(o, layout, text);
    REQUIRE(!r);
    CHECK(r.error().code == ec::config);
    return r.error().message;
  };
  CHECK(csv("symbol,lot\nA,1\n") == "table `t`: there is no column `sector`");
  CHECK(csv("symbol,sector,lot\nA,x,many\n") == "table `t`: the row of key `A`: column `lot`: `many` is not a int");
  CHECK(csv("symbol,sector,lot\nA,x,1\nA,y,2\n") == "table `t`: the key `A` is there twice");
  CHECK(csv("symbol,sector,lot\nA,x,1\nB\n") == "table `t`: line 3: the record has 1 cells, the header 3");
  CHECK(csv("symbol,sector,lot\n,x,1\n") == "table `t`: the key `symbol` is empty");
  CHECK(csv("") == "table `t`: there is no header line");
  const auto json = [&](std::string_view text) { return contents_of_json(o, layout, text).error().message; };
  CHECK(json("{") == "table `t`: the answer is not JSON (byte 2)");
  CHECK(json("{}") == "table `t`: the answer is not a JSON array of objects");
  CHECK(json("[1]") == "table `t`: item 0 is not a JSON object with the columns as members");
  CHECK(json(R"([{"symbol":"A","lot":{}}])") == "table `t`: item 0: `lot` is an array or an object");
}

TEST_CASE("a file with other columns than the pipeline was loaded with is refused") {
  scratch_file file;
  file.write("symbol,lot\nA,1\n");
  table_options o{"t", file.path(), "symbol", {{"lot", data_type::int64}}};
  const auto loaded = load_csv_table(o);
  REQUIRE(loaded);
  const auto look = look_at_file(o, (*loaded)->columns());
  CHECK(look->look()->has_value());
  CHECK_FALSE(look->look()->has_value()); // unchanged
  file.write("symbol,lot,more\nA,1,2\n");
  CHECK(look->look().error().message == "table `t`: the column `more` was not there when the pipeline was loaded");
  CHECK_FALSE(look->look()->has_value()); // told once
  file.write("symbol,lot\nA,x\n");
  CHECK(look->look().error().message == "table `t`: " + file.path() + ":2: column `lot`: `x` is not a int");
  file.write("lot,symbol\n2,B\n1,A\n");
  const auto last = look->look();
  REQUIRE(last);
  CHECK(**last == "\"symbol\",\"lot\"\n\"A\",\"1\"\n\"B\",\"2\"\n");
  std::filesystem::remove(file.path());
  CHECK(look->look().error().message == "table `t`: cannot read " + file.path());
}

TEST_CASE("a bucket is a table with a row for each key, and changes with it") {
  const auto bus = make_memory_bus(memory_options{{}, {}, {}, true});
  const auto o = remote(remote_table::kind::nats_kv);
  const auto look = look_at_bucket(o, layout_of(o), bus);
  CHECK(seen_by(*look, o).empty()); // made, and without keys
  CHECK(seen_by(*look, o) == list{"same"});
  REQUIRE(bus->kv_put("instruments", "B", R"({"sector":"tech","lot":7,"symbol":"ignored"})"));
  REQUIRE(bus->kv_put("instruments", "A", R"({"lot":5})"));
  CHECK(seen_by(*look, o) == list{R"("A"/null/5)", R"("B"/"tech"/7)"});
  CHECK(seen_by(*look, o) == list{"same"});
  REQUIRE(bus->kv_put("instruments", "A", "5"));
  CHECK(seen_by(*look, o) ==
        list{"error: table `t`: the value of key `A` is not a JSON object with the columns as members"});
  CHECK(seen_by(*look, o) == list{"same"});
  bus->set_available(false);
  bus->set_available(true);
  REQUIRE(bus->kv_put("instruments", "A", R"({"lot":6})"));
  CHECK(seen_by(*look, o) == list{R"("A"/null/6)", R"("B"/"tech"/7)"});
}

TEST_CASE("a change of a bucket that could not be listed is not forgotten") {
  const auto bus = make_memory_bus(memory_options{{}, {}, {}, true});
  const auto o = remote(remote_table::kind::nats_kv);
  const auto look = look_at_bucket(o, layout_of(o), bus);
  bus->set_available(false);
  CHECK(seen_by(*look, o).front().starts_with("error: table `t`: "));
  bus->set_available(true);
  CHECK(seen_by(*look, o).empty());
  REQUIRE(bus->kv_put("instruments", "A", "{}"));
  bus->set_available(false);
  CHECK(seen_by(*look, o).front().starts_with("error: table `t`: "));
  bus->set_available(true);
  CHECK(seen_by(*look, o) == list{R"("A"/null/null)"});
}

TEST_CASE("an HTTP table is asked with its headers and its last ETag, and read by its type") {
  auto o = remote(remote_table::kind::http);
  o.remote.headers = {{"X-Token", "secret"}};
  http_answer next{200, "\"1\"", "text/csv; charset=utf-8", "symbol,sector,lot\nA,x,1\n"};
  header_fields sent;
  const auto look = look_at_http(o, layout_of(o), [&](const header_fields& h) -> result<http_answer> {
    sent = h;
    return next;
  });
  CHECK(seen_by(*look, o) == list{R"("A"/"x"/1)"});
  CHECK(sent == header_fields{{"X-Token", "secret"}});
  next = {304, "", "", ""};
  CHECK(seen_by(*look, o) == list{"same"});
  CHECK(sent == header_fields{{"X-Token", "secret"}, {"If-None-Match", "\"1\""}});
  next = {200, "", "application/vnd.x+json", R"([{"symbol":"A","lot":2}])"};
  CHECK(seen_by(*look, o) == list{R"("A"/null/2)"});
  next = {200, "", "text/plain", " [ ]"};
  CHECK(seen_by(*look, o).empty());
  CHECK(sent.size() == 1); // the last answer had no ETag
  next = {500, "", "", "secret"};
  CHECK(seen_by(*look, o) == list{"error: table `t`: the server answered 500"});
  CHECK(sent.size() == 1);
}

TEST_CASE("a table source delivers each new version once and keeps the last good one") {
  std::mutex mutex;
  std::condition_variable wake;
  result<std::optional<std::string>> next = std::optional<std::string>{"one"};
  std::vector<runtime::control> delivered;
  std::atomic<int> looks{0};
  std::vector<std::string> errors;
  struct scripted : table_look {
    std::function<result<std::optional<std::string>>()> f;
    result<std::optional<std::string>> look() override { return f(); }
  };
  auto look = std::make_unique<scripted>();
  look->f = [&] {
    const std::lock_guard lock{mutex};
    ++looks;
    wake.notify_all();
    return next;
  };
  table_news news;
  news.failed = [&](const std::string& table, const error& why) {
    const std::lock_guard lock{mutex};
    errors.push_back(table + ": " + why.message);
  };
  auto source = make_table_source("t", std::move(look), 1ms, news);
  CHECK(source->name() == "t");
  source->start([&](runtime::control c) {
    const std::lock_guard lock{mutex};
    delivered.push_back(std::move(c));
  });
  const auto three_more_looks = [&] {
    std::unique_lock lock{mutex};
    const int until = looks + 3;
    REQUIRE(wake.wait_for(lock, 5s, [&] { return looks >= until; }));
  };
  const auto set = [&](result<std::optional<std::string>> x) {
    const std::lock_guard lock{mutex};
    next = std::move(x);
  };
  three_more_looks();
  set(error{ec::unavailable, "away", ""});
  three_more_looks();
  set(std::optional<std::string>{"two"});
  three_more_looks();
  source->stop();
  source->stop();
  REQUIRE(delivered.size() == 2);
  CHECK(delivered[0].name == "t");
  CHECK(delivered[0].contents == "one");
  CHECK(delivered[0].hash == hash_of_contents("one"));
  CHECK(delivered[1].contents == "two");
  CHECK(errors == list{"t: away"});
  make_table_source("never started", std::make_unique<scripted>(), 1s, {})->stop();
}
