// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads the rows of one query from PostgreSQL, as texts: for lookup tables.
#pragma once

#include "messaging/errors.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

struct postgres_rows {
  std::vector<std::string> columns;
  /// As PostgreSQL prints them, but bool as `true` and `false`; nullopt is null.
  std::vector<std::vector<std::optional<std::string>>> rows;
};

struct postgres_query {
  /// May hold a password: no error repeats it.
  std::string url;
  /// One statement that gives rows; it cannot write unless the URL says so.
  std::string text;
  std::size_t max_bytes = 0;
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds statement_timeout{10};
};

/// Connects, asks, disconnects; blocks its thread. Errors: ec::config for a wrong URL or query, ec::too_large,
/// ec::unavailable for everything that may pass.
result<postgres_rows> query_postgres(const postgres_query& q);

} // namespace millrace::storage
