// SPDX-License-Identifier: Apache-2.0
/// @file
/// Watches where a lookup table comes from and hands every new version to the runtime (rule 7.1), from a thread of its
/// own. What it hands over was checked; contents that cannot be used are reported and the last good version stays.
#pragma once

#include "actors/enrich/table_contents.hpp"
#include "actors/runtime/control_source.hpp"
#include "messaging/bus.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::enrich {

/// One way to look at a table. Used by one thread at a time; a look blocks it for some seconds at most.
class table_look {
public:
  virtual ~table_look() = default;
  /// The contents as `contents_of` makes them; nullopt: as at the last look. Errors never hold a URL or a header.
  virtual result<std::optional<std::string>> look() = 0;
};

/// What an HTTP server said to one GET.
struct http_answer {
  int status = 0;
  std::string etag;
  std::string content_type;
  std::string body;
};
using header_fields = std::vector<std::pair<std::string, std::string>>;
/// One GET with these request headers. Fails only without an answer, or with a body of more than `max_table_bytes`.
using http_get = std::function<result<http_answer>(const header_fields& headers)>;
using row_query = std::function<result<raw_rows>()>;

/// The file is read when its time, size or identity changed.
std::unique_ptr<table_look> look_at_file(table_options o, schema layout);
/// The bucket is created when it is missing, and listed when its watch says that something changed.
std::unique_ptr<table_look> look_at_bucket(table_options o, schema layout, std::shared_ptr<bus> b);
/// CSV with a header, or a JSON array of objects, by content type; asks with If-None-Match once there was an ETag.
std::unique_ptr<table_look> look_at_http(table_options o, schema layout, http_get get);
std::unique_ptr<table_look> look_at_rows(table_options o, schema layout, row_query query);

/// What people are told, from the source's thread.
struct table_news {
  std::function<void(const std::string& table, std::uint64_t hash)> changed = {};
  /// Once for each new reason, not for each look.
  std::function<void(const std::string& table, const error& why)> failed = {};
};

/// Looks at once and then every `every`; while nothing was found yet it tries again sooner.
std::shared_ptr<runtime::control_source> make_table_source(std::string table, std::unique_ptr<table_look> look,
                                                           std::chrono::nanoseconds every, table_news news);

} // namespace millrace::enrich
