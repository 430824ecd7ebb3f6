// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

namespace millrace::pipeline {

namespace {

enrich::step read_set(reader& r, const yaml_node& n) {
  enrich::set_step out;
  if (!n.is_map() || n.members.empty())
    r.error(n, "`set` is a map of fields and expressions", "e.g. `set: {notional: price * double(size)}`");
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a field name");
    if (!name)
      continue;
    if (!seen.insert(*name).second)
      r.error(*key, "`" + *name + "` is given twice");
    else if (!is_identifier(*name))
      r.error(*key, "`" + *name + "` cannot be a field name",
              cut_hint(*key, "a letter or _, then letters, digits and _; not a word of CEL"));
    else if (const auto* text = r.text(value.get(), "an expression"))
      out.fields.emplace_back(*name, *text);
    else
      r.poison(*name);
  }
  return out;
}

enrich::missing_policy read_missing(reader& r, const yaml_node* n) {
  const auto* text = r.text(n, "keep, drop or reject");
  if (!text || *text == "keep")
    return enrich::missing_policy::keep;
  if (*text == "drop")
    return enrich::missing_policy::drop;
  if (*text != "reject")
    r.error(*n, "`" + *text + "` is no policy for missing keys", suggest(*text, {"keep", "drop", "reject"}));
  return enrich::missing_policy::reject;
}

enrich::step read_lookup(reader& r, const yaml_node& n) {
  enrich::lookup_step out;
  section s{r, &n, "a lookup", {{"table", "on", "add", "missing"}}};
  const auto* table = s.require("table", "table: instruments");
  const auto* on = s.require("on", "on: symbol");
  const auto* add = s.require("add", "add: [sector]");
  if (const auto* text = r.text(table, "a table name"))
    out.table = *text;
  if (const auto* text = r.text(on, "a field name"))
    out.on = *text;
  for (const auto* item : r.scalars(add, "a column name"))
    out.add.push_back(item->text);
  if (add && add->is_sequence() && add->items.empty())
    r.error(*add, "`add` names no column");
  out.missing = read_missing(r, s.get("missing"));
  return out;
}

enrich::step read_step(reader& r, const yaml_node& n) {
  const enrich::filter_step nothing{"true"};
  section s{r, &n, "a step", {{"filter", "lookup", "set", "remove"}}};
  if (!s)
    return nothing;
  const auto given = static_cast<int>(s.has("filter")) + s.has("lookup") + s.has("set") + s.has("remove");
  if (given != 1) {
    if (given > 1 || n.members.empty())
      r.error(n, "a step is exactly one of filter, lookup, set or remove", "start each step with `- `");
    return nothing;
  }
  if (const auto* set = s.get("set"))
    return read_set(r, *set);
  if (const auto* lookup = s.get("lookup"))
    return read_lookup(r, *lookup);
  if (const auto* remove = s.get("remove")) {
    enrich::remove_step out;
    for (const auto* item : r.scalars(remove, "a field name"))
      out.fields.push_back(item->text);
    return out;
  }
  const auto* condition = r.text(s.get("filter"), "an expression");
  return condition ? enrich::filter_step{*condition} : nothing;
}

/// CloudEvents have an id of their own; the field has a name that no expression and no output shows.
void use_cloudevents_id(draft& d) {
  for (const auto& f : d.def.decode.fields)
    if (f.source == codec::field_source::attribute && f.path == std::vector<std::string>{"id"}) {
      d.def.id = f.field.name;
      return;
    }
  codec::field_spec id;
  id.field = {"$ce.id", data_type::string, true};
  id.source = codec::field_source::attribute;
  id.path = {"id"};
  d.def.id = id.field.name;
  d.def.decode.fields.push_back(std::move(id));
}

void read_duplicates(reader& r, const yaml_node& n, draft& d) {
  section s{r, &n, "`duplicates`", {{"within"}}};
  if (!s)
    return;
  const auto* within = s.require("within", "within: 10m");
  const auto d_within = r.duration(within);
  if (d_within && *d_within <= 0)
    r.error(*within, "`within` must be longer than zero", "e.g. `within: 10m`");
  const auto* event = r.root().find("event");
  if (d.def.id.empty() && d.def.decode.format == codec::event_format::cloudevents)
    use_cloudevents_id(d);
  else if (d.def.id.empty() && !(event && event->find("id")))
    r.error(n, "`duplicates` needs to know what identifies an event", "name the field: `event: {id: trade_id}`");
  // What else it needs is added once every section is read.
  if (d_within && *d_within > 0 && !d.def.id.empty())
    d.def.enrich_options.duplicates = enrich::duplicates_options{*d_within, {}, {}, {}};
}

} // namespace

void read_enrich(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`enrich`", {{"duplicates", "tables", "steps"}, {}, true}};
  if (const auto* duplicates = s.get("duplicates"))
    read_duplicates(r, *duplicates, d);
  const auto* tables = s.get("tables");
  if (tables)
    read_tables(r, *tables, d);
  const auto* steps = s.get("steps");
  if (steps && !steps->is_sequence())
    r.error(*steps, "`steps` is a list", "start each step with `- `");
  else if (steps)
    for (const auto& item : steps->items)
      d.def.enrich_options.steps.push_back(read_step(r, *item));
  if (tables)
    load_tables(r, *tables, d);
}

} // namespace millrace::pipeline
