// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/ast.hpp"
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <array>

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

void read_kind(reader& r, section& s, windows::window_options& out) {
  // Stands in for whatever is wrong, so that the rest of the window can be checked.
  out.size = out.every = 60'000'000'000;
  const auto* tumbling = s.get("tumbling");
  const auto* sliding = s.get("sliding");
  if (tumbling && sliding)
    r.error(s.node(), "a window is either `tumbling` or `sliding`");
  if (tumbling)
    out.size = out.every = read_length(r, tumbling, out.size);
  if (sliding)
    read_sliding(r, *sliding, out);
  for (const auto* key : {"tumbling", "sliding", "session", "count", "global"})
    if (s.node().find(key))
      return;
  r.error(s.node(), "a window needs its kind", "e.g. `tumbling: 1m` or `sliding: {size: 5m, every: 30s}`");
}

/// The first call of an aggregate that the format knows and this version does not, or null.
const expressions::node* find_later(const expressions::node& n) {
  static constexpr auto later =
    std::to_array<std::string_view>({"variance", "stddev", "quantile", "median", "distinct", "top", "count_if", "any",
                                     "collect", "slope", "integral", "rate", "ewma"});
  const bool call = n.what == expressions::node::kind::call && !n.target;
  if (call && std::find(later.begin(), later.end(), n.name) != later.end())
    return &n;
  const auto* found = n.target ? find_later(*n.target) : nullptr;
  for (const auto& a : n.args)
    found = found || !a ? found : find_later(*a);
  return found;
}

void check_support(reader& r, const yaml_node& n) {
  std::vector<expressions::expression_error> ignored;
  const auto tree = expressions::parse(n.text, ignored);
  if (const auto* call = tree ? find_later(*tree) : nullptr)
    r.error(n, "the aggregate `" + call->name + "` is not supported in this version",
            "known: count, sum, avg, min, max, first, last", call->offset);
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
    else if (const auto* text = r.text(value.get(), "an aggregate")) {
      check_support(r, *value);
      out.aggregates.emplace_back(*name, *text);
    }
    if (out.aggregates.empty() || out.aggregates.back().first != *name)
      r.poison(*name);
  }
}

void read_window(reader& r, const yaml_node& n, const draft& d, windows::window_options& out) {
  section s{r,
            &n,
            "a window",
            {{"name", "key", "tumbling", "sliding", "lateness", "where", "aggregate"},
             {"session", "count", "global", "early"}}};
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
  out.lateness = r.duration(s.get("lateness")).value_or(0);
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
