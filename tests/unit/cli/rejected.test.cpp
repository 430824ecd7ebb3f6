// SPDX-License-Identifier: Apache-2.0
#include "services/cli/rejected.hpp"

#include "actors/runtime/stage_writer.hpp"
#include "messaging/memory/memory_bus.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/json_members.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

constexpr nanoseconds_t second = 1'000'000'000;
constexpr nanoseconds_t clock_start = 1'800'000'000 * second;

/// A pipeline with one source and its stream of rejected events.
class world {
public:
  explicit world(const std::string& event = "fields: {k: string, n: int, ts: timestamp}, time: ts, key: k",
                 const std::string& rest = "") {
    const auto text = "pipeline: p\nevent: {" + event + "}\ningest: {sources: [{nats: {subject: in}}]}\n" + rest +
                      "windows: [{name: w, tumbling: 1m, aggregate: {n: count()}}]\n";
    const auto loaded = pipeline::load_text(text, "p.yaml");
    for (const auto& f : loaded.findings)
      UNSCOPED_INFO(to_string(f));
    definition = loaded.value;
    REQUIRE(definition);
    memory_options o;
    o.now = [this] { return now; };
    o.before_append = [this](const append_request& r) {
      return r.subject == "in" && --until_fault == 0 ? append_fault::lose_ack : append_fault::none;
    };
    bus = make_memory_bus(std::move(o));
    REQUIRE(bus->ensure_log({rejected_stream_name("p"), {rejected_subjects("p")}, 1 << 20, {}, 1, true}));
    REQUIRE(bus->ensure_log({"SOURCE", {"in"}, 1 << 20, {}, 1, false}));
  }

  /// As the stages write it.
  std::uint64_t reject(const std::string& stage, const std::string& reason, const std::string& body,
                       bool is_json = true, const std::string& detail = "why") {
    runtime::partition_names names;
    names.pipeline = "p";
    names.stage = stage;
    names.partition = 3;
    runtime::marked_reject r;
    r.event.stage = stage;
    r.event.reason = reason;
    r.event.origin = "0:7:1";
    r.event.detail = detail;
    r.event.body = body;
    r.event.is_json = is_json;
    const auto payload = runtime::reject_body(names, r);
    const auto log = rejected_stream_name("p");
    const auto subject = rejected_subject("p", stage, 3);
    const append_request request{log,
                                 subject,
                                 payload,
                                 {{"Millrace-Reason", reason}, {"Millrace-Stage", stage}, {"Millrace-Origin", "0:7:1"}},
                                 expectation::nothing()};
    const auto stored = bus->append({&request, 1}, std::chrono::milliseconds{100}).front();
    REQUIRE(stored);
    return *stored;
  }

  void store(const std::string& payload) {
    const append_request request{"SOURCE", "in", payload, {}, expectation::nothing()};
    REQUIRE(bus->append({&request, 1}, std::chrono::milliseconds{100}).front());
  }

  cli::rejected_listing list(const cli::rejected_filter& f = {}, std::size_t limit = 100) {
    auto l = cli::list_rejected(*bus, "p", f, limit);
    REQUIRE(l);
    return *l;
  }
  cli::retry_plan plan(const cli::retry_options& o = {}) {
    auto p = cli::plan_retry(*bus, *definition, o);
    REQUIRE(p);
    return *p;
  }
  std::uint64_t send(const cli::retry_plan& p) {
    std::uint64_t n = 0;
    const auto done = cli::send_again(*bus, "p", "in", p, n);
    failed = !done;
    return n;
  }
  std::vector<message> source() {
    std::vector<message> out;
    for (std::uint64_t n = 1; n <= bus->info("SOURCE")->last_sequence; ++n)
      out.push_back(*bus->get("SOURCE", n));
    return out;
  }

  nanoseconds_t now = clock_start;
  int until_fault = 0;
  bool failed = false;
  pipeline::definition_ptr definition;
  std::shared_ptr<memory_bus> bus;
};

} // namespace

TEST_CASE("rejected events are listed with what their stage said, and their bytes") {
  world w;
  w.reject("ingest", "type", R"({"k":"a","n":"x","s":"\"data\":1}"})", true, "field \"n\": expected int");
  w.now += second;
  w.reject("ingest", "malformed", std::string{"{\"k\":\x01\xff", 7}, false);
  const auto l = w.list();
  REQUIRE(l.entries.size() == 2);
  CHECK(l.entries[0].sequence == 1);
  CHECK(l.entries[0].stored == clock_start);
  CHECK(l.entries[0].stage == "ingest");
  CHECK(l.entries[0].partition == "3");
  CHECK(l.entries[0].origin == "0:7:1");
  CHECK(l.entries[0].detail == "field \"n\": expected int");
  CHECK(l.entries[0].body == R"({"k":"a","n":"x","s":"\"data\":1}"})");
  CHECK_FALSE(l.entries[1].is_json);
  CHECK(l.entries[1].body == std::string{"{\"k\":\x01\xff", 7});
  CHECK(cli::to_json(l.entries[0]) ==
        R"({"sequence":1,"stored":"2027-01-15T08:00:00.000Z","stage":"ingest","partition":"3","reason":"type",)"
        R"("origin":"0:7:1","detail":"field \"n\": expected int","retried":false,)"
        R"("event":{"k":"a","n":"x","s":"\"data\":1}"}})");
  CHECK(cli::to_text("p", l).find("ingest malformed: 1") != std::string::npos);
}

TEST_CASE("a terminal is not steered by what an event holds") {
  CHECK(cli::printable("\x1b[2J\a\"x\"\\", 100) == R"(\u001b[2J\u0007"x"\)");
  CHECK(cli::printable("äöü", 2) == "äö...");
  CHECK(cli::printable("", 2).empty());
}

TEST_CASE("filters choose by stage, reason, time and sequence, and the summary counts what is not shown") {
  world w;
  for (int i = 0; i < 5; ++i) {
    w.reject("ingest", "type", "{}");
    w.now += second;
    w.reject("window", "late", "{}");
  }
  CHECK(w.list({"window", "", {}, {}}).matching == 5);
  CHECK(w.list({"", "type", {}, {}}).matching == 5);
  CHECK(w.list({"window", "type", {}, {}}).matching == 0);
  CHECK(w.list({"", "", clock_start + 5 * second, {}}).matching == 1);
  const auto few = w.list({}, 2);
  CHECK(few.matching == 10);
  REQUIRE(few.entries.size() == 2);
  CHECK(few.entries.front().sequence == 9);
  CHECK(w.list({"", "late", {}, {10, 2, 3}}).matching == 2);
  const auto missing = cli::list_rejected(*w.bus, "p", {"", "", {}, {11}}, 10);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "there is no rejected event with sequence 11");
  CHECK(cli::to_text("p", w.list({"alert", "", {}, {}})) == "pipeline p has no rejected events that match\n");
  const auto unknown = cli::list_rejected(*w.bus, "q", {}, 10);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ec::not_found);
}

TEST_CASE("what ingest could not read is sent again byte for byte, once, and keeps its place in the rejected stream") {
  world w;
  const std::string bytes = "{\"k\": \"a\",\t\"n\":1.50 }";
  w.reject("ingest", "type", bytes);
  w.reject("ingest", "malformed", "{broken", false);
  CHECK(w.send(w.plan()) == 2);
  const auto in = w.source();
  REQUIRE(in.size() == 2);
  CHECK(in[0].payload == bytes);
  CHECK(in[0].header("Millrace-Retry-Of") == "1");
  CHECK(in[1].payload == "{broken");
  CHECK(w.list().matching == 2);
  CHECK(w.list().entries[0].retried);
  CHECK(w.plan().ready.empty());
  CHECK(w.plan().already == 2);
  cli::retry_options again;
  again.again = true;
  CHECK(w.plan(again).ready.size() == 2);
}

TEST_CASE("what was sent before an acknowledgement was lost is remembered, the rest is tried again") {
  world w;
  for (int i = 0; i < 20; ++i)
    w.reject("ingest", "type", "{\"n\":" + std::to_string(i) + "}");
  w.until_fault = 18;
  CHECK(w.send(w.plan()) == 19);
  CHECK(w.failed);
  const auto rest = w.plan();
  CHECK(rest.already == 19);
  REQUIRE(rest.ready.size() == 1);
  CHECK(rest.ready.front().sequence == 18);
}

TEST_CASE("a stream that was made anew does not inherit what was sent from its predecessor") {
  world w;
  w.reject("ingest", "type", "{}");
  auto e = w.list().entries.front();
  CHECK(w.send(w.plan()) == 1);
  CHECK(*cli::was_retried(*w.bus, "p", e));
  e.stored += second;
  CHECK_FALSE(*cli::was_retried(*w.bus, "p", e));
}

TEST_CASE("a member is mended and everything else stays as it was") {
  const auto set = [](std::string text, const std::string& name, const std::string& json) {
    REQUIRE(cli::set_member(text, name, json));
    return text;
  };
  CHECK(set(R"({"a": 1.50, "b":"x" ,"c":[1]})", "b", "2") == R"({"a": 1.50, "b":2 ,"c":[1]})");
  CHECK(set(R"({"a":{"b":1},"b":2})", "b", "[]") == R"({"a":{"b":1},"b":[]})");
  CHECK(set(R"({"b":1,"b":2})", "b", "3") == R"({"b":1,"b":3})");
  CHECK(set(R"({ })", "b", "3") == R"({"b":3 })");
  CHECK(set(R"({"a":1 })", "q\"", "3") == R"({"a":1,"q\"":3 })");
  std::string broken = R"({"a":)";
  CHECK_FALSE(cli::set_member(broken, "a", "1"));
  std::string two = R"({"a":1}{"a":2})";
  CHECK_FALSE(cli::set_member(two, "a", "1"));
  std::string list = R"([{"a":1}])";
  CHECK_FALSE(cli::set_member(list, "a", "1"));
}

TEST_CASE("--set takes JSON only and says so") {
  CHECK(*cli::parse_set("n=1") == std::pair<std::string, std::string>{"n", "1"});
  CHECK(*cli::parse_set("n=\"a=b\"") == std::pair<std::string, std::string>{"n", "\"a=b\""});
  REQUIRE_FALSE(cli::parse_set("n=XNYS"));
  CHECK(cli::parse_set("n=XNYS").error().hint == "text needs its quotes: --set 'n=\"...\"'");
  CHECK_FALSE(cli::parse_set("n"));
  CHECK_FALSE(cli::parse_set("=1"));
  CHECK_FALSE(cli::parse_set("n="));
}

TEST_CASE("what a later stage rejected goes back in the shape of the source") {
  world w{"fields: {k: {type: string, path: meta.key}, n: int, ts: timestamp_ms, o: 'string?'}, time: ts, key: k"};
  w.reject("window", "late", R"({"k":"a","n":7,"ts":"2026-01-05T14:30:00.250Z","o":null,"more":1})");
  const auto p = w.plan();
  REQUIRE(p.ready.size() == 1);
  CHECK(p.ready.front().payload == R"({"meta":{"key":"a"},"n":7,"ts":1767623400250})");
}

TEST_CASE("a late event without a field that it needs is refused until it is given") {
  world w;
  w.reject("window", "late", R"({"k":"a","ts":"2026-01-05T14:30:00Z"})");
  const auto p = w.plan();
  REQUIRE(p.refused.size() == 1);
  CHECK(p.refused.front().second.message == "field n was not kept up to stage window, and its source message is gone");
  CHECK(p.refused.front().second.hint.find("--set 'n=") != std::string::npos);
  cli::retry_options o;
  o.set = {{"n", "4"}};
  REQUIRE(w.plan(o).ready.size() == 1);
  CHECK(w.plan(o).ready.front().payload == R"({"k":"a","ts":"2026-01-05T14:30:00Z","n":4})");
}

TEST_CASE("a late event is sent as its source sent it while the source still stores it") {
  // The origin of what the stages reject here is message 7, event 1.
  const std::string event = R"({"k": "b", "n":1.0, "extra":1,"ts":"2026-01-05T14:30:00Z"})";
  for (const auto& payload : {"{\"k\":\"a\"}\n\n" + event + "\n", "[{},\n " + event + " ]"}) {
    world w;
    for (int i = 0; i < 6; ++i)
      w.store("{}");
    w.store(payload);
    w.reject("window", "late", R"({"k":"b","ts":"2026-01-05T14:30:00Z"})");
    w.reject("window", "late", R"({"k":"c","ts":"2026-01-05T14:30:00Z"})");
    cli::retry_options o;
    const auto p = w.plan(o);
    REQUIRE(p.ready.size() == 1);
    CHECK(p.ready.front().payload == event);
    // Another event stands at the place of the second one.
    CHECK(p.refused.size() == 1);
  }
}

TEST_CASE("an event that enrich has changed is not enriched twice") {
  world w{"fields: {k: string, n: int, ts: timestamp}, time: ts, key: k", "enrich: {steps: [{set: {n: n * 2}}]}\n"};
  w.reject("window", "late", R"({"k":"a","n":8,"ts":"2026-01-05T14:30:00Z"})");
  w.reject("enrich", "expression", R"({"k":"a","n":4,"ts":"2026-01-05T14:30:00Z"})");
  const auto p = w.plan();
  REQUIRE(p.refused.size() == 1);
  CHECK(p.refused.front().second.message == "field n was changed by a step of enrich");
  REQUIRE(p.ready.size() == 1);
  CHECK(p.ready.front().sequence == 2);
}

TEST_CASE("what is not whole any more is refused") {
  world w;
  w.reject("ingest", "oversize", "{\"k\":", false);
  w.reject("window", "late", "null");
  w.reject("ingest", "malformed", std::string(600 * 1024, 'x'), false);
  CHECK(w.plan().ready.empty());
  CHECK(w.plan().refused.size() == 3);
  world csv{"format: csv, fields: {k: string, n: int, ts: timestamp}, time: ts, key: k"};
  csv.reject("ingest", "type", "a,x,2026", false);
  REQUIRE(csv.plan().refused.size() == 1);
  cli::retry_options o;
  o.csv_header = "k,n,ts";
  REQUIRE(csv.plan(o).ready.size() == 1);
  CHECK(csv.plan(o).ready.front().payload == "k,n,ts\na,x,2026");
}

TEST_CASE("the limit of a retry takes the oldest that were not sent yet") {
  world w;
  for (int i = 0; i < 4; ++i)
    w.reject("ingest", "type", "{}");
  cli::retry_options o;
  o.limit = 3;
  CHECK(w.send(w.plan(o)) == 3);
  REQUIRE(w.plan(o).ready.size() == 1);
  CHECK(w.plan(o).ready.front().sequence == 4);
}

TEST_CASE("events go only where a source reads them") {
  world w;
  CHECK(*cli::retry_subject(*w.definition, "") == "in");
  CHECK(*cli::retry_subject(*w.definition, "in") == "in");
  REQUIRE_FALSE(cli::retry_subject(*w.definition, "out"));
  CHECK(cli::retry_subject(*w.definition, "out").error().hint == "its sources read in");
  const auto wild =
    pipeline::load_text("pipeline: p\nevent: {fields: {k: string}}\ningest: {sources: [{nats: {subject: "
                        "'t.>'}}, {http: {path: /v1/e}}]}\n",
                        "p.yaml")
      .value;
  REQUIRE(wild);
  REQUIRE_FALSE(cli::retry_subject(*wild, ""));
  CHECK(cli::retry_subject(*wild, "").error().hint == "say where to send with --subject");
  CHECK(*cli::retry_subject(*wild, "t.x") == "t.x");
  CHECK(*cli::retry_subject(*wild, "millrace.p.source.1") == "millrace.p.source.1");
  CHECK_FALSE(cli::retry_subject(*wild, "t.>"));
}
