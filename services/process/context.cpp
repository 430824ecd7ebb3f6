// SPDX-License-Identifier: Apache-2.0
#include "services/process/context.hpp"

#include "messaging/subjects.hpp"

namespace millrace::process {

log_spec stage_log(const context& c, std::string_view stage, std::uint32_t partition) {
  const auto& name = c.definition->name;
  return {stream_name(name, stage, partition), log_subjects(name, stage, partition), c.log_bytes, {}, c.replicas, true};
}

log_spec rejected_log(const context& c) {
  const auto& name = c.definition->name;
  return {rejected_stream_name(name), {rejected_subjects(name)}, c.log_bytes, {}, c.replicas, true};
}

bool merges(const pipeline::definition& d) {
  for (std::size_t i = 0; d.windows && i < d.windows->size(); ++i)
    if (d.windows->window(i).merged)
      return true;
  return false;
}

std::vector<std::string> readers_of(const pipeline::definition& d, std::string_view log_stage) {
  std::vector<std::string> out;
  if (log_stage == "events")
    out.emplace_back("enrich");
  if (log_stage == "enriched") {
    if (d.windows && d.windows->size() > 0)
      out.emplace_back("window");
    if (d.alerts && d.alerts->reads_events())
      out.emplace_back("alert");
    if (d.store_events)
      out.emplace_back("storage");
  }
  if (log_stage == "partials")
    out.emplace_back("window");
  if (log_stage == "windows") {
    if (d.alerts && d.alerts->reads_windows())
      out.emplace_back("alert");
    out.emplace_back("storage");
  }
  if (log_stage == "alerts")
    out.emplace_back("storage");
  return out;
}

runtime::trim_spec trim_of(const context& c, std::string_view log_stage, std::uint32_t partition,
                           std::string_view reader) {
  const auto& d = *c.definition;
  return {d.name,  stream_name(d.name, log_stage, partition), std::string{reader}, readers_of(d, log_stage), false,
          d.replay};
}

runtime::unit_spec stage_unit(const context& c, stage_wiring w) {
  const auto& d = *c.definition;
  const auto label = std::to_string(w.partition);
  const auto state = state_stage(w.names.stage);

  runtime::partition_spec p;
  p.unit = d.name + "/" + std::string{w.names.stage} + "/" + label;
  p.names.pipeline = d.name;
  p.names.stage = w.names.stage;
  p.names.partition = w.partition;
  runtime::lane out;
  out.log = stream_name(d.name, w.output_stage, w.partition);
  out.subject = subject(d.name, w.output_stage, w.partition);
  out.scope = expectation::scope::log;
  p.names.outputs.push_back(std::move(out));
  p.names.state_log = stream_name(d.name, state, w.partition);
  p.names.state_prefix = subject(d.name, state, w.partition);
  p.names.rejected_log = rejected_stream_name(d.name);
  p.names.rejected_subject = rejected_subject(d.name, w.names.stage, w.partition);
  p.names.logs = {stage_log(c, state, w.partition), stage_log(c, w.output_stage, w.partition), rejected_log(c)};
  for (const auto& x : w.more_outputs) {
    runtime::lane more;
    more.log = stream_name(d.name, x.stage, x.partition);
    more.subject = subject(d.name, x.stage, x.partition, x.writer);
    p.names.outputs.push_back(std::move(more));
    p.names.logs.push_back(stage_log(c, x.stage, x.partition));
  }
  p.names.definition = d.fingerprint;
  p.names.instance = c.env.instance;
  p.input_log = stream_name(d.name, w.input_stage, w.input_partition);
  p.writers = w.writers.empty() ? std::vector{subject(d.name, w.input_stage, w.input_partition)} : std::move(w.writers);
  p.make_processor = std::move(w.make_processor);
  p.controls = std::move(w.controls);
  p.publish = w.publish;
  p.trim = trim_of(c, w.input_stage, w.input_partition, w.names.stage);
  p.meters = {&c.metrics->stage(d.name, w.names.service, w.names.stage, label),
              &c.metrics->service(d.name, w.names.service)};
  auto* service = p.meters.service;
  return {p.unit,
          [p](caf::actor_system& sys, const runtime::environment& env, runtime::supervisor_actor parent,
              std::uint64_t index) {
            auto spec = p;
            spec.index = index;
            return runtime::spawn_partition(sys, env, std::move(parent), std::move(spec));
          },
          service};
}

} // namespace millrace::process
