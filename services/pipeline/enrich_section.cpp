// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <filesystem>

namespace millrace::pipeline {

namespace {

void read_types(reader& r, const yaml_node& n, enrich::table_options& out) {
  if (!n.is_map()) {
    r.error(n, "`types` is a map of column names and types", "e.g. `limit: double`");
    return;
  }
  const std::vector<std::pair<std::string, data_type>> known{{"bool", data_type::boolean},
                                                             {"int", data_type::int64},
                                                             {"uint", data_type::uint64},
                                                             {"double", data_type::float64},
                                                             {"string", data_type::string}};
  for (const auto& [key, value] : n.members) {
    if (!r.text(key.get(), "a column name") || !r.text(value.get(), "a type"))
      continue;
    const auto at =
      std::find_if(known.begin(), known.end(), [&wanted = value->text](const auto& k) { return k.first == wanted; });
    if (at == known.end())
      r.error(*value, "a column cannot be of type `" + value->text + "`",
              suggest(value->text, {"bool", "int", "uint", "double", "string"}));
    else if (!out.types.emplace(key->text, at->second).second)
      r.error(*key, "`" + key->text + "` is given twice");
  }
}

/// False when the table cannot be used; the reason is reported.
bool read_table(reader& r, const yaml_node& n, draft& d, enrich::table_options& out) {
  section s{r, &n, "a table", {{"file", "key", "types"}, {"nats_kv", "http", "postgresql"}}};
  if (!s || s.node().find("nats_kv") || s.node().find("http") || s.node().find("postgresql"))
    return false;
  const auto* file = s.require("file", "file: instruments.csv");
  const auto* key = s.require("key", "key: symbol");
  const auto* path = r.text(file, "a file");
  const auto* column = r.text(key, "a column name");
  if (const auto* types = s.get("types"))
    read_types(r, *types, out);
  if (!path || !column)
    return false;
  out.file = (std::filesystem::path{d.def.folder} / *path).lexically_normal().string();
  out.key = *column;
  auto table = enrich::load_csv_table(out);
  if (!table) {
    r.error(*file, table.error().message, table.error().hint);
    return false;
  }
  d.def.tables.emplace(out.name, *std::move(table));
  return true;
}

void read_tables(reader& r, const yaml_node& n, draft& d) {
  if (!n.is_map()) {
    r.error(n, "`tables` is a map of table names", "e.g. `instruments: {file: instruments.csv, key: symbol}`");
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a table name");
    if (!name)
      continue;
    bool good = seen.insert(*name).second;
    if (!good)
      r.error(*key, "table `" + *name + "` is given twice");
    else if (!is_name(*name, true)) {
      r.error(*key, "`" + *name + "` cannot be a table name", "a-z, then a-z, 0-9, _ and -; at most 40 characters");
      good = false;
    }
    enrich::table_options out;
    out.name = *name;
    if (good && read_table(r, *value, d, out))
      d.def.enrich_options.tables.push_back(std::move(out));
    else
      d.broken_tables.insert(*name);
  }
}

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

} // namespace

void read_enrich(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`enrich`", {{"tables", "steps"}, {"duplicates"}, true}};
  if (const auto* tables = s.get("tables"))
    read_tables(r, *tables, d);
  const auto* steps = s.get("steps");
  if (!steps)
    return;
  if (!steps->is_sequence()) {
    r.error(*steps, "`steps` is a list", "start each step with `- `");
    return;
  }
  for (const auto& item : steps->items)
    d.def.enrich_options.steps.push_back(read_step(r, *item));
}

} // namespace millrace::pipeline
