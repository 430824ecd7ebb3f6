// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/definition.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace millrace;
using namespace millrace::pipeline;

namespace {

std::string all(const load_result& r) {
  std::string out;
  for (const auto& f : r.findings)
    out += to_string(f) + '\n';
  return out;
}

definition_ptr good(std::string_view text, const std::string& path = "p.yaml") {
  auto r = load_text(text, path);
  INFO(all(r));
  REQUIRE(r.value);
  return r.value;
}

/// What is said about a pipeline that has an error.
std::string bad(std::string_view text) {
  const auto r = load_text(text, "p");
  CHECK_FALSE(r.value);
  return all(r);
}

const std::string head = "pipeline: p\nevent: {fields: {k: string, id: string, x: double}, key: k, id: id}\n";
const std::string without_id = "pipeline: p\nevent: {fields: {k: string, id: string, x: double}, key: k}\n";

std::string table(const std::string& what,
                  const std::string& steps = "[{lookup: {table: t, on: k, add: [name, lot]}}]") {
  return head + "enrich:\n  tables:\n    t: " + what + "\n  steps: " + steps + "\n";
}

bool has(const definition& d, const std::string& name) { return d.events->index_of(name).has_value(); }

} // namespace

TEST_CASE("duplicates get the event's key and id, and the limits of the file") {
  const auto d = good(head + "enrich: {duplicates: {within: 10m}}\nlimits: {keys: 5, bytes: 1MiB}\n");
  REQUIRE(d->enrich_options.duplicates);
  const auto& o = *d->enrich_options.duplicates;
  CHECK(o.within == 600'000'000'000);
  CHECK(o.key == std::vector<std::string>{"k"});
  CHECK(o.id == "id");
  CHECK(o.limits.keys == 5);
  CHECK(o.limits.bytes == 1U << 20);
}

TEST_CASE("the id of duplicates is decoded though no window reads it") {
  const auto d =
    good(head + "enrich: {duplicates: {within: 10m}}\nwindows: [{name: w, tumbling: 1m, aggregate: {n: count()}}]\n");
  CHECK(has(*d, "id"));
  CHECK_FALSE(has(*d, "x"));
  const auto removed = good(head + "enrich: {duplicates: {within: 10m}, steps: [{remove: [id]}]}\n"
                                   "windows: [{name: w, tumbling: 1m, aggregate: {n: count()}}]\n");
  CHECK(has(*removed, "id"));
}

TEST_CASE("CloudEvents bring their id along, under a name that nobody sees") {
  const std::string events = "pipeline: p\nevent: {format: cloudevents, fields: {k: string, x: double}, key: k}\n";
  const auto d = good(events + "enrich: {duplicates: {within: 1s}}\n");
  CHECK(d->id == "$ce.id");
  CHECK(has(*d, "$ce.id"));
  CHECK_FALSE(d->enrich->output_schema()->index_of("$ce.id"));
  CHECK(good(events)->id.empty());
  const auto own =
    good("pipeline: p\nevent: {format: cloudevents, key: k,\n"
         "        fields: {k: string, e: {type: string, path: $ce.id}}}\nenrich: {duplicates: {within: 1s}}\n");
  CHECK(own->id == "e");
}

TEST_CASE("duplicates without an id, without a time or with a wrong one are errors") {
  CHECK(
    bad(without_id + "enrich: {duplicates: {within: 10m}}\n") ==
    "p:3:22: error: `duplicates` needs to know what identifies an event; name the field: `event: {id: trade_id}`\n");
  CHECK(bad(head + "enrich: {duplicates: {}}\n") == "p:3:22: error: `duplicates` needs `within`; e.g. `within: 10m`\n");
  CHECK(bad(head + "enrich: {duplicates: {within: 0s}}\n") ==
        "p:3:31: error: `within` must be longer than zero; e.g. `within: 10m`\n");
  CHECK(bad(head + "enrich: {duplicates: {within: 10m, id: id}}\n").starts_with("p:3:36: error: unknown key `id`"));
  CHECK(bad(head + "enrich: {duplicates: 10m}\n").starts_with("p:3:22: error: `duplicates` is a map"));
}

TEST_CASE("a remote table has its key and the columns that lookups add") {
  const auto d = good(table("{nats_kv: instruments, key: sym, types: {lot: int}}",
                            "[{lookup: {table: t, on: k, add: [lot]}}, {lookup: {table: t, on: id, add: [name]}}]"));
  const auto& t = *d->tables.at("t");
  CHECK(
    t.columns() ==
    schema{{{"sym", data_type::string, false}, {"lot", data_type::int64, true}, {"name", data_type::string, true}}});
  CHECK(t.rows() == 0);
  const auto& o = d->enrich_options.tables.at(0);
  CHECK(o.remote.what == enrich::remote_table::kind::nats_kv);
  CHECK(o.remote.bucket == "instruments");
  CHECK(d->enrich->table_columns("t") == t.columns());
  CHECK((*d->enrich->output_schema())[3] == field{"lot", data_type::int64, true});
}

TEST_CASE("remote tables keep how they are asked") {
  const auto http = good(table("{http: {url: 'https://h/x.csv', every: 5s, headers: {Accept: text/csv}}, key: s}"));
  CHECK(http->enrich_options.tables[0].remote.url == "https://h/x.csv");
  CHECK(http->enrich_options.tables[0].remote.every == 5'000'000'000);
  CHECK(http->enrich_options.tables[0].remote.headers ==
        std::vector<std::pair<std::string, std::string>>{{"Accept", "text/csv"}});
  CHECK(good(table("{http: 'http://h/x.csv', key: s}"))->enrich_options.tables[0].remote.every == 30'000'000'000);
  const auto db = good(table("{postgresql: {url_env: DB, query: select 1}, key: s}"));
  CHECK(db->enrich_options.tables[0].remote.url_env == "DB");
  CHECK(db->enrich_options.tables[0].remote.query == "select 1");
  CHECK(db->enrich_options.tables[0].remote.every == 60'000'000'000);
}

TEST_CASE("what is wrong with a table is said with its place, and never with its url") {
  const auto secret = std::string{"ftp://user:secret@h"};
  CHECK(bad(table("{http: {url: '" + secret + "'}, key: s}")) ==
        "p:5:21: error: this is not a url of the kind that is needed here; e.g. "
        "`https://example.com/instruments.csv`\n");
  CHECK(bad(table("{postgresql: {url: '" + secret + "', query: q}, key: s}")).find("secret") == std::string::npos);
  CHECK(bad(table("{postgresql: {query: q}, key: s}")).starts_with("p:5:21: error: give either `url` or `url_env`"));
  CHECK(bad(table("{postgresql: {url_env: DB}, key: s}")).starts_with("p:5:21: error: `postgresql` needs `query`"));
  CHECK(bad(table("{http: 'http://h/x', nats_kv: b, key: s}"))
          .starts_with("p:5:8: error: a table comes from one of nats_kv, http and postgresql"));
  CHECK(bad(table("{nats_kv: a b, key: s}")).starts_with("p:5:18: error: `a b` cannot be the name of a bucket"));
  CHECK(bad(table("{http: {url: 'http://h/x', every: 1ms}, key: s}"))
          .starts_with("p:5:42: error: `every` must be at least"));
  CHECK(bad(table("{nats_kv: b}")).starts_with("p:5:8: error: a table needs `key`"));
  CHECK(bad(table("{key: s}")).starts_with("p:5:8: error: a table needs `file`"));
  CHECK(bad(table("{nats_kv: b, key: s, types: {lott: int}}")) ==
        "p:5:37: error: no lookup adds the column `lott`; did you mean `lot`?\n");
  CHECK(bad(table("{nats_kv: b, key: s, types: {s: double}}")).find("the key column must be") != std::string::npos);
}

TEST_CASE("a remote table can have a file beside it for batch, and needs it there") {
  const auto remote = good(table("{nats_kv: b, key: s}"));
  const auto refused = check_offline(*remote);
  REQUIRE(!refused);
  CHECK(refused.error().code == ec::config);
  CHECK(refused.error().message == "table `t` comes from a server, which is not asked here");

  const auto folder = std::filesystem::temp_directory_path() / ("millrace-enrich-load-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream{folder / "copy.csv"} << "unused,lot,s,name\n1,2,A,apple\n1,,B,\n";
  const auto path = (folder / "p.yaml").string();
  const auto both = good(table("{nats_kv: b, file: copy.csv, key: s, types: {lot: int}}"), path);
  CHECK(check_offline(*both));
  const auto& t = *both->tables.at("t");
  CHECK(t.columns() ==
        schema{{{"s", data_type::string, false}, {"name", data_type::string, true}, {"lot", data_type::int64, true}}});
  CHECK(t.rows() == 2);
  CHECK(t.values(1).text(t.find("A")) == "apple");
  std::ofstream{folder / "copy.csv"} << "lot,s\n2,A\n";
  CHECK(all(load_text(table("{nats_kv: b, file: copy.csv, key: s}"), path)).find("there is no column `name`") !=
        std::string::npos);
  std::filesystem::remove_all(folder);
  CHECK(check_offline(*good(head)));
}

TEST_CASE("the fingerprint knows duplicates and tables, and no urls") {
  const auto of = [](const std::string& text) { return good(text)->fingerprint; };
  CHECK(of(head + "enrich: {duplicates: {within: 10m}}\n") != of(head));
  CHECK(of(head + "enrich: {duplicates: {within: 10m}}\n") != of(head + "enrich: {duplicates: {within: 11m}}\n"));
  CHECK(of(head + "enrich: {duplicates: {within: 60s}}\n") ==
        of(head + "enrich: {duplicates: {within: 1m}}\nlimits: {keys: 9}\n"));
  CHECK(of(table("{nats_kv: a, key: s}")) != of(table("{nats_kv: b, key: s}")));
  CHECK(of(table("{nats_kv: a, key: s}")) != of(table("{http: 'http://h/x', key: s}")));
  CHECK(of(table("{http: 'http://h/x', key: s}")) ==
        of(table("{http: {url: 'https://other/y', every: 1s, headers: {A: b}}, key: s}")));
}
