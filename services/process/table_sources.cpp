// SPDX-License-Identifier: Apache-2.0
#include "services/process/table_sources.hpp"

#include "actors/enrich/table_source.hpp"
#include "actors/runtime/log.hpp"
#include "actors/storage/postgres_table.hpp"
#include "services/http/http_client.hpp"

#include <cstdlib>

namespace millrace::process {

namespace {

/// Of a bucket: only a flag is looked at.
constexpr std::chrono::milliseconds bucket_poll{200};

enrich::table_news news() {
  enrich::table_news out;
  out.changed = [](const std::string& table, std::uint64_t hash) {
    log::info("a lookup table has new contents", {{"table", table}, {"hash", std::to_string(hash)}});
  };
  out.failed = [](const std::string& table, const error& why) {
    log::error("a lookup table cannot be read; its last contents stay", {{"table", table}, {"error", to_string(why)}});
  };
  return out;
}

result<std::string> url_of(const enrich::table_options& t) {
  if (t.remote.url_env.empty())
    return t.remote.url;
  const auto* value = std::getenv(t.remote.url_env.c_str());
  if (!value || *value == '\0')
    return error{ec::config, "table `" + t.name + "`: the variable " + t.remote.url_env + " of `url_env` is not set",
                 "set it to the url of the table's server"};
  return std::string{value};
}

enrich::http_get getter(std::string url) {
  return [url = std::move(url)](const enrich::header_fields& headers) -> result<enrich::http_answer> {
    http::get_request r;
    r.url = url;
    r.headers = headers;
    r.max_bytes = enrich::max_table_bytes;
    auto a = http::get(r);
    if (!a)
      return std::move(a).error();
    return enrich::http_answer{a->status, std::move(a->etag), std::move(a->content_type), std::move(a->body)};
  };
}

enrich::row_query asker(std::string url, std::string text) {
  return [q = storage::postgres_query{std::move(url), std::move(text),
                                      enrich::max_table_bytes}]() -> result<enrich::raw_rows> {
    auto rows = storage::query_postgres(q);
    if (!rows)
      return std::move(rows).error();
    return enrich::raw_rows{std::move(rows->columns), std::move(rows->rows)};
  };
}

} // namespace

result<std::vector<std::shared_ptr<runtime::control_source>>> table_sources(const pipeline::definition& d,
                                                                            std::shared_ptr<bus> b) {
  using kind = enrich::remote_table::kind;
  std::vector<std::shared_ptr<runtime::control_source>> out;
  for (const auto& t : d.enrich->tables()) {
    const auto& layout = d.enrich->table_columns(t.name);
    auto url = url_of(t);
    if (!url)
      return std::move(url).error();
    std::unique_ptr<enrich::table_look> look;
    std::chrono::nanoseconds every{t.remote.every};
    switch (t.remote.what) {
    case kind::none:
      look = enrich::look_at_file(t, layout);
      every = file_poll;
      break;
    case kind::nats_kv:
      look = enrich::look_at_bucket(t, layout, b);
      every = bucket_poll;
      break;
    case kind::http: look = enrich::look_at_http(t, layout, getter(*url)); break;
    case kind::postgresql: look = enrich::look_at_rows(t, layout, asker(*url, t.remote.query)); break;
    }
    out.push_back(enrich::make_table_source(t.name, std::move(look), every, news()));
  }
  return out;
}

} // namespace millrace::process
