// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tables whose contents came through the log, as a snapshot keeps them. Internal to the folder.
#pragma once

#include "actors/enrich/plan.hpp"

#include <map>
#include <string>
#include <string_view>

namespace millrace::enrich {

/// Not thread-safe.
class table_state {
public:
  /// New contents of table `name`. Errors leave everything as it was: ec::not_found for a table that `p` does not
  /// declare, ec::config for contents that it cannot use.
  result<table_ptr> take(const plan& p, std::string_view name, std::string_view contents);

  void save(std::string& out) const;
  /// Takes what `save` wrote from the front of `in`; hands out the tables.
  result<table_map> load(const plan& p, std::string_view& in);

private:
  /// By name, compressed once: snapshots are taken often, tables change seldom.
  std::map<std::string, std::string, std::less<>> packed_;
};

} // namespace millrace::enrich
