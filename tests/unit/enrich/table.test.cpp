// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/enrich/support.hpp"

#include "actors/enrich/csv_records.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace {

using namespace enrich_test;

std::vector<std::vector<std::string>> records(std::string_view text) {
  csv_records r{text};
  std::vector<std::vector<std::string>> out;
  std::vector<std::string> cells;
  while (r.next(cells))
    out.push_back(cells);
  CHECK(r.error().empty());
  return out;
}

std::string message_of(const table_options& o, std::string_view text) {
  const auto t = parse_csv_table(o, text);
  REQUIRE(!t);
  CHECK(t.error().code == ec::config);
  return t.error().message + (t.error().hint.empty() ? "" : " (" + t.error().hint + ")");
}

} // namespace

TEST_CASE("CSV records are read as RFC 4180 says") {
  using rows = std::vector<std::vector<std::string>>;
  CHECK(records("a,b\r\nc,d\n") == rows{{"a", "b"}, {"c", "d"}});
  CHECK(records("a,b") == rows{{"a", "b"}});
  CHECK(records("") == rows{});
  CHECK(records("\n\r\n") == rows{});
  CHECK(records("a,\n,b\n") == rows{{"a", ""}, {"", "b"}});
  CHECK(records("\"x,\"\"y\"\"\nz\",\"\"\n") == rows{{"x,\"y\"\nz", ""}});
  CHECK(records("\xEF\xBB\xBF\"a\",b\n") == rows{{"a", "b"}});
  CHECK(records("a\rb,c\n") == rows{{"a\rb", "c"}});
}

TEST_CASE("what is written by the rules of CSV is read back, and its lines are counted") {
  std::mt19937_64 random{3};
  for (int round = 0; round < 500; ++round) {
    std::vector<std::vector<std::string>> want;
    std::vector<std::size_t> begins;
    std::string text;
    std::size_t line = 1;
    for (auto n = random() % 6; n > 0; --n) {
      want.emplace_back();
      begins.push_back(line);
      for (auto k = 2 + random() % 3; k > 0; --k) {
        std::string cell;
        for (auto m = random() % 5; m > 0; --m)
          cell += "ab,\"\n\r"[random() % 6];
        want.back().push_back(cell);
        text += want.back().size() > 1 ? "," : "";
        if (cell.find_first_of(",\"\n\r") == std::string::npos) {
          text += cell;
          continue;
        }
        text += '"';
        for (const char c : cell) {
          text += c == '"' ? "\"\"" : std::string(1, c);
          line += c == '\n' ? 1U : 0U;
        }
        text += '"';
      }
      text += random() % 2 == 0 ? "\n" : "\r\n";
      ++line;
    }
    csv_records r{text};
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < want.size(); ++i) {
      REQUIRE(r.next(cells));
      REQUIRE(cells == want[i]);
      REQUIRE(r.line() == begins[i]);
    }
    REQUIRE_FALSE(r.next(cells));
  }
}

TEST_CASE("a table has typed columns, and an empty cell is null") {
  const auto t = csv("t", "id", "id,name,rate,size,on,since\n7,x,1.5,3,true,2026-01-01T00:00:00Z\n9,,,4,false,\n",
                     {{"id", data_type::int64},
                      {"rate", data_type::float64},
                      {"size", data_type::uint64},
                      {"on", data_type::boolean},
                      {"since", data_type::timestamp}});
  CHECK(t->rows() == 2);
  CHECK(t->columns() == schema{{{"id", data_type::int64, false},
                                {"name", data_type::string, true},
                                {"rate", data_type::float64, true},
                                {"size", data_type::uint64, false},
                                {"on", data_type::boolean, false},
                                {"since", data_type::timestamp, true}}});
  CHECK(t->key_column() == 0);
  CHECK(t->find(std::int64_t{9}) == 1);
  CHECK(t->find(std::int64_t{8}) == table::not_found);
  CHECK(t->values(1).text(0) == "x");
  CHECK(t->values(1).is_null(1));
  CHECK(t->values(2).f64[0] == 1.5);
  CHECK(t->values(5).i64[0] == 1767225600'000000000);
}

TEST_CASE("a table without records has its columns") {
  const auto t = csv("t", "id", "id,name\n");
  CHECK(t->rows() == 0);
  CHECK(t->find("x") == table::not_found);
}

TEST_CASE("a bad table is an error that names the line") {
  const table_options o{"ads", "ads.csv", "id", {}};
  CHECK(message_of(o, "id,c\na,1\nb,2\n\"a\",3\n") == "table `ads`: ads.csv:4: the key `a` stands in line 2 already");
  CHECK(message_of(o, "id,c\n,1\n") == "table `ads`: ads.csv:2: the key `id` is empty");
  CHECK(message_of(o, "id,c\na,1\nb\n") == "table `ads`: ads.csv:3: the record has 1 cells, the header 2");
  CHECK(message_of(o, "id,c\n\"a,1\n") == "table `ads`: ads.csv:2: a quoted cell does not end");
  CHECK(message_of(o, "id,c\n\"a\"b,1\n") == "table `ads`: ads.csv:2: text after the closing quote of a cell");
  CHECK(message_of(o, "") == "table `ads`: ads.csv:1: there is no header line");
  CHECK(message_of(o, "id,id\n") == "table `ads`: ads.csv:1: two columns are named `id`");
  CHECK(message_of(o, "ids,c\n") == "table `ads`: ads.csv:1: there is no key column `id` (did you mean `ids`?)");
  CHECK(message_of(o, "id,c\na,\xFF\n") == "table `ads`: ads.csv:2: column `c` is not UTF-8");
  CHECK(message_of({"ads", "ads.csv", "id", {{"c", data_type::int64}}}, "id,c\na,1\nb,1.5\n") ==
        "table `ads`: ads.csv:3: column `c`: `1.5` is not a int");
  CHECK(message_of({"ads", "ads.csv", "id", {{"d", data_type::int64}}}, "id,c\n").find("no column `d`") !=
        std::string::npos);
  CHECK(
    message_of({"ads", "ads.csv", "id", {{"id", data_type::float64}}}, "id,c\n").find("must be string, int or uint") !=
    std::string::npos);
}

TEST_CASE("the hash of a table follows its contents") {
  CHECK(csv("t", "id", "id,c\na,1\n")->content_hash() == csv("u", "id", "id,c\na,1\n")->content_hash());
  CHECK(csv("t", "id", "id,c\na,1\n")->content_hash() != csv("t", "id", "id,c\na,2\n")->content_hash());
  CHECK(csv("t", "id", "id,c\n1,1\n")->content_hash() !=
        csv("t", "id", "id,c\n1,1\n", {{"id", data_type::int64}})->content_hash());
}

TEST_CASE("a table file is read, and one that cannot be read is named") {
  const auto path =
    std::filesystem::temp_directory_path() / ("millrace-table-test-" + std::to_string(::getpid()) + ".csv");
  std::ofstream{path} << "id,c\na,1\n";
  const auto t = load_csv_table({"t", path.string(), "id", {}});
  REQUIRE(t);
  CHECK((*t)->rows() == 1);
  std::filesystem::remove(path);
  for (const auto& bad : {path, std::filesystem::temp_directory_path()}) {
    const auto none = load_csv_table({"t", bad.string(), "id", {}});
    REQUIRE(!none);
    CHECK(none.error().message.find(bad.string()) != std::string::npos);
  }
}
