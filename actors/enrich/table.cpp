// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/csv_records.hpp"
#include "actors/enrich/plan.hpp"
#include "actors/enrich/table_contents.hpp"
#include "actors/expressions/expression.hpp"
#include "messaging/codec/decode_text.hpp"

#include <absl/container/flat_hash_map.h>
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <set>

namespace millrace::enrich {

namespace {

bool is_key_type(data_type t) noexcept {
  return t == data_type::string || t == data_type::int64 || t == data_type::uint64;
}

/// Where absl::string_view is not std::string_view, absl falls back to the slower std::hash.
struct text_hash {
  std::size_t operator()(std::string_view s) const noexcept { return XXH3_64bits(s.data(), s.size()); }
};

class column_table final : public table {
public:
  column_table(schema columns, event_batch rows, std::size_t key, std::uint64_t hash)
    : columns_{std::move(columns)}, rows_{std::move(rows)}, key_{key}, hash_{hash} {}

  /// Indexes the key column. The row of the first key that an earlier row has already, or `not_found`.
  std::uint32_t index(std::uint32_t& earlier) {
    const auto& keys = rows_.columns[key_];
    for (std::uint32_t row = 0; row < rows_.rows; ++row) {
      if (is_text(keys.type)) {
        const auto [it, added] = texts_.try_emplace(keys.text(row), row);
        earlier = it->second;
        if (!added)
          return row;
      } else {
        const auto [it, added] = numbers_.try_emplace(keys.i64[row], row);
        earlier = it->second;
        if (!added)
          return row;
      }
    }
    return not_found;
  }

  const schema& columns() const noexcept override { return columns_; }
  std::size_t rows() const noexcept override { return rows_.rows; }
  const column& values(std::size_t i) const noexcept override { return rows_.columns[i]; }
  std::size_t key_column() const noexcept override { return key_; }
  std::uint32_t find(std::string_view key) const noexcept override {
    const auto it = texts_.find(key);
    return it == texts_.end() ? not_found : it->second;
  }
  std::uint32_t find(std::int64_t key) const noexcept override {
    const auto it = numbers_.find(key);
    return it == numbers_.end() ? not_found : it->second;
  }
  std::uint64_t content_hash() const noexcept override { return hash_; }

private:
  schema columns_;
  event_batch rows_;
  std::size_t key_;
  std::uint64_t hash_;
  /// Views into the key column's dictionary, which lives as long as the table.
  absl::flat_hash_map<std::string_view, std::uint32_t, text_hash> texts_;
  absl::flat_hash_map<std::int64_t, std::uint32_t> numbers_;
};

/// Length of the UTF-8 sequence at the start of `s`; 0: not one (overlong, surrogate, beyond U+10FFFF, cut off).
std::size_t utf8_length(std::string_view s) noexcept {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const auto b = byte(0);
  if (b < 0x80)
    return 1;
  if (b >= 0xC2 && b <= 0xDF)
    return tail(1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    const bool second = b == 0xE0 ? byte(1) >= 0xA0 : b != 0xED || byte(1) <= 0x9F;
    return second && tail(1) && tail(2) ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    const bool second = b == 0xF0 ? byte(1) >= 0x90 : b != 0xF4 || byte(1) <= 0x8F;
    return second && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view s) noexcept {
  while (!s.empty()) {
    const auto n = utf8_length(s);
    if (n == 0)
      return false;
    s.remove_prefix(n);
  }
  return true;
}

/// Puts one cell into the row under construction. False: it is not of the column's type.
bool set_cell(batch_builder& to, std::size_t c, data_type type, const std::string& text) {
  const auto set_int = [&](const std::optional<std::int64_t>& v) {
    if (v)
      to.set_int(c, *v);
    return v.has_value();
  };
  switch (type) {
  case data_type::boolean: to.set_bool(c, text == "true"); return text == "true" || text == "false";
  case data_type::int64: return set_int(codec::parse_int(text));
  case data_type::timestamp: return set_int(codec::parse_rfc3339(text));
  case data_type::duration: return set_int(codec::parse_duration(text));
  case data_type::uint64: {
    const auto v = codec::parse_uint(text);
    to.set_uint(c, v.value_or(0));
    return v.has_value();
  }
  case data_type::float64: {
    const auto v = codec::parse_double(text);
    to.set_double(c, v.value_or(0));
    return v.has_value();
  }
  case data_type::string: to.set_text(c, text); return is_utf8(text);
  case data_type::bytes: {
    std::string bytes;
    const bool good = codec::append_decoded_base64(bytes, text);
    to.set_text(c, bytes);
    return good;
  }
  case data_type::json: return false;
  }
  return false;
}

class table_reader {
public:
  /// With `layout` the text is that of `contents_of`, without it a file.
  table_reader(const table_options& o, std::string_view text, const schema* layout = nullptr)
    : options_{o}, text_{text}, layout_{layout}, records_{text} {}

  result<table_ptr> read() {
    if (auto ok = header(); !ok)
      return std::move(ok).error();
    const auto layout = std::make_shared<const schema>(fields_);
    batch_builder rows{layout};
    std::vector<std::string> cells;
    while (records_.next(cells)) {
      if (auto ok = record(rows, cells); !ok)
        return std::move(ok).error();
    }
    if (!records_.error().empty())
      return fail(std::string{records_.error()});
    auto batch = rows.finish();
    for (std::size_t c = 0; c < fields_.size(); ++c)
      fields_[c].nullable = batch.columns[c].has_nulls() || is_remote();
    fields_[key_].nullable = false;
    auto out = std::make_shared<column_table>(schema{fields_}, std::move(batch), key_, hash());
    std::uint32_t earlier = 0;
    if (const auto row = out->index(earlier); row != table::not_found)
      return layout_ ? fail("the key `" + keys_[row].first + "` is there twice")
                     : fail("the key `" + keys_[row].first + "` stands in line " +
                              std::to_string(keys_[earlier].second) + " already",
                            keys_[row].second);
    return table_ptr{std::move(out)};
  }

private:
  error fail(std::string message, std::size_t line = 0, std::string hint = {}) const {
    if (layout_)
      return {ec::config, "table `" + options_.name + "`: " + std::move(message), std::move(hint)};
    return {ec::config,
            "table `" + options_.name + "`: " + options_.file + ":" +
              std::to_string(line == 0 ? records_.line() : line) + ": " + std::move(message),
            std::move(hint)};
  }

  static std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
    const auto near = expressions::nearest(name, known);
    return near.empty() ? std::string{} : "did you mean `" + near + "`?";
  }

  result<void> header() {
    std::vector<std::string> names;
    if (!records_.next(names))
      return fail(records_.error().empty() ? "there is no header line" : std::string{records_.error()});
    std::set<std::string> seen;
    for (const auto& n : names) {
      if (n.empty() || !is_utf8(n))
        return fail("a column has no proper name");
      if (!seen.insert(n).second)
        return fail("two columns are named `" + n + "`");
      const auto it = options_.types.find(n);
      fields_.push_back({n, it == options_.types.end() ? data_type::string : it->second, true});
      if (fields_.back().type == data_type::json)
        return fail("column `" + n + "`: the type json is not supported in tables in this version");
    }
    if (layout_)
      if (auto ok = check_layout(); !ok)
        return ok;
    for (const auto& [n, type] : options_.types)
      if (!seen.contains(n))
        return fail("there is no column `" + n + "` to give a type", 0, did_you_mean(n, names));
    const auto key = std::find(names.begin(), names.end(), options_.key);
    if (key == names.end())
      return fail("there is no key column `" + options_.key + "`", 0, did_you_mean(options_.key, names));
    key_ = static_cast<std::size_t>(key - names.begin());
    if (!is_key_type(fields_[key_].type))
      return fail("the key column must be string, int or uint, not " + std::string{to_string(fields_[key_].type)});
    return {};
  }

  bool is_remote() const noexcept { return options_.remote.what != remote_table::kind::none; }

  /// `contents_of` ordered the columns; contents from elsewhere may be of another definition.
  result<void> check_layout() const {
    bool same = fields_.size() == layout_->size();
    for (std::size_t c = 0; same && c < fields_.size(); ++c)
      same = fields_[c].name == (*layout_)[c].name && fields_[c].type == (*layout_)[c].type;
    return same ? result<void>{} : fail("the columns are not those that the pipeline was loaded with");
  }

  result<void> record(batch_builder& rows, const std::vector<std::string>& cells) {
    if (cells.size() != fields_.size())
      return fail("the record has " + std::to_string(cells.size()) + " cells, the header " +
                  std::to_string(fields_.size()));
    if (cells[key_].empty())
      return fail("the key `" + options_.key + "` is empty");
    const auto where = [&] { return layout_ ? "the row of key `" + cells[key_] + "`: " : std::string{}; };
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const auto type = fields_[c].type;
      if (cells[c].empty() && !(layout_ && records_.quoted(c))) {
        if (layout_ && !(*layout_)[c].nullable)
          return fail(where() + "`" + fields_[c].name + "` has no value", 0,
                      "it had one in every row when the pipeline was loaded, and a lookup with `missing: drop` or "
                      "`reject` relies on that; give it one, or restart the pipeline");
        continue;
      }
      if (!set_cell(rows, c, type, cells[c]))
        return fail(where() + (type == data_type::string ? "column `" + fields_[c].name + "` is not UTF-8"
                                                         : "column `" + fields_[c].name + "`: `" + cells[c] +
                                                             "` is not a " + std::string{to_string(type)}));
    }
    rows.finish_row(0, 0, 0, 0);
    keys_.emplace_back(cells[key_], records_.line());
    return {};
  }

  std::uint64_t hash() const {
    auto h = XXH3_64bits(text_.data(), text_.size());
    h = XXH3_64bits_withSeed(options_.key.data(), options_.key.size(), h);
    for (const auto& [n, type] : options_.types)
      h = XXH3_64bits_withSeed(n.data(), n.size(), h + static_cast<std::uint64_t>(type));
    return h;
  }

  const table_options& options_;
  std::string_view text_;
  const schema* layout_;
  csv_records records_;
  std::vector<field> fields_;
  std::size_t key_ = 0;
  /// Key and line of every row, for errors.
  std::vector<std::pair<std::string, std::size_t>> keys_;
};

} // namespace

result<table_ptr> empty_table(const table_options& options) {
  const auto cell = [](std::string_view name) {
    std::string out = "\"";
    for (const char c : name)
      out.append(c == '"' ? 2 : 1, c);
    return out + '"';
  };
  auto header = cell(options.key);
  std::vector<field> fields{{options.key, data_type::string, false}};
  for (const auto& name : options.columns) {
    header += ',' + cell(name);
    fields.push_back({name, data_type::string, true});
  }
  for (auto& f : fields)
    if (const auto it = options.types.find(f.name); it != options.types.end())
      f.type = it->second;
  const schema layout{std::move(fields)};
  return parse_contents(options, layout, header);
}

result<table_ptr> parse_contents(const table_options& o, const schema& layout, std::string_view contents) {
  return table_reader{o, contents, &layout}.read();
}

result<table_ptr> parse_csv_table(const table_options& options, std::string_view text) {
  return table_reader{options, text}.read();
}

result<table_ptr> load_csv_table(const table_options& options) {
  // A file may be of any size in `batch`; only what travels through a log is bounded.
  auto text = read_table_file(options, std::numeric_limits<std::size_t>::max());
  if (!text)
    return std::move(text).error();
  if (options.remote.what == remote_table::kind::none)
    return parse_csv_table(options, *text);
  auto empty = empty_table(options);
  if (!empty)
    return empty;
  const auto& layout = (*empty)->columns();
  auto contents = contents_of_csv(options, layout, *text);
  if (!contents)
    return std::move(contents).error();
  return parse_contents(options, layout, *contents);
}

} // namespace millrace::enrich
