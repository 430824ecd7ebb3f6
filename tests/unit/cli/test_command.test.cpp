// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cli/support.hpp"

using namespace millrace::cli::testing;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// One test of the clicks pipeline: its members after `name`, indented by four.
outcome clicks_test(const std::string& body) {
  work_folder w;
  w.write("clicks.yaml", clicks);
  return run(w.write("t.yaml", "pipeline: clicks.yaml\ntests:\n  - name: t\n" + body));
}

const std::string one_event = R"(    events:
      - {user: ann, n: 1, ts: "2026-01-05T14:30:00Z"}
)";

} // namespace

TEST_CASE("a test that holds is a line with its name, and exit 0") {
  const auto r = clicks_test(one_event + R"(      - end
    expect:
      windows: [{window: minute, key: {user: ann}, start: "2026-01-05T14:30:00Z", values: {clicks: 1}}]
      alerts: []
      rejected: []
)");
  CHECK(r.code == 0);
  CHECK(has(r.out, "ok t ("));
  CHECK(r.err == "1 test, 0 failed\n");
}

TEST_CASE("without `end` a window that the watermark has not reached stays open") {
  CHECK(clicks_test(one_event + "    expect: {windows: []}\n").code == 0);
}

TEST_CASE("a difference shows the member, what was expected and what came, and exits 1") {
  const auto r = clicks_test(one_event + "      - end\n    expect: {windows: [{values: {clicks: 2}}]}\n");
  CHECK(r.code == 1);
  CHECK(has(r.out, "FAILED t ("));
  CHECK(has(r.out, "    - values.clicks: 2\n    + values.clicks: 1\n"));
  CHECK(has(r.out, "t.yaml:7: windows: the nearest record differs"));
}

TEST_CASE("silence shorter than idle_timeout holds the window, longer silence closes it") {
  const auto window = "{windows: [{values: {clicks: 1}}]}\n";
  const std::string event = "    events:\n      - {user: ann, n: 1, ts: \"2026-01-05T14:30:57Z\"}\n";
  // max_delay 5s, idle_timeout 10s: the watermark is 14:30:57 + pause - 5s.
  CHECK(clicks_test(event + "      - advance: 9999ms\n    expect: {windows: []}\n").code == 0);
  CHECK(clicks_test(event + "      - advance: 10s\n    expect: " + window).code == 0);
  CHECK(clicks_test(event + "      - advance: 5s\n      - advance: 5s\n    expect: " + window).code == 0);
}

TEST_CASE("an event ends the silence, and after idleness it is judged by the watermark that time made") {
  const auto r = clicks_test(R"(    events:
      - {user: ann, n: 1, ts: "2026-01-05T14:30:57Z"}
      - advance: 9s
      - {user: ann, n: 1, ts: "2026-01-05T14:30:58Z"}
      - advance: 9s
      - {user: ann, n: 1, ts: "2026-01-05T14:30:59Z"}
      - advance: 10s
      - {user: ann, n: 1, ts: "2026-01-05T14:30:59Z"}
    expect:
      windows: [{values: {clicks: 3}}]
      rejected: [{stage: window, reason: late}]
)");
  CHECK(r.code == 0);
  CHECK(r.out.substr(0, 2) == "ok");
}

TEST_CASE("before the first event a pause is nothing") {
  CHECK(clicks_test("    events:\n      - advance: 1h\n      - {user: a, n: 1, ts: \"2020-01-05T14:30:57Z\"}\n"
                    "    expect: {windows: [], rejected: []}\n")
          .code == 0);
}

TEST_CASE("without start events arrive at their own time, later ones at the largest time so far") {
  const auto r = clicks_test(R"(    subject: clicks.eu
    events:
      - {user: ann, n: 1, ts: "2026-01-05T14:30:03Z"}
      - {user: bob, n: 1, ts: "2026-01-05T14:30:01Z"}
      - advance: 2s
      - {user: cid, n: 1, ts: "2026-01-05T14:30:01Z"}
      - end
    expect:
      windows:
        - {key: {user: ann}, values: {arrived: "2026-01-05T14:30:03Z", subject: clicks.eu}}
        - {key: {user: bob}, values: {arrived: "2026-01-05T14:30:03Z"}}
        - {key: {user: cid}, values: {arrived: "2026-01-05T14:30:05Z"}}
)");
  INFO(r.out);
  CHECK(r.code == 0);
}

TEST_CASE("with start only advance moves log time, and max_ahead judges") {
  const auto r = clicks_test(R"(    start: 2026-01-05T14:00:00Z
    events:
      - {user: ann, n: 1, ts: "2026-01-05T15:00:00.001Z"}
      - advance: 1ms
      - {user: ann, n: 2, ts: "2026-01-05T15:00:00.001Z"}
      - end
    expect:
      windows: [{values: {clicks: 1, total: 2, arrived: "2026-01-05T14:00:00.001Z"}}]
      rejected: [{stage: ingest, reason: future}]
)");
  INFO(r.out);
  CHECK(r.code == 0);
}

TEST_CASE("numbers keep their text and quoted texts stay texts, so wrong types are seen") {
  const auto r = clicks_test(R"(    events:
      - {user: ann, n: "1", ts: "2026-01-05T14:30:00Z"}
      - {user: ann, n: 1.5, ts: "2026-01-05T14:30:00Z"}
      - {user: 7, n: 1, ts: "2026-01-05T14:30:00Z"}
      - "{\"user\": \"ann\", \"n\": 9007199254740993, \"ts\": \"2026-01-05T14:30:00Z\"}"
      - "not json"
      - end
    expect:
      windows: [{values: {total: 9007199254740993}}]
      rejected:
        - {reason: type, event: {n: "1"}}
        - {reason: type, event: {n: 1.5}}
        - {reason: type, event: {user: 7}}
        - {reason: malformed, event: null}
)");
  INFO(r.out);
  CHECK(r.code == 0);
}

TEST_CASE("a file ends the input, and $file is its name in the test") {
  work_folder w;
  w.write("p.yaml",
          "pipeline: p\nevent: {format: csv, fields: {v: int, ts: timestamp, f: {type: string, path: $file}}, "
          "time: ts, key: f}\nwindows: [{name: w, tumbling: 1m, aggregate: {s: sum(v)}}]\n");
  w.write("d.csv", "v,ts\n1,2026-01-05T14:30:00Z\n2,2026-01-05T14:30:01Z\nx,2026-01-05T14:30:01Z\n");
  const auto r = run(w.write("t.yaml", R"(pipeline: p.yaml
tests:
  - name: t
    file: d.csv
    expect: {windows: [{key: {f: d.csv}, values: {s: 3}}], rejected: [{reason: type}]}
  - name: inline
    events: [{v: 3, ts: "2026-01-05T14:30:00Z"}, end]
    expect: {windows: [{values: {s: 3}}]}
  - name: gone
    file: e.csv
    expect: {windows: []}
)"));
  CHECK(has(r.out, "ok t ("));
  CHECK(has(r.out, "FAILED gone"));
  CHECK(has(r.out, "e.csv"));
  CHECK(r.code == 2);
}

TEST_CASE("only looks at the windows and rules that it names") {
  CHECK(clicks_test(one_event + "      - end\n    expect: {only: [many], windows: [], alerts: []}\n").code == 0);
  const auto r = clicks_test(one_event + "    expect: {only: [mani], windows: []}\n");
  CHECK(r.code == 2);
  CHECK(has(r.out, "line 6: no window or rule is named `mani`; did you mean `many`?"));
}

TEST_CASE("errors in a test file say line, column and the nearest name, all at once, and exit 2") {
  const auto r = clicks_test(R"(    evnts: []
    events: [ann, {advance: soon}, end, {user: x}]
    expect:
      window: []
      windows: [{windo: minute}]
)");
  CHECK(r.code == 2);
  CHECK(has(r.err, "t.yaml:4:5: error: unknown key `evnts` in a test; did you mean `events`?"));
  CHECK(has(r.err, "t.yaml:5:14: error: an event is a map of its members"));
  CHECK(has(r.err, "`soon` is not a duration"));
  CHECK(has(r.err, "nothing comes after `end`"));
  CHECK(has(r.err, "unknown key `window` in `expect`; did you mean `windows`?"));
  CHECK(has(r.err, "unknown key `windo` in a window record; did you mean `window`?"));
}

TEST_CASE("a pipeline with errors shows them and exits 2") {
  work_folder w;
  w.write("p.yaml", "pipeline: p\nevent: {fields: {a: strng}}\n");
  const auto r = run(w.write("t.yaml", "pipeline: p.yaml\ntests: [{name: t, events: [], expect: {windows: []}}]\n"));
  CHECK(r.code == 2);
  CHECK(has(r.err, "p.yaml:2:"));
}

TEST_CASE("update rewrites only the expectations of failing tests, and the file then holds") {
  work_folder w;
  w.write("clicks.yaml", clicks);
  const std::string head = R"(# A comment that stays.
pipeline: clicks.yaml   # this too
tests:
  - name: fails
    events:
      - {user: ann, n: 1, ts: "2026-01-05T14:30:00Z"}   # an event
      - end
    expect:   # by hand
)";
  const std::string middle = R"(
  # Between the tests.
  - expect: {windows: [], alerts: []}
    name: holds
    events: []

  - name: has none yet
    events: [{user: "true", n: x, ts: ""}, end]
)";
  const std::string tail = R"(
  # The end.
)";
  const auto path =
    w.write("t.yaml", head + "      windows: [{values: {clicks: 7}}]\n      alerts:\n        []\n" + middle + tail);
  const auto r = run(path, true);
  CHECK(r.code == 0);
  CHECK(has(r.err, "3 tests, 0 failed, 2 updated"));
  const auto text = w.read("t.yaml");
  CHECK(text.substr(0, text.find("    expect:")) == head.substr(0, head.find("    expect:")));
  CHECK(has(text, "      windows:\n        - {window: minute, key: {user: ann}, start: \"2026-01-05T14:30:00.000Z\""));
  CHECK(
    has(text, "      alerts: []\n" + middle + "    expect:\n      windows: []\n      alerts: []\n      rejected:\n"));
  CHECK(has(text, "event: {user: \"true\", n: x, ts: \"\"}}\n" + tail));
  CHECK(run(path).code == 0);
  CHECK(run(path, true).code == 0);
  CHECK(w.read("t.yaml") == text);
}

TEST_CASE("update refuses a test written in braces and leaves the file alone") {
  work_folder w;
  w.write("clicks.yaml", clicks);
  const std::string text = "pipeline: clicks.yaml\ntests: [{name: t, events: [], expect: {alerts: [{rule: many}]}}]\n";
  const auto path = w.write("t.yaml", text);
  const auto r = run(path, true);
  CHECK(r.code == 2);
  CHECK(has(r.err, "written in braces"));
  CHECK(w.read("t.yaml") == text);
}

TEST_CASE("a test that expects nothing fails and shows what came out") {
  const auto r = clicks_test(one_event + "      - end\n");
  CHECK(r.code == 1);
  CHECK(has(r.out, "--update"));
  CHECK(has(r.out, "+ {window: minute"));
}
