// SPDX-License-Identifier: Apache-2.0
#include "services/alert/service.hpp"

namespace millrace::services {

namespace {

/// Units for the input logs from `from` on, one per partition, with the alerts logs from `first` on.
void add_units(const process::context& c, std::string_view input, std::uint32_t from, std::uint32_t first,
               std::vector<runtime::unit_spec>& out) {
  for (std::uint32_t p = 0; p < c.definition->partitions; ++p) {
    process::stage_wiring w;
    w.names = {"alert", "alert"};
    w.input_stage = input;
    w.input_partition = from + p;
    w.output_stage = "alerts";
    w.partition = first + p;
    w.publish = true;
    w.make_processor = [d = c.definition] { return alerts::make_processor(d->alerts); };
    out.push_back(process::stage_unit(c, std::move(w)));
  }
}

} // namespace

process::service alert_service() {
  process::service s;
  s.name = "alert";
  s.summary = "evaluates alert rules on windows and events";
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    const auto& d = *c.definition;
    // One partition per input log: there is no order between logs to disagree about (rule 1.8).
    if (d.alerts && d.alerts->reads_windows())
      add_units(c, "windows", 0, 0, out);
    if (d.alerts && d.alerts->reads_events())
      add_units(c, "enriched", 0, process::events_alert_partition(d, 0), out);
    if (d.alerts && d.alerts->reads_windows() && process::merges(d))
      add_units(c, "windows", process::merge_partition(d, 0), process::merge_alert_partition(d, 0), out);
  };
  return s;
}

} // namespace millrace::services
