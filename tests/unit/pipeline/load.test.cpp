// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/definition.hpp"
#include "services/pipeline/lint.hpp"

#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <unistd.h>

using namespace millrace;
using namespace millrace::pipeline;

namespace {

/// A folder that goes away with the test.
class scratch {
public:
  scratch() : path_{std::filesystem::temp_directory_path() / ("millrace-load-" + std::to_string(::getpid()))} {
    std::filesystem::create_directories(path_);
  }
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream{path_ / name, std::ios::binary} << text;
    return (path_ / name).string();
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

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

std::vector<std::string> names(const schema& s) {
  std::vector<std::string> out;
  for (const auto& f : s.fields())
    out.push_back(f.name);
  return out;
}

constexpr std::string_view full = R"(pipeline: full-1
partitions: 8
event:
  format: json
  fields:
    trade_id: string
    symbol: string
    price: double
    size: int
    ts: timestamp_ms
    venue: {type: string?, path: meta.venue}
    day: {type: timestamp?, format: "%Y-%m-%d"}
    from: {type: string, path: $subject}
    seen: {type: timestamp, path: $arrival}
    spare: json?
  time: ts
  key: [symbol]
  id: trade_id
  max_delay: 5s
  idle_timeout: 3s
  max_ahead: 2h
ingest:
  sources:
    - nats: {subject: "trades.>"}
    - http: {path: /v1/events}
    - file: {path: trades.ndjson, follow: true}
    - nats: {subject: quotes, stream: QUOTES}
enrich:
  tables:
    instruments: {file: instruments.csv, key: symbol}
  steps:
    - filter: price > 0.0 && size > 0
    - lookup: {table: instruments, on: symbol, add: [sector], missing: drop}
    - set: {notional: price * double(size)}
    - remove: [venue]
windows:
  - name: ohlc
    tumbling: 1m
    lateness: 30s
    where: size < 1000000
    aggregate: {trades: count(), volume: sum(size), vwap: sum(notional) / double(sum(size)), twice: vwap * 2.0}
  - name: slow
    key: [symbol, sector]
    sliding: {size: 5m, every: 30s}
    aggregate: {high: max(price)}
alerts:
  - name: spike
    on: ohlc
    when: vwap > 100.0
    clear: vwap < 90.0
    for: 2m
    severity: critical
    labels: {team: markets, a: b}
    summary: '{{symbol}} at {{vwap}}'
limits: {keys: 10, bytes: 1MiB}
replay: 24h
storage:
  url: sqlite:x/y.db
  keep: {events: 7d, windows: 90d, alerts: 365d}
  sinks: []
notify: []
)";

} // namespace

TEST_CASE("a pipeline file becomes its definition") {
  const scratch folder;
  folder.write("instruments.csv", "symbol,sector\nAAPL,tech\n");
  const auto d = good(full, folder.file("p.yaml"));
  CHECK(d->name == "full-1");
  CHECK(d->partitions == 8);
  CHECK(d->folder == std::filesystem::path{folder.file("p.yaml")}.parent_path().string());
  CHECK(d->key == std::vector<std::string>{"symbol"});
  CHECK(d->id == "trade_id");
  CHECK(d->max_delay == 5'000'000'000);
  CHECK(d->idle_timeout == 3'000'000'000);
  CHECK(d->max_ahead == 7'200'000'000'000);
  CHECK(d->limits.keys == 10);
  CHECK(d->limits.bytes == 1U << 20);
  CHECK(d->replay == 86'400'000'000'000);
  CHECK(d->storage_url == "sqlite:x/y.db");
  CHECK_FALSE(d->store_events);
  CHECK(d->keep.events == 604'800'000'000'000);
  CHECK(d->keep.windows == 7'776'000'000'000'000);
  CHECK(d->fingerprint != 0);

  REQUIRE(d->sources.size() == 4);
  CHECK(d->sources[0].what == source::kind::nats);
  CHECK(d->sources[0].nats.subject == "trades.>");
  CHECK(d->sources[0].shard == "nats0");
  CHECK(d->sources[1].http.path == "/v1/events");
  CHECK(d->sources[1].shard == "http1");
  CHECK(d->sources[2].file.path == folder.file("trades.ndjson"));
  CHECK(d->sources[2].file.follow);
  CHECK(d->sources[3].nats.stream == "QUOTES");
  CHECK(d->sources[3].shard == "nats3");

  REQUIRE(d->windows->size() == 2);
  const auto& ohlc = d->windows->window(0);
  CHECK(ohlc.name == "ohlc");
  CHECK(ohlc.key == std::vector<std::string>{"symbol"});
  CHECK(ohlc.size == 60'000'000'000);
  CHECK(ohlc.every == ohlc.size);
  CHECK(ohlc.lateness == 30'000'000'000);
  CHECK(ohlc.aggregates.size() == 4);
  const auto& slow = d->windows->window(1);
  CHECK(slow.kind == windows::window_kind::sliding);
  CHECK(slow.every == 30'000'000'000);

  REQUIRE(d->alerts->size() == 1);
  const auto& spike = d->alerts->rule(0);
  CHECK(spike.hold == 120'000'000'000);
  CHECK(spike.severity == "critical");
  CHECK(spike.labels == std::vector<std::pair<std::string, std::string>>{{"team", "markets"}, {"a", "b"}});
  CHECK(d->tables.contains("instruments"));
}

TEST_CASE("fields are decoded as the file says") {
  const scratch folder;
  folder.write("instruments.csv", "symbol,sector\nAAPL,tech\n");
  const auto d = good(full, folder.file("p.yaml"));
  const auto& f = d->decode.fields;
  REQUIRE(f.size() == 10);
  CHECK(d->decode.time == 4U);
  CHECK(f[4].unit == codec::timestamp_unit::milliseconds);
  CHECK(f[5].path == std::vector<std::string>{"meta", "venue"});
  CHECK(f[5].field.nullable);
  CHECK(f[6].unit == codec::timestamp_unit::pattern);
  CHECK(f[6].pattern == "%Y-%m-%d");
  CHECK(f[7].source == codec::field_source::subject);
  CHECK(f[8].source == codec::field_source::arrival);
  CHECK(f[3].path == std::vector<std::string>{"size"});
}

TEST_CASE("only fields that somebody reads are kept") {
  const scratch folder;
  folder.write("instruments.csv", "symbol,sector\nAAPL,tech\n");
  const auto d = good(full, folder.file("p.yaml"));
  CHECK(d->declared->size() == 10);
  CHECK(names(*d->events) == std::vector<std::string>{"symbol", "price", "size", "ts"});
  CHECK(*d->enrich->input_schema() == *d->events);
  CHECK(*d->windows->input_schema() == *d->enrich->output_schema());
  for (const auto& f : d->decode.fields)
    CHECK(f.kept == d->events->index_of(f.field.name).has_value());
}

TEST_CASE("everything is kept when events are stored or nothing aggregates them") {
  const std::string text = "pipeline: p\nevent: {fields: {a: int, b: int}}\n";
  CHECK(good(text)->events->size() == 2);
  const std::string window = "windows: [{name: w, tumbling: 1s, aggregate: {n: sum(a)}}]\n";
  CHECK(names(*good(text + window)->events) == std::vector<std::string>{"a"});
  CHECK(good(text + window + "storage: {events: true}\n")->events->size() == 2);
}

TEST_CASE("a removed field that a step reads first is kept") {
  const auto d =
    good("pipeline: p\nevent: {fields: {a: int, b: int, c: int}}\n"
         "enrich:\n  steps:\n    - filter: b > 0\n    - remove: [b, c]\n    - set: {c: a + 1}\n    - remove: [c]\n"
         "windows: [{name: w, tumbling: 1s, aggregate: {n: sum(a)}}]\n");
  CHECK(names(*d->events) == std::vector<std::string>{"a", "b"});
  CHECK(names(*d->enrich->output_schema()) == std::vector<std::string>{"a"});
}

TEST_CASE("rules on events keep what they read") {
  const auto d = good("pipeline: p\nevent: {fields: {k: string, a: int, b: int, c: int, d: int}, key: k}\n"
                      "windows: [{name: w, tumbling: 1s, aggregate: {n: sum(a)}}]\n"
                      "alerts: [{name: r, on: events, when: b > 1, summary: 'is {{c}}'}]\n");
  CHECK(names(*d->events) == std::vector<std::string>{"k", "a", "b", "c"});
}

TEST_CASE("what is not said has its default") {
  const auto d = good("pipeline: p\nevent: {fields: {a: int}}\n");
  CHECK(d->partitions == 4);
  CHECK(d->max_delay == 0);
  CHECK(d->idle_timeout == 10'000'000'000);
  CHECK(d->max_ahead == 3'600'000'000'000);
  CHECK(d->limits.keys == 1'000'000);
  CHECK(d->limits.bytes == 1ULL << 30);
  CHECK(d->storage_url == "sqlite:p.db");
  CHECK(d->folder == ".");
  CHECK(d->key.empty());
  CHECK_FALSE(d->decode.time);
  CHECK(d->sources.empty());
  CHECK(d->windows->size() == 0);
  CHECK(d->alerts->size() == 0);
}

TEST_CASE("empty sections count as absent") {
  good("pipeline: p\nevent: {fields: {a: int}}\ningest:\nenrich:\n  tables:\n  steps:\nwindows:\nalerts:\nnotify:\n"
       "limits:\nreplay:\nstorage:\n");
}

TEST_CASE("the key of a window is the event key unless it says otherwise") {
  const auto d = good("pipeline: p\npartitions: 1\nevent: {fields: {a: int, b: int}, key: a}\n"
                      "windows:\n  - {name: v, tumbling: 1s, aggregate: {n: count()}}\n"
                      "  - {name: w, key: [], tumbling: 1s, aggregate: {n: count()}}\n"
                      "  - {name: x, key: b, tumbling: 1s, aggregate: {n: count()}}\n");
  CHECK(d->windows->window(0).key == std::vector<std::string>{"a"});
  CHECK(d->windows->window(1).key.empty());
  CHECK(d->windows->window(2).key == std::vector<std::string>{"b"});
}

TEST_CASE("CloudEvents take their time from the envelope when no field is named") {
  const auto d =
    good("pipeline: p\nevent:\n  format: cloudevents\n  fields: {a: int, t: {type: string, path: $ce.type}}\n");
  CHECK(d->decode.time_from_attribute);
  CHECK(d->decode.fields[1].source == codec::field_source::attribute);
  CHECK(d->decode.fields[1].path == std::vector<std::string>{"type"});
}

TEST_CASE("a CSV path is one column name") {
  const auto d = good("pipeline: p\nevent: {format: csv, fields: {a: {type: int, path: \"x.y z\"}}}\n");
  CHECK(d->decode.fields[0].path == std::vector<std::string>{"x.y z"});
}

TEST_CASE("a window over several partitions is merged when its kind allows it") {
  const auto d = good("pipeline: p\nevent: {fields: {a: int, b: int}, key: a}\nwindows:\n"
                      "  - {name: total, key: [], tumbling: 1s, aggregate: {n: count()}}\n"
                      "  - {name: own, tumbling: 1s, aggregate: {n: count()}}\n"
                      "  - {name: other, key: b, sliding: {size: 4s, every: 1s}, aggregate: {n: count()}}\n"
                      "  - {name: both, key: [b, a], count: 3, aggregate: {n: count()}}\n"
                      "  - {name: ever, key: b, global: {every: 1s}, aggregate: {n: count()}}\n");
  CHECK(d->windows->window(0).merged);
  CHECK_FALSE(d->windows->window(1).merged);
  CHECK(d->windows->window(2).merged);
  CHECK_FALSE(d->windows->window(3).merged);
  CHECK(d->windows->window(4).merged);
}

TEST_CASE("a session or count window over several partitions is a warning, and an error for live services") {
  const std::string text = "pipeline: p\nevent: {fields: {a: int, b: int}, key: a}\n"
                           "windows:\n  - name: total\n    key: [b]\n    count: 10\n    aggregate: {n: count()}\n";
  auto r = load_text(text, "p.yaml");
  CHECK(r.value);
  CHECK(all(r) == "p.yaml:5:10: warning: window `total` has a key without the whole event key: for a session or count "
                  "window this works in `batch`; live needs `partitions: 1`, or an event key that is part of the "
                  "window's\n");
  CHECK(r.findings[0].is_live_error);
  CHECK(load_text("partitions: 1\n" + text, "p.yaml").findings.empty());
}

TEST_CASE("a changed key field makes partitions meet, too") {
  const auto d = good("pipeline: p\nevent: {fields: {a: int}, key: a}\nenrich: {steps: [{set: {a: a % 2}}]}\n"
                      "windows: [{name: w, tumbling: 1s, aggregate: {n: count()}}]\n");
  CHECK(d->windows->window(0).merged);
}

TEST_CASE("every kind of window has its options") {
  const auto d = good("pipeline: p\nevent: {fields: {a: int}, key: a}\nwindows:\n"
                      "  - {name: s, session: {gap: 30s, max: 10m}, lateness: 5s, early: 2s, aggregate: {n: count()}}\n"
                      "  - {name: c, count: 100, aggregate: {n: count()}}\n"
                      "  - {name: d, count: {size: 5, every: 1}, aggregate: {n: count()}}\n"
                      "  - {name: g, global: {every: 10s}, aggregate: {n: count()}}\n");
  constexpr nanoseconds_t second = 1'000'000'000;
  const auto& s = d->windows->window(0);
  CHECK(s.kind == windows::window_kind::session);
  CHECK(s.gap == 30 * second);
  CHECK(s.max == 600 * second);
  CHECK(s.lateness == 5 * second);
  CHECK(s.early == 2 * second);
  CHECK(d->windows->window(1).count == 100);
  CHECK(d->windows->window(1).count_every == 100);
  CHECK(d->windows->window(2).count == 5);
  CHECK(d->windows->window(2).count_every == 1);
  CHECK(d->windows->window(3).kind == windows::window_kind::global);
  CHECK(d->windows->window(3).every == 10 * second);
}

TEST_CASE("anchors may be used to say a thing once") {
  const auto d = good("pipeline: p\nevent: {fields: {a: int, b: int}}\nwindows:\n"
                      "  - {name: v, tumbling: 1s, aggregate: &all {n: sum(a), m: sum(b)}}\n"
                      "  - {name: w, tumbling: 5s, aggregate: *all}\n");
  CHECK(d->windows->window(1).aggregates.size() == 2);
}

TEST_CASE("the fingerprint changes with what state depends on and with nothing else") {
  const auto print = [](const std::string& text) { return good(text)->fingerprint; };
  const std::string head = "pipeline: p\n";
  const std::string event = "event: {fields: {a: int, b: int}, key: a}\n";
  const std::string window = "windows: [{name: w, tumbling: 1s, aggregate: {n: sum(b)}}]\n";
  const std::string rule = "alerts: [{name: r, on: w, when: n > 1}]\n";
  const auto base = print(head + event + window + rule);
  CHECK(base ==
        print(head + event + window + rule + "storage: {url: \"sqlite:z.db\"}\nlimits: {keys: 5}\nreplay: 1h\n"));
  CHECK(base == print("# comment\n" + rule + window + head + event));
  CHECK(base == print(head + event + window + "alerts: [{name: r, on: w, when: (n>1)}]\n"));
  const std::string file = "ingest: {sources: [{file: {path: ";
  CHECK(print(head + event + window + rule + file + "x}}]}\n") ==
        print(head + event + window + rule + file + "y}}]}\n"));

  const std::vector<std::string> changed{
    "pipeline: q\n" + event + window + rule,
    head + "partitions: 5\n" + event + window + rule,
    head + "event: {fields: {a: int, b: double}, key: a}\n" + window + "alerts: [{name: r, on: w, when: n > 1.0}]\n",
    head + "event: {fields: {a: int, b: int?}, key: a}\n" + window + rule,
    head + "event: {fields: {a: int, b: int}, key: a, max_delay: 1s}\n" + window + rule,
    head + event + "windows: [{name: w, tumbling: 2s, aggregate: {n: sum(b)}}]\n" + rule,
    head + event + "windows: [{name: w, tumbling: 1s, lateness: 1s, aggregate: {n: sum(b)}}]\n" + rule,
    head + event + "windows: [{name: w, tumbling: 1s, aggregate: {n: max(b)}}]\n" + rule,
    head + event + window + "alerts: [{name: r, on: w, when: n > 2}]\n",
    head + event + window + "alerts: [{name: r, on: w, when: n > 1, for: 1s}]\n",
    head + event + window,
    head + event + window + rule + "enrich: {steps: [{filter: b > 0}]}\n",
    head + event + window + rule + "ingest: {sources: [{file: {path: x}}]}\n"};
  std::set<std::uint64_t> seen{base};
  for (const auto& text : changed) {
    INFO(text);
    CHECK(seen.insert(print(text)).second);
  }
}

TEST_CASE("the examples lint clean") {
  const auto* source = std::getenv("MILLRACE_SOURCE");
  if (source == nullptr)
    return;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{source} / "examples"})
    if (entry.path().extension() == ".yaml")
      files.push_back(entry.path().string());
  CHECK(files.size() >= 4);
  std::ostringstream out;
  std::ostringstream err;
  CHECK(lint(files, out, err) == 0);
  CHECK(out.str().empty());
}

TEST_CASE("files that cannot be read are findings") {
  const scratch folder;
  CHECK(all(load(folder.file("nothing.yaml"))) ==
        folder.file("nothing.yaml") + ":1:1: error: the file cannot be opened: No such file or directory\n");
  CHECK(all(load(folder.file("."))) == folder.file(".") + ":1:1: error: this is a folder, not a pipeline file\n");
  CHECK(all(load(folder.write("huge.yaml", std::string(2U << 20, '#')))) ==
        folder.file("huge.yaml") + ":1:1: error: the file is larger than 1 MiB\n");
}

TEST_CASE("lint prints findings to one stream and the count to the other") {
  const scratch folder;
  const std::vector<std::string> files{folder.write("a.yaml", "pipeline: a\nevent: {fields: {x: int}}\n"),
                                       folder.write("b.yaml", "pipeline: b\nevent: {fields: {x: imt}}\nfoo: 1\n")};
  std::ostringstream out;
  std::ostringstream err;
  CHECK(lint(files, out, err) == 1);
  CHECK(out.str() ==
        files[1] + ":2:21: error: unknown type `imt`; did you mean `int`?\n" + files[1] +
          ":3:1: error: unknown key `foo` in the pipeline file; known: pipeline, partitions, event, ingest, "
          "enrich, windows, alerts, notify, limits, replay, storage\n");
  CHECK(err.str() == "2 files, 2 errors\n");
  CHECK(lint(std::span{files}.first(1), out, err) == 0);
  CHECK(lint({}, out, err) == 2);
}
