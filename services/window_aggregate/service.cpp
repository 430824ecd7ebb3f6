// SPDX-License-Identifier: Apache-2.0
#include "services/window_aggregate/service.hpp"

namespace millrace::services {

process::service window_aggregate_service() {
  process::service s;
  s.name = "window-aggregate";
  s.summary = "folds events into event-time windows";
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    const auto& d = *c.definition;
    if (!d.windows || d.windows->size() == 0)
      return;
    for (std::uint32_t p = 0; p < d.partitions; ++p) {
      process::stage_wiring w;
      w.names = {"window", "window-aggregate"};
      w.input_stage = "enriched";
      w.input_partition = p;
      w.output_stage = "windows";
      w.partition = p;
      w.publish = true;
      w.make_processor = [d = c.definition] { return windows::make_processor(d->windows, d->limits); };
      out.push_back(process::stage_unit(c, std::move(w)));
    }
  };
  return s;
}

} // namespace millrace::services
