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

/// A plan with one wrong expression is no plan, and then nothing behind it can be checked. So wrong pieces are taken
/// out after they were reported, and what is left is planned again. Plans keep silent about what only depends on a
/// wrong piece, so this may take as many rounds as there are pieces in a row.
template <class Make, class Repair>
auto plan_what_is_left(reader& r, std::string_view prefix, std::size_t items, Make&& make, Repair&& take_out) {
  constexpr int most_rounds = 32;
  for (int round = 0;; ++round) {
    std::vector<diagnostic> findings;
    auto plan = make(findings);
    for (const auto& f : findings) {
      r.finding(f);
      const auto at = item_of(f.path, prefix);
      if (!plan && at && at->index < items)
        take_out(*at);
    }
    if (plan || findings.empty() || round == most_rounds)
      return plan;
  }
}

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
  return plan_what_is_left(
    r, "enrich.steps[", options.steps.size(),
    [&](std::vector<diagnostic>& findings) { return enrich::make_plan(options, fields, d.def.tables, findings); },
    [&](const place& at) { repair(r, options.steps[at.index], at.rest); });
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
  out.plan = plan_what_is_left(
    r, "windows[", options.size(),
    [&](std::vector<diagnostic>& findings) { return windows::make_plan(options, fields, findings); },
    [&](const place& at) {
      auto& w = options[at.index];
      if (repair(r, w, at.rest) && !w.aggregates.empty())
        return;
      stand_in(w);
      out.broken.insert(w.name);
    });
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

/// The plans on the fields that are marked as kept.
struct trial {
  schema_ptr events;
  enrich::options options;
  enrich::plan_ptr enrich;
  windows::plan_ptr windows;
  alerts::plan_ptr alerts;
};
std::optional<trial> try_kept(const draft& d) {
  trial t;
  t.events = schema_of(d.def.decode.fields, true);
  t.options = without_pruned(d.def.enrich_options, d.def.decode.fields);
  std::vector<diagnostic> ignored;
  t.enrich = enrich::make_plan(t.options, t.events, d.def.tables, ignored);
  if (!t.enrich)
    return std::nullopt;
  const auto enriched = t.enrich->output_schema();
  t.windows = windows::make_plan(d.windows, enriched, ignored);
  if (!t.windows)
    return std::nullopt;
  t.alerts = alerts::make_plan(d.def.name, d.rules, scopes_of(d, *t.windows, enriched), ignored);
  return t.alerts ? std::optional{std::move(t)} : std::nullopt;
}

std::set<std::string> removed_fields(const enrich::options& o) {
  std::set<std::string> out;
  for (const auto& step : o.steps)
    if (const auto* remove = std::get_if<enrich::remove_step>(&step))
      out.insert(remove->fields.begin(), remove->fields.end());
  return out;
}

/// Leaves only the fields that somebody reads, and plans on them.
void prune_fields(draft& d) {
  auto& def = d.def;
  auto& specs = def.decode.fields;
  def.events = def.declared;
  if (def.store_events || d.windows.empty())
    return;
  std::set<std::string> needed{def.key.begin(), def.key.end()};
  const auto need = [&](const std::vector<std::string>& names) { needed.insert(names.begin(), names.end()); };
  if (def.decode.time)
    needed.insert(specs[*def.decode.time].field.name);
  need(def.windows->fields_read());
  need(def.alerts->fields_read());
  const auto steps = def.enrich->fields_read();
  const std::set<std::string> by_steps{steps.begin(), steps.end()};
  for (auto& s : specs)
    s.kept = needed.contains(s.field.name) || by_steps.contains(s.field.name);
  auto best = try_kept(d);
  // A step that removes a field counts as reading it: whether another reads it, only a plan without it can tell.
  for (const auto& name : removed_fields(def.enrich_options)) {
    const auto at = std::find_if(specs.begin(), specs.end(), [&](const auto& s) { return s.field.name == name; });
    if (!best || at == specs.end() || !at->kept || needed.contains(name))
      continue;
    at->kept = false;
    if (auto t = try_kept(d))
      best = std::move(t);
    else
      at->kept = true;
  }
  if (!best || best->events->size() == 0) {
    // Correct though slower; a batch without any column is of no use to those who look at it.
    for (auto& s : specs)
      s.kept = true;
    return;
  }
  def.events = best->events;
  def.enrich_options = std::move(best->options);
  def.enrich = std::move(best->enrich);
  def.windows = std::move(best->windows);
  def.alerts = std::move(best->alerts);
}

/// Whether all events of a window's key are in one partition.
bool meets_in_one_partition(const draft& d, const windows::window_options& w) {
  std::set<std::string> changed;
  for (const auto& step : d.def.enrich_options.steps)
    if (const auto* set = std::get_if<enrich::set_step>(&step))
      for (const auto& f : set->fields)
        changed.insert(f.first);
  return d.def.partitions == 1 || std::all_of(d.def.key.begin(), d.def.key.end(), [&](const auto& name) {
           return !changed.contains(name) && std::find(w.key.begin(), w.key.end(), name) != w.key.end();
         });
}

/// Windows over several partitions are computed in two steps (rule 3.4). Sessions and counts go by the order of single
/// events, which partial accumulators do not have.
void decide_merging(reader& r, draft& d) {
  // Without an event key everything is in partition 0.
  if (d.def.key.empty())
    return;
  for (std::size_t i = 0; i < d.windows.size(); ++i) {
    auto& w = d.windows[i];
    if (meets_in_one_partition(d, w))
      continue;
    w.merged = w.kind != windows::window_kind::session && w.kind != windows::window_kind::count;
    if (w.merged)
      continue;
    bool exact = false;
    const auto& at = resolve(r.root(), "windows[" + std::to_string(i) + "].key", exact);
    r.batch_only(at, "window `" + w.name +
                       "` has a key without the whole event key: for a session or count window this works in `batch`; "
                       "live needs `partitions: 1`, or an event key that is part of the window's");
  }
}

} // namespace

void make_plans(reader& r, draft& d) {
  auto& def = d.def;
  if (auto& duplicates = def.enrich_options.duplicates) {
    duplicates->key = def.key;
    duplicates->id = def.id;
    duplicates->limits = {def.limits.keys, def.limits.bytes};
  }
  def.declared = schema_of(def.decode.fields, false);
  def.enrich = check_enrich(r, d, def.declared);
  if (!def.enrich)
    return;
  const auto enriched = def.enrich->output_schema();
  decide_merging(r, d);
  const auto windows = check_windows(r, d, enriched);
  def.windows = windows.plan;
  if (!def.windows)
    return;
  def.alerts = check_alerts(r, d, windows, enriched);
  if (r.failed() || !def.alerts)
    return;
  prune_fields(d);
}

} // namespace millrace::pipeline
