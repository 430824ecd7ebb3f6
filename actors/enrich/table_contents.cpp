// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_contents.hpp"

#include "actors/enrich/csv_records.hpp"
#include "actors/expressions/expression.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <xxhash.h>

namespace millrace::enrich {

namespace {

using json = nlohmann::json;

error bad(const table_options& o, std::string message, std::string hint = {}) {
  return {ec::config, "table `" + o.name + "`: " + std::move(message), std::move(hint)};
}

std::vector<std::string> names_of(const schema& layout) {
  std::vector<std::string> out;
  for (const auto& f : layout.fields())
    out.push_back(f.name);
  return out;
}

void append_cell(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"')
      out += '"';
    out += c;
  }
  out += '"';
}

/// For each column of the layout its place in `columns`.
result<std::vector<std::size_t>> places_of(const table_options& o, const schema& layout,
                                           const std::vector<std::string>& columns) {
  std::vector<std::size_t> places;
  for (const auto& f : layout.fields()) {
    const auto at = std::find(columns.begin(), columns.end(), f.name);
    if (at == columns.end()) {
      const auto near = expressions::nearest(f.name, columns);
      return bad(o, "there is no column `" + f.name + "`", near.empty() ? "" : "is it `" + near + "`?");
    }
    if (std::find(at + 1, columns.end(), f.name) != columns.end())
      return bad(o, "two columns are named `" + f.name + "`");
    places.push_back(static_cast<std::size_t>(at - columns.begin()));
  }
  if (o.remote.what == remote_table::kind::none)
    for (const auto& name : columns)
      if (!layout.index_of(name))
        return bad(o, "the column `" + name + "` was not there when the pipeline was loaded",
                   "restart the pipeline with the new file");
  return places;
}

/// A value as the text that its type is read from; nullopt: it has no such text.
std::optional<std::string> text_of(const json& v) {
  if (v.is_string())
    return v.get<std::string>();
  if (v.is_boolean() || v.is_number())
    return v.dump();
  return std::nullopt;
}

result<json> parse_json(const table_options& o, const std::string& what, std::string_view text) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& e) {
    return bad(o, what + " is not JSON (byte " + std::to_string(e.byte) + ")");
  } catch (const json::exception&) {
    return bad(o, what + " is not JSON that can be represented");
  }
}

result<void> add_object(const table_options& o, raw_rows& rows, const json& object, const std::string& what,
                        const std::string* key) {
  if (!object.is_object())
    return bad(o, what + " is not a JSON object with the columns as members");
  auto& row = rows.rows.emplace_back(rows.columns.size());
  for (std::size_t c = 0; c < rows.columns.size(); ++c) {
    const auto& name = rows.columns[c];
    if (key && name == o.key) {
      row[c] = *key;
      continue;
    }
    const auto it = object.find(name);
    if (it == object.end() || it->is_null())
      continue;
    row[c] = text_of(*it);
    if (!row[c])
      return bad(o, what + ": `" + name + "` is an array or an object", "a column is a text, a number or a bool");
  }
  return {};
}

} // namespace

std::uint64_t hash_of_contents(std::string_view contents) noexcept {
  return XXH3_64bits(contents.data(), contents.size());
}

result<std::string> contents_of(const table_options& o, const schema& layout, raw_rows rows) {
  auto places = places_of(o, layout, rows.columns);
  if (!places)
    return std::move(places).error();
  const auto key = layout.index_of(o.key);
  if (!key)
    return bad(o, "there is no key column `" + o.key + "`");
  const auto key_place = (*places)[*key];
  for (const auto& row : rows.rows)
    if (row.size() != rows.columns.size())
      return bad(o, "a row has " + std::to_string(row.size()) + " values for " + std::to_string(rows.columns.size()) +
                      " columns");
  std::vector<std::size_t> order(rows.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return rows.rows[a][key_place] < rows.rows[b][key_place]; });
  std::string out;
  for (const auto& f : layout.fields()) {
    out += out.empty() ? "" : ",";
    append_cell(out, f.name);
  }
  out += '\n';
  for (const auto i : order) {
    bool first = true;
    for (const auto place : *places) {
      out += first ? "" : ",";
      first = false;
      if (const auto& v = rows.rows[i][place])
        append_cell(out, *v);
    }
    out += '\n';
  }
  if (out.size() > max_table_bytes)
    return bad(o, "more than " + std::to_string(max_table_bytes >> 20) + " MiB");
  // Everything else that can be wrong is found where contents are read.
  if (auto parsed = parse_contents(o, layout, out); !parsed)
    return std::move(parsed).error();
  return out;
}

result<std::string> contents_of_csv(const table_options& o, const schema& layout, std::string_view text) {
  csv_records records{text};
  raw_rows rows;
  std::vector<std::string> cells;
  const auto line = [&] { return "line " + std::to_string(records.line()) + ": "; };
  if (records.next(rows.columns))
    while (records.next(cells)) {
      if (cells.size() != rows.columns.size())
        return bad(o, line() + "the record has " + std::to_string(cells.size()) + " cells, the header " +
                        std::to_string(rows.columns.size()));
      auto& row = rows.rows.emplace_back(cells.size());
      for (std::size_t c = 0; c < cells.size(); ++c)
        if (!cells[c].empty())
          row[c] = std::move(cells[c]);
    }
  if (!records.error().empty())
    return bad(o, line() + std::string{records.error()});
  if (rows.columns.empty())
    return bad(o, "there is no header line");
  return contents_of(o, layout, std::move(rows));
}

result<std::string> contents_of_json(const table_options& o, const schema& layout, std::string_view text) {
  auto list = parse_json(o, "the answer", text);
  if (!list)
    return std::move(list).error();
  if (!list->is_array())
    return bad(o, "the answer is not a JSON array of objects");
  raw_rows rows{names_of(layout), {}};
  for (std::size_t i = 0; i < list->size(); ++i)
    if (auto ok = add_object(o, rows, (*list)[i], "item " + std::to_string(i), nullptr); !ok)
      return std::move(ok).error();
  return contents_of(o, layout, std::move(rows));
}

result<void> add_json_row(const table_options& o, raw_rows& rows, std::string_view key, std::string_view text) {
  const std::string name{key};
  const auto what = "the value of key `" + name + "`";
  auto object = parse_json(o, what, text);
  if (!object)
    return std::move(object).error();
  return add_object(o, rows, *object, what, &name);
}

result<std::string> read_table_file(const table_options& o, std::size_t max_bytes) {
  std::ifstream file{o.file, std::ios::binary};
  std::string text;
  std::vector<char> buffer(1U << 16);
  while (file && text.size() <= max_bytes) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    text.append(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  // The end of a file sets failbit; badbit is a read that failed, as of a folder.
  if (!file.is_open() || file.bad())
    return bad(o, "cannot read " + o.file, "check the path");
  if (text.size() > max_bytes)
    return bad(o, o.file + " is larger than " + std::to_string(max_bytes >> 20) + " MiB");
  return text;
}

} // namespace millrace::enrich
