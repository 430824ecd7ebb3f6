// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>

namespace millrace::pipeline {

namespace {

constexpr std::string_view name_hint = "a-z, then a-z, 0-9, _ and -; at most 40 characters";

nanoseconds_t read_length(reader& r, const yaml_node* n, nanoseconds_t fallback) {
  const auto d = r.duration(n);
  if (d && *d == 0)
    r.error(*n, "the duration must be longer than zero");
  return d && *d > 0 ? *d : fallback;
}

void read_sliding(reader& r, const yaml_node& n, windows::window_options& out) {
  out.kind = windows::window_kind::sliding;
  section s{r, &n, "`sliding`", {{"size", "every"}}};
  const auto* size = s.require("size", "size: 5m");
  const auto* every = s.require("every", "every: 30s");
  out.size = read_length(r, size, out.size);
  out.every = read_length(r, every, out.size);
  if (out.every > out.size) {
    r.error(*every, "`every` is longer than `size`: events between the windows would be in none");
    out.every = out.size;
  }
}

void read_session(reader& r, const yaml_node& n, windows::window_options& out) {
  out.kind = windows::window_kind::session;
  section s{r, &n, "`session`", {{"gap", "max"}}};
  out.gap = read_length(r, s.require("gap", "gap: 30s"), out.size);
  const auto* max = s.get("max");
  if (!max)
    return;
  out.max = read_length(r, max, out.gap);
  if (out.max < out.gap) {
    r.error(*max, "`max` is shorter than `gap`", "a session lasts at least as long as its gap");
    out.max = out.gap;
  }
}

/// A positive number of events; 1 when it is not.
std::int64_t read_events(reader& r, const yaml_node* n) {
  const auto v = r.count(n);
  if (!v)
    return 1;
  if (*v >= 1 && *v <= windows::max_count)
    return static_cast<std::int64_t>(*v);
  r.error(*n, "a count window holds 1 to " + std::to_string(windows::max_count) + " events");
  return 1;
}

void read_count(reader& r, const yaml_node& n, windows::window_options& out) {
  out.kind = windows::window_kind::count;
  if (!n.is_map()) {
    out.count = out.count_every = read_events(r, &n);
    return;
  }
  section s{r, &n, "`count`", {{"size", "every"}}};
  const auto* size = s.require("size", "size: 100");
  const auto* every = s.get("every");
  out.count = out.count_every = read_events(r, size);
  if (!every)
    return;
  out.count_every = read_events(r, every);
  if (size && out.count_every > out.count) {
    r.error(*every, "`every` is more than `size`: events between the windows would be in none");
    out.count_every = out.count;
  }
}

void read_global(reader& r, const yaml_node& n, windows::window_options& out) {
  out.kind = windows::window_kind::global;
  section s{r, &n, "`global`", {{"every"}}};
  out.every = read_length(r, s.require("every", "every: 10s"), out.every);
}

void read_kind(reader& r, section& s, windows::window_options& out) {
  // Stands in for whatever is wrong, so that the rest of the window can be checked.
  out.size = out.every = 60'000'000'000;
  std::string_view first;
  for (const auto* key : {"tumbling", "sliding", "session", "count", "global"}) {
    const auto* n = s.get(key);
    if (!n)
      continue;
    if (!first.empty()) {
      r.error(*n, "a window is either `" + std::string{first} + "` or `" + key + "`", "make two windows of it");
      continue;
    }
    first = key;
    if (first == "tumbling")
      out.size = out.every = read_length(r, n, out.size);
    else if (first == "sliding")
      read_sliding(r, *n, out);
    else if (first == "session")
      read_session(r, *n, out);
    else if (first == "count")
      read_count(r, *n, out);
    else
      read_global(r, *n, out);
  }
  if (first.empty())
    r.error(s.node(), "a window needs its kind",
            "one of `tumbling: 1m`, `sliding: {size: 5m, every: 30s}`, `session: {gap: 30s}`, `count: 100`, "
            "`global: {every: 10s}`");
}

void read_aggregates(reader& r, const yaml_node& n, windows::window_options& out) {
  if (!n.is_map() || n.members.empty()) {
    r.error(n, "`aggregate` is a map of names and aggregates", "e.g. `trades: count()`");
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a name");
    if (!name)
      continue;
    if (!seen.insert(*name).second)
      r.error(*key, "`" + *name + "` is given twice");
    else if (!is_identifier(*name))
      r.error(*key, "`" + *name + "` cannot be the name of an aggregate",
              cut_hint(*key, "a letter or _, then letters, digits and _; not a word of CEL"));
    else if (value->is_null())
      r.error(*key, "`" + *name + "` has no value", "e.g. `" + *name + ": count()`");
    else if (const auto* text = r.text(value.get(), "an aggregate"))
      out.aggregates.emplace_back(*name, *text);
    if (out.aggregates.empty() || out.aggregates.back().first != *name)
      r.poison(*name);
  }
}

void read_window(reader& r, const yaml_node& n, const draft& d, windows::window_options& out) {
  section s{
    r,
    &n,
    "a window",
    {{"name", "key", "tumbling", "sliding", "session", "count", "global", "lateness", "early", "where", "aggregate"}}};
  if (!s)
    return;
  const auto* name = s.require("name", "name: ohlc");
  if (const auto* text = r.text(name, "a name")) {
    if (!is_name(*text, true)) {
      r.error(*name, "`" + *text + "` cannot be the name of a window", std::string{name_hint});
      r.poison(*text);
    } else if (*text == "events") {
      r.error(*name, "a window cannot be named `events`: alerts call the event stream so");
    } else {
      out.name = *text;
    }
  }
  read_kind(r, s, out);
  const bool timed = out.kind != windows::window_kind::count && out.kind != windows::window_kind::global;
  for (const auto& [key, to] : {std::pair{"lateness", &out.lateness}, std::pair{"early", &out.early}}) {
    const auto* given = s.get(key);
    *to = r.duration(given).value_or(0);
    if (*to <= 0 || timed)
      continue;
    r.error(*given, std::string{"a count or global window has no `"} + key + "`", "take the line out");
    *to = 0;
  }
  if (const auto* text = r.text(s.get("where"), "an expression"))
    out.where = *text;
  if (const auto* key = s.get("key"))
    for (const auto* item : r.scalars(key, "a field name"))
      out.key.push_back(item->text);
  else
    out.key = d.def.key;
  if (const auto* aggregate = s.require("aggregate", "aggregate: {trades: count()}"))
    read_aggregates(r, *aggregate, out);
}

void read_labels(reader& r, const yaml_node& n, alerts::rule_options& out) {
  if (!n.is_map()) {
    r.error(n, "`labels` is a map of names and texts", "e.g. `labels: {team: markets}`");
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a name");
    if (!name)
      continue;
    if (!seen.insert(*name).second)
      r.error(*key, "`" + *name + "` is given twice");
    else if (value->is_null())
      r.error(*key, "`" + *name + "` has no value");
    else if (const auto* text = r.text(value.get(), "a text"))
      out.labels.emplace_back(*name, *text);
  }
}

void read_rule(reader& r, const yaml_node& n, alerts::rule_options& out) {
  section s{r,
            &n,
            "an alert",
            {{"name", "on", "when", "clear", "for", "severity", "labels", "summary"},
             {"absent", "repeat", "group_by", "max_per_minute"}}};
  if (!s)
    return;
  const auto* name = s.require("name", "name: spike");
  if (const auto* text = r.text(name, "a name")) {
    if (is_name(*text, true))
      out.name = *text;
    else
      r.error(*name, "`" + *text + "` cannot be the name of an alert", std::string{name_hint});
  }
  const auto set = [&](const yaml_node* value, std::string_view expected, std::string& to) {
    if (const auto* text = r.text(value, expected))
      to = *text;
  };
  if (!s.node().find("absent")) {
    set(s.require("on", "on: ohlc"), "a window, or `events`", out.on);
    set(s.require("when", "when: change > 0.05"), "an expression", out.when);
  }
  set(s.get("clear"), "an expression", out.clear);
  set(s.get("severity"), "a text", out.severity);
  set(s.get("summary"), "a text", out.summary);
  out.hold = r.duration(s.get("for")).value_or(0);
  if (const auto* labels = s.get("labels"))
    read_labels(r, *labels, out);
}

/// Each item of the list `n`; entries whose name is wrong or missing keep an empty name.
template <class Options, class Read>
void read_list(reader& r, const yaml_node* n, std::string_view what, std::vector<Options>& out, Read&& read) {
  if (!n)
    return;
  if (!n->is_sequence()) {
    r.error(*n, std::string{what} + " is a list", "start each item with `- name: ...`");
    return;
  }
  std::set<std::string> seen;
  for (const auto& item : n->items) {
    Options options;
    read(*item, options);
    if (!options.name.empty() && !seen.insert(options.name).second) {
      const auto* name = item->find("name");
      r.error(name ? *name : *item, "the name `" + options.name + "` is taken by another item of " + std::string{what});
      options.name.clear();
    }
    out.push_back(std::move(options));
  }
}

} // namespace

void read_windows(reader& r, const yaml_node* n, draft& d) {
  read_list(r, n, "`windows`", d.windows,
            [&](const yaml_node& item, windows::window_options& out) { read_window(r, item, d, out); });
}

void read_alerts(reader& r, const yaml_node* n, draft& d) {
  read_list(r, n, "`alerts`", d.rules,
            [&](const yaml_node& item, alerts::rule_options& out) { read_rule(r, item, out); });
}

} // namespace millrace::pipeline
