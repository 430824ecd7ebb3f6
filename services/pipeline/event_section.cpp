// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <array>

namespace millrace::pipeline {

namespace {

struct type_name {
  std::string_view name;
  data_type type;
  codec::timestamp_unit unit = codec::timestamp_unit::rfc3339;
};

constexpr std::array type_names{type_name{"bool", data_type::boolean},
                                type_name{"int", data_type::int64},
                                type_name{"uint", data_type::uint64},
                                type_name{"double", data_type::float64},
                                type_name{"string", data_type::string},
                                type_name{"bytes", data_type::bytes},
                                type_name{"timestamp", data_type::timestamp},
                                type_name{"timestamp_s", data_type::timestamp, codec::timestamp_unit::seconds},
                                type_name{"timestamp_ms", data_type::timestamp, codec::timestamp_unit::milliseconds},
                                type_name{"timestamp_us", data_type::timestamp, codec::timestamp_unit::microseconds},
                                type_name{"timestamp_ns", data_type::timestamp, codec::timestamp_unit::nanoseconds},
                                type_name{"duration", data_type::duration},
                                type_name{"json", data_type::json}};

/// What other systems call our types.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> foreign_types{{{"integer", "int"},
                                                                                       {"int64", "int"},
                                                                                       {"long", "int"},
                                                                                       {"uint64", "uint"},
                                                                                       {"float", "double"},
                                                                                       {"float64", "double"},
                                                                                       {"number", "double"},
                                                                                       {"boolean", "bool"},
                                                                                       {"str", "string"},
                                                                                       {"text", "string"},
                                                                                       {"datetime", "timestamp"},
                                                                                       {"date", "timestamp"},
                                                                                       {"time", "timestamp"},
                                                                                       {"object", "json"}}};

std::string type_hint(std::string_view name) {
  for (const auto& [theirs, ours] : foreign_types)
    if (theirs == name)
      return "did you mean `" + std::string{ours} + "`?";
  std::vector<std::string> known;
  for (const auto& t : type_names)
    known.emplace_back(t.name);
  return suggest(name, known);
}

bool read_type(reader& r, const yaml_node& n, codec::field_spec& spec) {
  const auto* text = r.text(&n, "a type");
  if (!text)
    return false;
  std::string_view name = *text;
  if (name.ends_with('?')) {
    spec.field.nullable = true;
    name.remove_suffix(1);
  }
  for (const auto& t : type_names)
    if (t.name == name) {
      spec.field.type = t.type;
      spec.unit = t.unit;
      return true;
    }
  r.error(n, "unknown type `" + std::string{name} + "`", type_hint(name));
  return false;
}

/// Envelope names have one possible type each.
bool check_envelope(reader& r, const yaml_node& n, data_type actual, data_type wanted) {
  if (actual == wanted)
    return true;
  r.error(n, "`" + n.text + "` is a " + std::string{to_string(wanted)} + ", but the field is declared as " +
               std::string{to_string(actual)});
  return false;
}

bool read_dotted(reader& r, const yaml_node& n, codec::field_spec& spec) {
  for (std::string_view rest = n.text;;) {
    const auto dot = rest.find('.');
    if (dot == 0 || rest.empty()) {
      r.error(n, "`" + n.text + "` has an empty member name", "write e.g. `meta.venue`");
      return false;
    }
    spec.path.emplace_back(rest.substr(0, dot));
    if (dot == std::string_view::npos)
      return true;
    rest.remove_prefix(dot + 1);
  }
}

bool read_path(reader& r, const yaml_node& n, codec::event_format format, codec::field_spec& spec) {
  spec.path.clear();
  const std::string_view text = n.text;
  if (!text.starts_with('$')) {
    if (format == codec::event_format::csv && !text.empty()) {
      spec.path.emplace_back(text);
      return true;
    }
    return read_dotted(r, n, spec);
  }
  if (text == "$file" || text == "$subject") {
    spec.source = text == "$file" ? codec::field_source::file : codec::field_source::subject;
    return check_envelope(r, n, spec.field.type, data_type::string);
  }
  if (text == "$arrival") {
    spec.source = codec::field_source::arrival;
    return check_envelope(r, n, spec.field.type, data_type::timestamp);
  }
  if (text.starts_with("$ce.") && text.size() > 4) {
    spec.source = codec::field_source::attribute;
    spec.path.emplace_back(text.substr(4));
    if (format == codec::event_format::cloudevents)
      return true;
    r.error(n, "`" + n.text + "` needs `format: cloudevents`");
    return false;
  }
  r.error(n, "unknown envelope name `" + n.text + "`", suggest(text, {"$file", "$subject", "$arrival", "$ce.<name>"}));
  return false;
}

bool read_pattern(reader& r, const yaml_node& n, codec::field_spec& spec) {
  if (spec.field.type != data_type::timestamp || spec.unit != codec::timestamp_unit::rfc3339) {
    r.error(n, "`format` belongs to a field of type `timestamp`");
    return false;
  }
  const std::string_view text = n.text;
  for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 2))
    if (at + 1 == text.size() || std::string_view{"YmdHMSf%"}.find(text[at + 1]) == std::string_view::npos) {
      r.error(n, "`" + std::string{text.substr(at, 2)} + "` is not a known part of a timestamp format",
              "known: %Y %m %d %H %M %S %f %%");
      return false;
    }
  spec.unit = codec::timestamp_unit::pattern;
  spec.pattern = n.text;
  return !n.text.empty();
}

/// False: the field is wrong and reported.
bool read_field(reader& r, const yaml_node& n, codec::event_format format, codec::field_spec& spec) {
  spec.path = {spec.field.name};
  if (n.is_scalar())
    return read_type(r, n, spec);
  section s{r, &n, "a field", {{"type", "path", "format"}}};
  const auto* type = s.require("type", "type: string");
  if (!type || !read_type(r, *type, spec))
    return false;
  bool good = true;
  if (const auto* path = s.get("path"))
    good = r.text(path, "a path") && read_path(r, *path, format, spec);
  if (const auto* pattern = s.get("format"))
    good = r.text(pattern, "a timestamp format") && read_pattern(r, *pattern, spec) && good;
  return good;
}

void read_fields(reader& r, const yaml_node& n, codec::decode_options& out) {
  if (!n.is_map()) {
    r.error(n, "`fields` is a map of field names and types", "e.g. `price: double`");
    return;
  }
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a field name");
    if (!name)
      continue;
    codec::field_spec spec;
    spec.field.name = *name;
    bool good = seen.insert(*name).second;
    if (!good)
      r.error(*key, "field `" + *name + "` is given twice");
    else if (!is_identifier(*name)) {
      r.error(*key, "`" + *name + "` cannot be a field name",
              "a letter or _, then letters, digits and _; not a word of CEL; `path:` may name any member");
      good = false;
    }
    if (value->is_null())
      r.error(*key, "field `" + *name + "` has no type", "e.g. `" + *name + ": double`");
    good = !value->is_null() && read_field(r, *value, out.format, spec) && good;
    if (good)
      out.fields.push_back(std::move(spec));
    else
      r.poison(*name);
  }
  if (n.members.empty())
    r.error(n, "`fields` names no field", "e.g. `price: double`");
}

/// The declared field that `n` names; unknown ones are reported.
std::optional<std::size_t> find_field(reader& r, const yaml_node& n, const codec::decode_options& o) {
  std::vector<std::string> known{r.poisoned().begin(), r.poisoned().end()};
  for (std::size_t i = 0; i < o.fields.size(); ++i) {
    if (o.fields[i].field.name == n.text)
      return i;
    known.push_back(o.fields[i].field.name);
  }
  if (!r.poisoned().contains(n.text))
    r.error(n, "no field `" + n.text + "` under `fields`", suggest(n.text, known));
  return std::nullopt;
}

void read_time(reader& r, const yaml_node* n, codec::decode_options& out) {
  out.time_from_attribute = !n && out.format == codec::event_format::cloudevents;
  if (!r.text(n, "a field name"))
    return;
  const auto i = find_field(r, *n, out);
  if (!i)
    return;
  const auto& f = out.fields[*i].field;
  if (f.type != data_type::timestamp)
    r.error(*n, "event time `" + f.name + "` is a " + std::string{to_string(f.type)} + ", not a timestamp",
            "declare it as timestamp, timestamp_ms, _us, _ns or _s");
  else if (f.nullable)
    r.error(*n, "event time `" + f.name + "` cannot be optional", "remove the `?` from its type");
  else
    out.time = *i;
}

bool groups(data_type t) noexcept {
  return t != data_type::float64 && t != data_type::json && t != data_type::duration;
}

void read_key(reader& r, const yaml_node* n, draft& d) {
  for (const auto* item : r.scalars(n, "a field name")) {
    const auto i = find_field(r, *item, d.def.decode);
    if (!i)
      continue;
    const auto& f = d.def.decode.fields[*i].field;
    if (std::find(d.def.key.begin(), d.def.key.end(), f.name) != d.def.key.end())
      r.error(*item, "`" + f.name + "` is in the key twice");
    else if (!groups(f.type))
      r.error(*item, "a " + std::string{to_string(f.type)} + " cannot be part of a key",
              "key fields are bool, int, uint, string, bytes or timestamp");
    else
      d.def.key.push_back(f.name);
  }
}

void read_id(reader& r, const yaml_node* n, draft& d) {
  if (!r.text(n, "a field name"))
    return;
  const auto i = find_field(r, *n, d.def.decode);
  if (i && !groups(d.def.decode.fields[*i].field.type))
    r.error(*n, "a " + std::string{to_string(d.def.decode.fields[*i].field.type)} + " cannot identify an event",
            "an id is a bool, int, uint, string, bytes or timestamp");
  else if (i)
    d.def.id = n->text;
}

codec::event_format read_format(reader& r, const yaml_node* n) {
  const auto* text = r.text(n, "json, cloudevents or csv");
  if (!text || *text == "json")
    return codec::event_format::json;
  if (*text == "cloudevents")
    return codec::event_format::cloudevents;
  if (*text == "csv")
    return codec::event_format::csv;
  r.error(*n, "unknown format `" + *text + "`", suggest(*text, {"json", "cloudevents", "csv"}));
  return codec::event_format::json;
}

} // namespace

void read_event(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`event`", {{"format", "fields", "time", "key", "id", "max_delay", "idle_timeout", "max_ahead"}}};
  if (!s)
    return;
  auto& def = d.def;
  def.decode.format = read_format(r, s.get("format"));
  if (const auto* fields = s.require("fields", "fields: {price: double}"))
    read_fields(r, *fields, def.decode);
  read_time(r, s.get("time"), def.decode);
  read_key(r, s.get("key"), d);
  read_id(r, s.get("id"), d);
  def.max_delay = r.duration(s.get("max_delay")).value_or(def.max_delay);
  def.idle_timeout = r.duration(s.get("idle_timeout")).value_or(def.idle_timeout);
  def.max_ahead = r.duration(s.get("max_ahead")).value_or(def.max_ahead);
  if (s.has("idle_timeout") && def.idle_timeout == 0)
    r.error(*s.get("idle_timeout"), "`idle_timeout` must be longer than zero");
}

} // namespace millrace::pipeline
