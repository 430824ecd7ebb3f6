// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace millrace::pipeline {

namespace {

constexpr std::string_view http_example = "https://example.com/instruments.csv";
constexpr nanoseconds_t http_every = 30'000'000'000;
constexpr nanoseconds_t postgresql_every = 60'000'000'000;
/// Asking more often costs others more than it can gain.
constexpr nanoseconds_t shortest_every = 100'000'000;

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

void read_every(reader& r, const section& s, nanoseconds_t otherwise, enrich::remote_table& out) {
  const auto* every = s.get("every");
  out.every = r.duration(every).value_or(otherwise);
  if (every && out.every < shortest_every)
    r.error(*every, "`every` must be at least 100ms");
}

/// What stands in a url is never repeated: it may hold a password.
void check_url(reader& r, const yaml_node& n, std::string_view example, std::initializer_list<std::string_view> schemes,
               enrich::remote_table& out) {
  const auto* text = r.text(&n, "a url");
  if (!text)
    return;
  out.url = *text;
  const auto fits = [&](std::string_view scheme) { return text->starts_with(scheme) && text->size() > scheme.size(); };
  if (std::none_of(schemes.begin(), schemes.end(), fits))
    r.error(n, "this is not a url of the kind that is needed here", "e.g. `" + std::string{example} + "`");
}

void read_url(reader& r, const section& s, std::string_view example, std::initializer_list<std::string_view> schemes,
              enrich::remote_table& out) {
  const auto* url = s.get("url");
  const auto* variable = s.get("url_env");
  if ((url != nullptr) == (variable != nullptr)) {
    r.error(s.node(), "give either `url` or `url_env`, the variable of the environment that holds it",
            "e.g. `url: " + std::string{example} + "`");
    return;
  }
  if (const auto* name = r.text(variable, "a variable of the environment")) {
    out.url_env = *name;
    if (name->empty() || name->find_first_of("=/:@ ") != std::string::npos)
      r.error(*variable, "`url_env` is the name of a variable of the environment", "e.g. `url_env: REFERENCE_DB_URL`");
  }
  if (url)
    check_url(r, *url, example, schemes, out);
}

void read_headers(reader& r, const yaml_node& n, enrich::remote_table& out) {
  if (!n.is_map()) {
    r.error(n, "`headers` is a map of names and values", "e.g. `headers: {Accept: text/csv}`");
    return;
  }
  for (const auto& [key, value] : n.members) {
    const auto* name = r.text(key.get(), "a header's name");
    const auto* text = r.text(value.get(), "a header's value");
    if (!name || !text)
      continue;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (name->empty() || name->find_first_of(" :\t\r\n") != std::string::npos)
      r.error(*key, "this cannot be the name of a header");
    else if (std::any_of(text->begin(), text->end(), control))
      r.error(*value, "a header's value has no line ends or control characters");
    else
      out.headers.emplace_back(*name, *text);
  }
}

void read_bucket(reader& r, const yaml_node& n, enrich::remote_table& out) {
  out.what = enrich::remote_table::kind::nats_kv;
  const auto* text = r.text(&n, "the name of a bucket");
  if (!text)
    return;
  out.bucket = *text;
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (text->empty() || !std::all_of(text->begin(), text->end(), good))
    r.error(n, "`" + *text + "` cannot be the name of a bucket", "letters, digits, _ and -");
}

void read_http(reader& r, const yaml_node& n, enrich::remote_table& out) {
  out.what = enrich::remote_table::kind::http;
  out.every = http_every;
  if (n.is_scalar()) {
    check_url(r, n, http_example, {"http://", "https://"}, out);
    return;
  }
  section s{r, &n, "`http`", {{"url", "url_env", "every", "headers"}}};
  if (!s)
    return;
  read_url(r, s, http_example, {"http://", "https://"}, out);
  read_every(r, s, http_every, out);
  if (const auto* headers = s.get("headers"))
    read_headers(r, *headers, out);
}

void read_postgresql(reader& r, const yaml_node& n, enrich::remote_table& out) {
  out.what = enrich::remote_table::kind::postgresql;
  section s{r, &n, "`postgresql`", {{"url", "url_env", "query", "every"}}};
  if (!s)
    return;
  read_url(r, s, "postgresql://reader@db/reference", {"postgresql://", "postgres://"}, out);
  if (const auto* query = r.text(s.require("query", "query: select symbol, sector from instruments"), "a query"))
    out.query = *query;
  read_every(r, s, postgresql_every, out);
}

/// False when the table cannot be used; the reason is reported.
bool read_table(reader& r, const yaml_node& n, draft& d, enrich::table_options& out) {
  section s{r, &n, "a table", {{"file", "nats_kv", "http", "postgresql", "key", "types"}}};
  if (!s)
    return false;
  const auto remotes = static_cast<int>(s.has("nats_kv")) + s.has("http") + s.has("postgresql");
  if (remotes > 1)
    r.error(n, "a table comes from one of nats_kv, http and postgresql");
  if (const auto* bucket = s.get("nats_kv"))
    read_bucket(r, *bucket, out.remote);
  if (const auto* http = s.get("http"))
    read_http(r, *http, out.remote);
  if (const auto* postgresql = s.get("postgresql"))
    read_postgresql(r, *postgresql, out.remote);
  const auto* file = s.get("file");
  if (remotes == 0 && !file)
    s.require("file", "file: instruments.csv");
  const auto* key = s.require("key", "key: symbol");
  const auto* path = r.text(file, "a file");
  const auto* column = r.text(key, "a column name");
  if (const auto* types = s.get("types"))
    read_types(r, *types, out);
  if (path)
    out.file = (std::filesystem::path{d.def.folder} / *path).lexically_normal().string();
  if (column)
    out.key = *column;
  return column && (file ? path != nullptr : remotes == 1) && remotes <= 1;
}

/// What a remote table is asked for: the columns that some lookup adds.
void collect_columns(const draft& d, enrich::table_options& t) {
  for (const auto& step : d.def.enrich_options.steps)
    if (const auto* lookup = std::get_if<enrich::lookup_step>(&step); lookup && lookup->table == t.name)
      for (const auto& name : lookup->add)
        if (name != t.key && std::find(t.columns.begin(), t.columns.end(), name) == t.columns.end())
          t.columns.push_back(name);
}

bool check_types(reader& r, const yaml_node& n, const enrich::table_options& t) {
  auto known = t.columns;
  known.push_back(t.key);
  bool good = true;
  const auto* types = n.find("types");
  for (const auto& [key, value] : types ? types->members : decltype(types->members){})
    if (t.types.contains(key->text) && std::find(known.begin(), known.end(), key->text) == known.end()) {
      r.error(*key, "no lookup adds the column `" + key->text + "`", suggest(key->text, known));
      good = false;
    }
  return good;
}

} // namespace

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

void load_tables(reader& r, const yaml_node& n, draft& d) {
  auto& tables = d.def.enrich_options.tables;
  for (auto& t : tables) {
    const auto& at = *n.find(t.name);
    const bool remote = t.remote.what != enrich::remote_table::kind::none;
    if (remote)
      collect_columns(d, t);
    if (remote && !check_types(r, at, t)) {
      d.broken_tables.insert(t.name);
      continue;
    }
    auto table = t.file.empty() ? enrich::empty_table(t) : enrich::load_csv_table(t);
    if (table) {
      d.def.tables.emplace(t.name, *std::move(table));
      continue;
    }
    const auto* file = at.find("file");
    r.error(file ? *file : at, table.error().message, table.error().hint);
    d.broken_tables.insert(t.name);
  }
  std::erase_if(tables, [&](const auto& t) { return d.broken_tables.contains(t.name); });
}

result<void> check_offline(const definition& d) {
  for (const auto& t : d.enrich_options.tables)
    if (t.remote.what != enrich::remote_table::kind::none && t.file.empty())
      return error{ec::config, "table `" + t.name + "` comes from a server, which is not asked here",
                   "add `file: copy.csv` to the table: a copy for `millrace batch` and `millrace test`"};
  return {};
}

} // namespace millrace::pipeline
