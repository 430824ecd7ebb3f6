// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test_file.hpp"

#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_writer.hpp"
#include "services/pipeline/reader.hpp"

#include <algorithm>
#include <filesystem>

namespace millrace::cli {

namespace {

using pipeline::reader;
using pipeline::section;
using pipeline::yaml_node;
using pipeline::yaml_ptr;

/// Checks the members of one record of `kind`.
bool is_record(reader& r, const yaml_node& n, std::size_t kind) {
  switch (static_cast<record_kind>(kind)) {
  case record_kind::window:
    return static_cast<bool>(
      section{r,
              &n,
              "a window record",
              {{"kind", "window", "key", "start", "end", "seq", "version", "final", "retracted", "values", "errors"},
               {},
               true}});
  case record_kind::alert:
    return static_cast<bool>(section{
      r,
      &n,
      "an alert record",
      {{"kind", "rule", "id", "key", "state", "at", "since", "severity", "labels", "summary", "values"}, {}, true}});
  case record_kind::rejected: break;
  }
  return static_cast<bool>(
    section{r, &n, "a rejected record", {{"kind", "stage", "reason", "origin", "detail", "event", "raw"}, {}, true}});
}

yaml_ptr shared(const yaml_node& in, const yaml_node* child) {
  for (const auto& [key, value] : in.members)
    if (value.get() == child)
      return value;
  return nullptr;
}

yaml_ptr item_of(const yaml_node& in, const yaml_node* item) {
  for (const auto& x : in.items)
    if (x.get() == item)
      return x;
  return nullptr;
}

yaml_ptr key_node(const yaml_node& in, std::string_view name) {
  for (const auto& [key, value] : in.members)
    if (key->is_scalar() && key->text == name)
      return key;
  return nullptr;
}

/// `advance` is a step only when it is the one member: an event may have a field of that name among others.
const yaml_node* advance_of(const yaml_node& n) {
  return n.is_map() && n.members.size() == 1 ? n.find("advance") : nullptr;
}

void read_steps(reader& r, const yaml_node& n, std::vector<test_step>& out) {
  if (!n.is_sequence()) {
    r.error(n, "`events` is a list", "e.g. `- {symbol: AAPL, price: 100.0}`, `- advance: 90s` or `- end`");
    return;
  }
  bool ended = false;
  for (const auto& item : n.items) {
    test_step s;
    s.node = item;
    if (ended) {
      r.error(*item, "nothing comes after `end`", "`end` is the end of input: make it the last item");
      return;
    }
    if (const auto* by = advance_of(*item)) {
      s.what = test_step::kind::advance;
      s.by = r.duration(by).value_or(0);
    } else if (item->is_scalar() && item->plain && item->text == "end") {
      s.what = test_step::kind::end;
      ended = true;
    } else if (item->is_scalar() && !item->plain) {
      s.what = test_step::kind::message;
    } else if (!item->is_map()) {
      r.error(*item, "an event is a map of its members",
              "other items are `advance: 90s`, `end` and a quoted text, which is a message as it stands");
      continue;
    }
    out.push_back(std::move(s));
  }
}

void read_records(reader& r, const yaml_node& n, std::size_t kind, std::vector<yaml_ptr>& out) {
  if (!n.is_sequence()) {
    r.error(n, "`" + std::string{record_sections[kind]} + "` is a list of records", "`[]` says that there are none");
    return;
  }
  for (const auto& item : n.items)
    if (is_record(r, *item, kind))
      out.push_back(item);
}

void read_expect(reader& r, const yaml_node& n, test_case& out) {
  section s{r, &n, "`expect`", {{"only", "windows", "alerts", "rejected"}}};
  if (const auto* only = s.get("only"))
    for (const auto* name : r.scalars(only, "the name of a window or rule"))
      out.only.push_back(only->is_sequence() ? item_of(*only, name) : shared(n, only));
  for (std::size_t k = 0; k < record_sections.size(); ++k)
    if (const auto* list = s.get(record_sections[k]))
      read_records(r, *list, k, out.expect[k].emplace());
}

test_case read_case(reader& r, const yaml_ptr& n) {
  test_case out;
  out.node = n;
  section s{r, n.get(), "a test", {{"name", "events", "file", "start", "subject", "expect"}, {}, true}};
  if (!s)
    return out;
  if (const auto* name = r.text(s.require("name", "name: a spike fires once"), "a name"))
    out.name = *name;
  const auto* events = s.get("events");
  const auto* file = s.get("file");
  if (events && file)
    r.error(*file, "a test has `events` or a `file`, not both");
  if (!events && !file)
    r.error(*n, "a test needs `events` or `file`", "e.g. `file: trades.ndjson`");
  if (events)
    read_steps(r, *events, out.steps);
  if (const auto* t = r.text(file, "a path"))
    out.file = *t;
  if (const auto* t = r.text(s.get("subject"), "a subject"))
    out.subject = *t;
  if (const auto* t = r.text(s.get("start"), "a timestamp")) {
    out.start = codec::parse_rfc3339(*t);
    if (!out.start)
      r.error(*s.get("start"), "`" + *t + "` is not a timestamp", "e.g. `start: 2026-01-05T14:30:00Z`");
  }
  out.expect_key = key_node(*n, "expect");
  if (const auto* expect = s.get("expect"))
    read_expect(r, *shared(*n, expect), out);
  return out;
}

void check_names(reader& r, const std::vector<test_case>& tests) {
  for (auto a = tests.begin(); a != tests.end(); ++a)
    if (!a->name.empty() && std::any_of(tests.begin(), a, [&](const auto& b) { return b.name == a->name; }))
      r.error(*a->node->find("name"), "two tests are named `" + a->name + "`", "give each a name of its own");
}

} // namespace

std::string resolve_path(const std::string& folder, const std::string& path) {
  return (std::filesystem::path{folder} / path).lexically_normal().string();
}

test_file_result read_test_file(std::string_view text, const std::string& path) {
  test_file_result out;
  std::vector<pipeline::yaml_error> errors;
  auto root = pipeline::parse_yaml(text, errors);
  for (auto& e : errors)
    out.findings.push_back({path, e.line + 1, e.column + 1, true, false, std::move(e.message), std::move(e.hint)});
  if (!root)
    return out;
  reader r{path, root};
  test_file made;
  made.path = path;
  made.folder = std::filesystem::path{path}.parent_path().string();
  section s{r, root.get(), "a test file", {{"pipeline", "tests"}}};
  if (const auto* p = r.text(s.require("pipeline", "pipeline: ../trades.yaml"), "the path of a pipeline file"))
    made.pipeline = resolve_path(made.folder, *p);
  if (const auto* tests = s.require("tests", "tests: [{name: ..., events: [...], expect: {...}}]")) {
    if (!tests->is_sequence() || tests->items.empty())
      r.error(*tests, "`tests` is a list of at least one test");
    for (const auto& t : tests->items)
      made.tests.push_back(read_case(r, t));
    check_names(r, made.tests);
  }
  if (!r.failed())
    out.value = std::move(made);
  out.findings = std::move(r).take();
  return out;
}

void append_json(std::string& out, const yaml_node& n) {
  switch (n.what) {
  case yaml_node::kind::null: out += "null"; return;
  case yaml_node::kind::scalar:
    if (n.plain && (n.text == "true" || n.text == "false" || codec::is_json_number(n.text)))
      out += n.text;
    else
      codec::append_string(out, n.text);
    return;
  case yaml_node::kind::sequence:
    out += '[';
    for (const auto& item : n.items) {
      if (&item != n.items.data())
        out += ',';
      append_json(out, *item);
    }
    out += ']';
    return;
  case yaml_node::kind::map:
    out += '{';
    for (const auto& member : n.members) {
      if (&member != n.members.data())
        out += ',';
      codec::append_string(out, member.first->text);
      out += ':';
      append_json(out, *member.second);
    }
    out += '}';
    return;
  }
}

} // namespace millrace::cli
