// SPDX-License-Identifier: Apache-2.0
/// @file
/// The HTTP interface of the storage service: queries on a `store_reader`, described at /openapi.json.
#pragma once

#include "actors/storage/store.hpp"
#include "services/http/http_server.hpp"

#include <memory>
#include <string>
#include <vector>

namespace millrace::http {

/// A window that may be asked for.
struct queryable_window {
  std::string name;
  /// Fields of its key, for `key.<field>=`.
  std::vector<std::string> key;
};

struct query_options {
  std::string pipeline;
  std::vector<queryable_window> windows;
  /// Names of the rules, for `rule=`.
  std::vector<std::string> rules;
  /// Enriched events are kept: /v1/events answers. Otherwise it is 404 and says why.
  bool events = false;
  /// Fields of the events, for `/v1/events?<field>=`.
  std::vector<std::string> event_fields;
};

/// Adds the routes /v1/windows/{name}, /v1/windows/{name}/latest, /v1/alerts, /v1/events and /openapi.json.
/// Every answer carries `Millrace-Watermark`, read before the items: whatever is final before it is among them.
void add_query_routes(server& s, query_options options, std::shared_ptr<storage::store_reader> reader);

} // namespace millrace::http
