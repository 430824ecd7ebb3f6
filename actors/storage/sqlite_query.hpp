// SPDX-License-Identifier: Apache-2.0
/// @file
/// SELECT statements put together from conditions, with every value bound. Private to this folder.
#pragma once

#include "actors/storage/sqlite_db.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::storage::sqlite {

/// JSON texts by member: every member must have one of its texts.
struct member_filter {
  std::string name;
  std::vector<std::string> texts;
};

/// Groups `pairs` by name; a number gets every text under which the store may hold it. Errors: ec::invalid for a
/// name that cannot be part of a JSON path.
result<std::vector<member_filter>> make_filters(const std::vector<std::pair<std::string, std::string>>& pairs);

/// A statement under construction. Append SQL and values in step: each value fills the next `?`.
class select {
public:
  explicit select(std::string sql) : sql_{std::move(sql)} {}

  select& sql(std::string_view text) {
    sql_ += text;
    return *this;
  }
  select& value(std::int64_t v) {
    values_.emplace_back(v);
    return *this;
  }
  select& value(std::string_view v) {
    values_.emplace_back(std::string{v});
    return *this;
  }
  /// `(?,?,...)` with the texts.
  select& list(const std::vector<std::string>& texts);
  /// ` AND column->path IN (...)` for each filter.
  select& members(std::string_view column, const std::vector<member_filter>& filters);

  /// Prepares and binds. The values live in this object: keep it while stepping.
  result<statement> prepare(database& db) const;

private:
  std::string sql_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

/// The full keys, as JSON text, that the filters stand for when they name every member of `example` (a key of the same
/// window); empty when they do not, or stand for too many.
result<std::vector<std::string>> full_keys(database& db, std::string_view example,
                                           const std::vector<member_filter>& filters);

} // namespace millrace::storage::sqlite
