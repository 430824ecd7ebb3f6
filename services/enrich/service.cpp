// SPDX-License-Identifier: Apache-2.0
#include "services/enrich/service.hpp"

#include "messaging/subjects.hpp"

namespace millrace::services {

process::service enrich_service() {
  process::service s;
  s.name = "enrich";
  s.summary = "cleans and enriches events: filter, set, remove, lookup";
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    const auto& d = *c.definition;
    for (std::uint32_t p = 0; p < d.partitions; ++p) {
      process::stage_wiring w;
      w.names = {"enrich", "enrich"};
      w.input_stage = "events";
      w.input_partition = p;
      w.output_stage = "enriched";
      w.partition = p;
      for (const auto& source : d.sources)
        w.writers.push_back(subject(d.name, "events", p, source.shard));
      w.make_processor = [d = c.definition] { return enrich::make_processor(d->enrich, d->tables); };
      out.push_back(process::stage_unit(c, std::move(w)));
    }
  };
  return s;
}

} // namespace millrace::services
