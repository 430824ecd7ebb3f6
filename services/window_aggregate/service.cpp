// SPDX-License-Identifier: Apache-2.0
#include "services/window_aggregate/service.hpp"

#include "messaging/subjects.hpp"

namespace millrace::services {

namespace {

/// The second step of windows whose key does not contain the event key (rule 3.4).
process::stage_wiring merge_wiring(const process::context& c, std::uint32_t q) {
  const auto& d = *c.definition;
  process::stage_wiring w;
  w.names = {"window", "window-aggregate"};
  w.input_stage = "partials";
  w.input_partition = q;
  w.output_stage = "windows";
  w.partition = process::merge_partition(d, q);
  for (std::uint32_t p = 0; p < d.partitions; ++p)
    w.writers.push_back(subject(d.name, "partials", q, std::to_string(p)));
  w.publish = true;
  w.make_processor = [d = c.definition] { return windows::make_merge_processor(d->windows, d->limits); };
  return w;
}

} // namespace

process::service window_aggregate_service() {
  process::service s;
  s.name = "window-aggregate";
  s.summary = "folds events into event-time windows";
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    const auto& d = *c.definition;
    if (!d.windows || d.windows->size() == 0)
      return;
    const auto merge_lanes = process::merges(d) ? d.partitions : 0;
    for (std::uint32_t p = 0; p < d.partitions; ++p) {
      process::stage_wiring w;
      w.names = {"window", "window-aggregate"};
      w.input_stage = "enriched";
      w.input_partition = p;
      w.output_stage = "windows";
      w.partition = p;
      w.publish = true;
      for (std::uint32_t q = 0; q < merge_lanes; ++q)
        w.more_outputs.push_back({"partials", q, std::to_string(p)});
      w.make_processor = [d = c.definition, merge_lanes] {
        return windows::make_processor(d->windows, d->limits, merge_lanes);
      };
      out.push_back(process::stage_unit(c, std::move(w)));
    }
    for (std::uint32_t q = 0; q < merge_lanes; ++q)
      out.push_back(process::stage_unit(c, merge_wiring(c, q)));
  };
  return s;
}

} // namespace millrace::services
