// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <charconv>

namespace millrace::pipeline {

namespace {

schema_ptr schema_of(const std::vector<codec::field_spec>& specs, bool kept_only) {
  std::vector<field> fields;
  for (const auto& s : specs)
    if (s.kept || !kept_only)
      fields.push_back(s.field);
  return std::make_shared<const schema>(std::move(fields));
}

/// Splits `windows[2].aggregate.vwap` with prefix `windows[` into 2 and `aggregate.vwap`.
struct place {
  std::size_t index = 0;
  std::string_view rest;
};
std::optional<place> item_of(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix))
    return std::nullopt;
  path.remove_prefix(prefix.size());
  place p;
  const auto parsed = std::from_chars(path.data(), path.data() + path.size(), p.index);
  if (parsed.ec != std::errc{})
    return std::nullopt;
  path.remove_prefix(static_cast<std::size_t>(parsed.ptr - path.data()));
  p.rest = path.starts_with("].") ? path.substr(2) : std::string_view{};
  return p;
}

// A plan with one wrong expression is no plan, and then nothing behind it can be checked. So wrong pieces are taken
// out after they were reported, their names marked, and what is left is planned again for the stages behind.

void repair(reader& r, enrich::step& step, std::string_view rest) {
  if (auto* set = std::get_if<enrich::set_step>(&step); set && rest.starts_with("set.")) {
    const auto name = rest.substr(4);
    std::erase_if(set->fields, [&](const auto& f) { return f.first == name; });
    r.poison(std::string{name});
    return;
  }
  if (const auto* set = std::get_if<enrich::set_step>(&step))
    for (const auto& f : set->fields)
      r.poison(f.first);
  if (const auto* lookup = std::get_if<enrich::lookup_step>(&step))
    for (const auto& name : lookup->add)
      r.poison(name);
  step = enrich::filter_step{"true"};
}

enrich::plan_ptr check_enrich(reader& r, const draft& d, const schema_ptr& fields) {
  auto options = d.def.enrich_options;
  for (auto& step : options.steps) {
    if (const auto* lookup = std::get_if<enrich::lookup_step>(&step))
      if (lookup->table.empty() || lookup->on.empty() || lookup->add.empty() || d.broken_tables.contains(lookup->table))
        repair(r, step, {});
    if (const auto* set = std::get_if<enrich::set_step>(&step); set && set->fields.empty())
      step = enrich::filter_step{"true"};
  }
  std::vector<diagnostic> findings;
  auto plan = enrich::make_plan(options, fields, d.def.tables, findings);
  for (const auto& f : findings) {
    r.finding(f);
    const auto at = item_of(f.path, "enrich.steps[");
    if (!plan && at && at->index < options.steps.size())
      repair(r, options.steps[at->index], at->rest);
  }
  if (plan)
    return plan;
  std::vector<diagnostic> ignored;
  return enrich::make_plan(options, fields, d.def.tables, ignored);
}

/// False when the window as a whole cannot be used.
bool repair(reader& r, windows::window_options& w, std::string_view rest) {
  if (rest.starts_with("aggregate.")) {
    const auto name = rest.substr(10);
    std::erase_if(w.aggregates, [&](const auto& a) { return a.first == name; });
    r.poison(std::string{name});
    return true;
  }
  if (rest == "where") {
    w.where.clear();
    return true;
  }
  if (rest.starts_with("key")) {
    for (const auto& name : w.key)
      r.poison(name);
    w.key.clear();
    return true;
  }
  return false;
}

struct checked_windows {
  windows::plan_ptr plan;
  /// Names of windows about whose values nothing can be said.
  std::set<std::string> broken;
};

/// Options that a plan can be made of, though the file's are not.
void stand_in(windows::window_options& w) {
  w.aggregates.assign(1, {"stand_in", "count()"});
  w.where.clear();
  w.key.clear();
  w.kind = windows::window_kind::tumbling;
  w.size = w.every = 60'000'000'000;
}

checked_windows check_windows(reader& r, const draft& d, const schema_ptr& fields) {
  checked_windows out;
  auto options = d.windows;
  for (std::size_t i = 0; i < options.size(); ++i) {
    auto& w = options[i];
    if (w.name.empty())
      w.name = "unnamed_" + std::to_string(i);
    if (w.size == 0 || w.aggregates.empty()) {
      stand_in(w);
      out.broken.insert(w.name);
    }
  }
  std::vector<diagnostic> findings;
  out.plan = windows::make_plan(options, fields, findings);
  for (const auto& f : findings) {
    r.finding(f);
    const auto at = item_of(f.path, "windows[");
    if (out.plan || !at || at->index >= options.size())
      continue;
    auto& w = options[at->index];
    if (!repair(r, w, at->rest) || w.aggregates.empty()) {
      stand_in(w);
      out.broken.insert(w.name);
    }
  }
  if (!out.plan) {
    std::vector<diagnostic> ignored;
    out.plan = windows::make_plan(options, fields, ignored);
  }
  return out;
}

std::vector<alerts::scope> scopes_of(const draft& d, const windows::plan& windows, const schema_ptr& enriched) {
  std::vector<alerts::scope> scopes;
  for (std::size_t i = 0; i < windows.size(); ++i)
    scopes.push_back({windows.window(i).name, windows.result_schema(i), windows.window(i).key});
  alerts::scope events{"", enriched, {}};
  for (const auto& name : d.def.key)
    if (enriched->index_of(name))
      events.key.push_back(name);
  scopes.push_back(std::move(events));
  return scopes;
}

alerts::plan_ptr check_alerts(reader& r, const draft& d, const checked_windows& windows, const schema_ptr& enriched) {
  auto rules = d.rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto& rule = rules[i];
    if (rule.name.empty())
      rule.name = "unnamed_" + std::to_string(i);
    if (rule.on.empty() || rule.when.empty() || windows.broken.contains(rule.on)) {
      rule.on = "events";
      rule.when = "true";
      rule.clear.clear();
      rule.summary.clear();
    }
    if (rule.on != "events" || d.rules[i].on != "events")
      continue;
    for (const auto& name : d.def.key)
      if (!enriched->index_of(name))
        r.finding({"alerts[" + std::to_string(i) + "].on", 0,
                   "a rule on `events` needs the event key, but a step removes `" + name + "`", ""});
  }
  std::vector<diagnostic> findings;
  auto plan = alerts::make_plan(d.def.name, rules, scopes_of(d, *windows.plan, enriched), findings);
  for (const auto& f : findings)
    r.finding(f);
  return plan;
}

/// Marks what nobody reads; true when there is something.
bool prune_fields(draft& d) {
  auto& specs = d.def.decode.fields;
  if (d.def.store_events || d.windows.empty())
    return false;
  std::set<std::string> needed{d.def.key.begin(), d.def.key.end()};
  if (d.def.decode.time)
    needed.insert(specs[*d.def.decode.time].field.name);
  needed.merge([](auto v) { return std::set<std::string>(v.begin(), v.end()); }(d.def.enrich->fields_read()));
  needed.merge([](auto v) { return std::set<std::string>(v.begin(), v.end()); }(d.def.windows->fields_read()));
  needed.merge([](auto v) { return std::set<std::string>(v.begin(), v.end()); }(d.def.alerts->fields_read()));
  bool pruned = false;
  bool kept = false;
  for (auto& s : specs) {
    s.kept = needed.contains(s.field.name);
    kept = kept || s.kept;
    pruned = pruned || !s.kept;
  }
  // A batch without columns is possible but of no use to anybody who looks at it.
  if (!kept && !specs.empty())
    specs[0].kept = true;
  return pruned;
}

/// The steps without removals of fields that are no longer there.
enrich::options without_pruned(const enrich::options& o, const std::vector<codec::field_spec>& specs) {
  std::set<std::string> absent;
  for (const auto& s : specs)
    if (!s.kept)
      absent.insert(s.field.name);
  auto out = o;
  out.steps.clear();
  for (auto step : o.steps) {
    if (auto* remove = std::get_if<enrich::remove_step>(&step)) {
      std::erase_if(remove->fields, [&](const auto& name) { return absent.contains(name); });
      if (remove->fields.empty())
        continue;
    } else if (const auto* set = std::get_if<enrich::set_step>(&step)) {
      for (const auto& f : set->fields)
        absent.erase(f.first);
    } else if (const auto* lookup = std::get_if<enrich::lookup_step>(&step)) {
      for (const auto& name : lookup->add)
        absent.erase(name);
    }
    out.steps.push_back(std::move(step));
  }
  return out;
}

void plan_on_kept_fields(draft& d) {
  auto& def = d.def;
  def.events = def.declared;
  if (!prune_fields(d))
    return;
  const auto events = schema_of(def.decode.fields, true);
  const auto options = without_pruned(def.enrich_options, def.decode.fields);
  std::vector<diagnostic> findings;
  auto enrich = enrich::make_plan(options, events, def.tables, findings);
  auto windows = enrich ? windows::make_plan(d.windows, enrich->output_schema(), findings) : nullptr;
  auto alerts =
    windows ? alerts::make_plan(def.name, d.rules, scopes_of(d, *windows, enrich->output_schema()), findings) : nullptr;
  if (!alerts) {
    // Some plan reads more than it says: correct though slower is to keep everything.
    for (auto& s : def.decode.fields)
      s.kept = true;
    return;
  }
  def.events = events;
  def.enrich_options = options;
  def.enrich = std::move(enrich);
  def.windows = std::move(windows);
  def.alerts = std::move(alerts);
}

/// Events of one window key must meet in one partition, until results of partitions are merged.
void warn_of_other_keys(reader& r, const draft& d) {
  if (d.def.partitions == 1)
    return;
  std::set<std::string> changed;
  for (const auto& step : d.def.enrich_options.steps)
    if (const auto* set = std::get_if<enrich::set_step>(&step))
      for (const auto& f : set->fields)
        changed.insert(f.first);
  for (std::size_t i = 0; i < d.windows.size(); ++i) {
    const auto& key = d.windows[i].key;
    const auto meets = [&](const std::string& name) {
      return !changed.contains(name) && std::find(key.begin(), key.end(), name) != key.end();
    };
    if (std::all_of(d.def.key.begin(), d.def.key.end(), meets))
      continue;
    bool exact = false;
    const auto& at = resolve(r.root(), "windows[" + std::to_string(i) + "].key", exact);
    r.warning(at, "window `" + d.windows[i].name +
                    "` has a key without the whole event key: works in `batch`; live needs "
                    "`partitions: 1` in this version");
  }
}

} // namespace

void make_plans(reader& r, draft& d) {
  auto& def = d.def;
  def.declared = schema_of(def.decode.fields, false);
  def.enrich = check_enrich(r, d, def.declared);
  if (!def.enrich)
    return;
  const auto enriched = def.enrich->output_schema();
  const auto windows = check_windows(r, d, enriched);
  def.windows = windows.plan;
  if (!def.windows)
    return;
  def.alerts = check_alerts(r, d, windows, enriched);
  if (r.failed() || !def.alerts)
    return;
  plan_on_kept_fields(d);
  warn_of_other_keys(r, d);
}

} // namespace millrace::pipeline
