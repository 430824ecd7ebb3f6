// SPDX-License-Identifier: Apache-2.0
#include "services/storage/service.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/sink.hpp"
#include "messaging/subjects.hpp"
#include "services/http/query_api.hpp"
#include "services/process/storage_url.hpp"

namespace millrace::services {

namespace {

struct input_log {
  std::string_view stage;
  std::uint32_t partition;
};

std::vector<input_log> inputs(const pipeline::definition& d) {
  std::vector<input_log> out;
  for (std::uint32_t p = 0; p < d.partitions; ++p) {
    if (d.windows && d.windows->size() > 0)
      out.push_back({"windows", p});
    if (d.alerts && d.alerts->reads_windows())
      out.push_back({"alerts", p});
    if (d.alerts && d.alerts->reads_events())
      out.push_back({"alerts", process::events_alert_partition(d, p)});
    if (d.store_events)
      out.push_back({"enriched", p});
  }
  // After the others, so that these keep their numbers in the metrics.
  for (std::uint32_t q = 0; process::merges(d) && q < d.partitions; ++q) {
    out.push_back({"windows", process::merge_partition(d, q)});
    if (d.alerts && d.alerts->reads_windows())
      out.push_back({"alerts", process::merge_alert_partition(d, q)});
  }
  return out;
}

runtime::unit_spec sink_unit(const process::context& c, const input_log& in,
                             const std::shared_ptr<runtime::shared_store>& store, std::uint32_t n) {
  const auto& d = *c.definition;
  runtime::sink_spec s;
  s.unit = d.name + "/storage/" + std::string{in.stage} + "/" + std::to_string(in.partition);
  s.pipeline = d.name;
  s.input_log = stream_name(d.name, in.stage, in.partition);
  s.writers = {subject(d.name, in.stage, in.partition)};
  s.store = store;
  s.trim = process::trim_of(c, in.stage, in.partition, "storage");
  s.meters = {&c.metrics->stage(d.name, "storage", "storage", std::to_string(n)),
              &c.metrics->service(d.name, "storage")};
  auto* service = s.meters.service;
  return {s.unit,
          [s](caf::actor_system& sys, const runtime::environment& env, runtime::supervisor_actor parent,
              std::uint64_t index) {
            auto spec = s;
            spec.index = index;
            return runtime::spawn_sink(sys, env, std::move(parent), std::move(spec));
          },
          service};
}

result<storage::sqlite_options> sqlite_of(const process::context& c) {
  auto path = process::sqlite_path(*c.definition, c.data);
  if (!path)
    return std::move(path).error();
  storage::sqlite_options o;
  o.path = std::move(*path);
  o.keep_events = c.definition->store_events;
  return o;
}

http::query_options query_options_of(const pipeline::definition& d) {
  http::query_options q;
  q.pipeline = d.name;
  for (std::size_t i = 0; d.windows && i < d.windows->size(); ++i)
    q.windows.push_back({d.windows->window(i).name, d.windows->window(i).key});
  for (std::size_t i = 0; d.alerts && i < d.alerts->size(); ++i)
    q.rules.push_back(d.alerts->rule(i).name);
  q.events = d.store_events;
  for (const auto& f : d.enrich->output_schema()->fields())
    q.event_fields.push_back(f.name);
  return q;
}

} // namespace

process::service storage_service() {
  process::service s;
  s.name = "storage";
  s.summary = "stores results and answers queries";
  s.prepare = [](const process::context& c) -> result<void> {
    auto options = sqlite_of(c);
    if (!options)
      return options.error();
    // Opened here once, so that an unusable database ends the start with a message instead of a retry.
    auto writer = storage::open_sqlite_writer(*options);
    return writer ? result<void>{} : result<void>{writer.error()};
  };
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    auto options = sqlite_of(c);
    auto writer = storage::open_sqlite_writer(*options);
    if (!writer) {
      log::error("cannot open the database", {{"why", to_string(writer.error())}});
      return;
    }
    auto store = std::make_shared<runtime::shared_store>();
    store->writer = std::move(*writer);
    std::uint32_t n = 0;
    for (const auto& in : inputs(*c.definition))
      out.push_back(sink_unit(c, in, store, n++));
  };
  s.routes = [](const process::context& c, http::server& server) -> result<void> {
    auto reader = storage::open_sqlite_reader(*sqlite_of(c));
    if (!reader)
      return std::move(reader).error();
    http::add_query_routes(server, query_options_of(*c.definition), std::move(*reader));
    return {};
  };
  return s;
}

} // namespace millrace::services
