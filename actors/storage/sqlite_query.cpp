// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/sqlite_query.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace millrace::storage::sqlite {

namespace {

/// More alternatives than this are left to a scan.
constexpr std::size_t most_keys = 64;

void add(std::vector<std::string>& texts, std::string text) {
  if (std::find(texts.begin(), texts.end(), text) == texts.end())
    texts.push_back(std::move(text));
}

/// `text`, and if it is a number, the texts of the same number as a double and as an integer column.
void add_texts(std::vector<std::string>& texts, const std::string& text) {
  add(texts, text);
  double number = 0;
  const auto* end = text.data() + text.size();
  if (const auto r = std::from_chars(text.data(), end, number); r.ec != std::errc{} || r.ptr != end)
    return;
  // from_chars also reads "nan" and "inf", which are not JSON.
  if (!std::isfinite(number))
    return;
  std::string same;
  codec::append_double(same, number);
  add(texts, std::move(same));
  constexpr double exact = 9007199254740992.0;
  if (number == std::floor(number) && std::abs(number) < exact)
    add(texts, std::to_string(static_cast<std::int64_t>(number)));
}

} // namespace

result<std::vector<member_filter>> make_filters(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<member_filter> out;
  for (const auto& [name, text] : pairs) {
    if (name.empty() || name.find_first_of("\"\\") != std::string::npos)
      return millrace::error{ec::invalid, "filter: \"" + name + "\" is not the name of a field", ""};
    auto found = std::find_if(out.begin(), out.end(), [&wanted = name](const auto& f) { return f.name == wanted; });
    if (found == out.end())
      found = out.insert(out.end(), {name, {}});
    add_texts(found->texts, text);
  }
  return out;
}

select& select::list(const std::vector<std::string>& texts) {
  sql_ += '(';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    sql_ += i == 0 ? "?" : ",?";
    value(std::string_view{texts[i]});
  }
  sql_ += ')';
  return *this;
}

select& select::members(std::string_view column, const std::vector<member_filter>& filters) {
  for (const auto& f : filters) {
    // `->` gives the member as JSON text, so that "5" and 5 differ.
    sql(" AND ").sql(column).sql("->? IN ");
    value(std::string_view{"$.\"" + f.name + '"'});
    list(f.texts);
  }
  return *this;
}

result<statement> select::prepare(database& db) const {
  auto s = db.prepare(sql_);
  if (!s)
    return s;
  int index = 1;
  for (const auto& v : values_) {
    if (const auto* n = std::get_if<std::int64_t>(&v))
      s->bind(index, *n);
    else
      s->bind(index, std::string_view{std::get<std::string>(v)});
    ++index;
  }
  return s;
}

result<std::vector<std::string>> full_keys(database& db, std::string_view example,
                                           const std::vector<member_filter>& filters) {
  auto members = db.prepare("SELECT key FROM json_each(?)");
  if (!members)
    return std::move(members).error();
  members->bind(1, example);
  std::vector<std::string> keys{"{"};
  std::size_t named = 0;
  int rc = members->step();
  for (; rc == SQLITE_ROW; rc = members->step()) {
    const auto name = members->text(0);
    const auto f = std::find_if(filters.begin(), filters.end(), [&](const auto& x) { return x.name == name; });
    if (f == filters.end() || keys.size() * f->texts.size() > most_keys)
      return std::vector<std::string>{};
    std::vector<std::string> longer;
    for (const auto& key : keys)
      for (const auto& text : f->texts) {
        auto next = key;
        next += named == 0 ? "" : ",";
        codec::append_string(next, name);
        longer.push_back(next + ':' + text);
      }
    keys = std::move(longer);
    ++named;
  }
  if (rc != SQLITE_DONE)
    return db.failure(rc, "read a key");
  if (named != filters.size())
    return std::vector<std::string>{};
  for (auto& key : keys)
    key += '}';
  return keys;
}

} // namespace millrace::storage::sqlite
