// SPDX-License-Identifier: Apache-2.0
#include "services/enrich/service.hpp"

#include "actors/runtime/log.hpp"
#include "messaging/subjects.hpp"
#include "services/process/table_sources.hpp"

namespace millrace::services {

process::service enrich_service() {
  process::service s;
  s.name = "enrich";
  s.summary = "cleans and enriches events: filter, set, remove, lookup";
  s.prepare = [](const process::context& c) -> result<void> {
    // Made here once, so that a missing variable ends the start with a message.
    auto sources = process::table_sources(*c.definition, nullptr);
    return sources ? result<void>{} : result<void>{sources.error()};
  };
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    const auto& d = *c.definition;
    auto sources = process::table_sources(d, c.env.bus);
    if (!sources) {
      log::error("cannot watch the lookup tables", {{"why", to_string(sources.error())}});
      return;
    }
    // One look serves all partitions; each records what it takes from it (rule 7.1).
    const auto tables = sources->empty() ? nullptr : std::make_shared<runtime::control_hub>(std::move(*sources));
    for (std::uint32_t p = 0; p < d.partitions; ++p) {
      process::stage_wiring w;
      w.names = {"enrich", "enrich"};
      w.input_stage = "events";
      w.input_partition = p;
      w.output_stage = "enriched";
      w.partition = p;
      for (const auto& source : d.sources)
        w.writers.push_back(subject(d.name, "events", p, source.shard));
      w.controls = tables;
      w.make_processor = [d = c.definition] { return enrich::make_processor(d->enrich, d->tables); };
      out.push_back(process::stage_unit(c, std::move(w)));
    }
  };
  return s;
}

} // namespace millrace::services
