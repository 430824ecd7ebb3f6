// SPDX-License-Identifier: Apache-2.0
#include "services/ingest/service.hpp"

#include "actors/runtime/reader.hpp"
#include "actors/runtime/shard_partition.hpp"
#include "messaging/subjects.hpp"
#include "services/ingest/intake.hpp"

#include <fstream>

namespace millrace::services {

namespace {

/// Source streams that Millrace creates forget what nobody read for so long.
constexpr std::chrono::hours source_max_age{72};

log_spec source_log(const process::context& c, std::uint32_t index, const std::string& subject) {
  return {source_stream_name(c.definition->name, index), {subject}, 4 * c.log_bytes, source_max_age, c.replicas, false};
}

/// The stream a NATS source reads: the named one, the one that covers the subject, or one of our own.
std::function<result<std::string>(bus&)> resolver(const pipeline::nats_source& s, log_spec own) {
  return [s, own](bus& b) -> result<std::string> {
    if (!s.stream.empty()) {
      auto i = b.info(s.stream);
      if (!i)
        return std::move(i).error();
      return s.stream;
    }
    auto covering = b.log_of(s.subject);
    if (covering && covering->starts_with("MILLRACE_") && *covering != own.name)
      return error{ec::config,
                   "subject '" + s.subject + "' is stored by " + *covering +
                     ", a stream of another source or pipeline, " + "which is trimmed without regard to this one",
                   "create a stream of your own for the subject and name it with `stream:`"};
    if (covering || covering.error().code != ec::not_found)
      return covering;
    if (auto made = runtime::ensure_fitting_log(b, own); !made)
      return made.error();
    return own.name;
  };
}

/// First line of a CSV file; its length is where the records begin.
std::string first_line(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string line;
  std::getline(in, line);
  return line + "\n";
}

/// What the shard reads, by kind of source.
void set_source(const process::context& c, const pipeline::source& s, std::uint32_t index, runtime::shard_spec& out) {
  const auto& d = *c.definition;
  if (s.what == pipeline::source::kind::file) {
    out.file = s.file.path;
    if (d.decode.format == codec::event_format::csv)
      out.csv_header = first_line(s.file.path);
    out.open = [path = s.file.path, csv = d.decode.format == codec::event_format::csv, follow = s.file.follow,
                wall = c.env.clock.wall, header = out.csv_header.size()](std::uint64_t after) {
      return runtime::make_file_source(path, csv, follow, std::max<std::uint64_t>(after, header), wall);
    };
    return;
  }
  out.options.max_ahead = d.max_ahead;
  const auto subject = s.what == pipeline::source::kind::nats ? s.nats.subject : intake_subject(d.name, index);
  const auto own = source_log(c, index, subject);
  const pipeline::nats_source from{subject, s.what == pipeline::source::kind::nats ? s.nats.stream : ""};
  out.open = [b = c.env.bus, resolve = resolver(from, own), subject](std::uint64_t after) {
    return runtime::make_log_source(b, resolve, subject, after);
  };
  if (from.stream.empty()) {
    // Only a stream of our own making may be trimmed; one of the user's has another name.
    out.trim = {d.name, own.name, "ingest", {"ingest"}, true, d.replay};
  }
}

runtime::unit_spec shard_unit(const process::context& c, std::uint32_t index) {
  const auto& d = *c.definition;
  const auto& source = d.sources[index];
  runtime::shard_spec s;
  s.unit = d.name + "/ingest/" + source.shard;
  s.names.pipeline = d.name;
  s.names.stage = "ingest";
  s.names.partition = index;
  for (std::uint32_t p = 0; p < d.partitions; ++p) {
    runtime::lane l;
    l.log = stream_name(d.name, "events", p);
    l.subject = subject(d.name, "events", p, source.shard);
    s.names.outputs.push_back(std::move(l));
    s.names.logs.push_back(process::stage_log(c, "events", p));
  }
  s.names.logs.push_back(process::rejected_log(c));
  s.names.rejected_log = rejected_stream_name(d.name);
  s.names.rejected_subject = rejected_subject(d.name, "ingest", index);
  s.names.definition = d.fingerprint;
  s.names.instance = c.env.instance;
  s.options.decode = d.decode;
  s.options.key = d.key;
  s.options.partitions = d.partitions;
  s.options.max_delay = d.max_delay;
  s.idle_timeout = d.idle_timeout;
  set_source(c, source, index, s);
  s.meters = {&c.metrics->stage(d.name, "ingest", "ingest", std::to_string(index)),
              &c.metrics->service(d.name, "ingest")};
  auto* service = s.meters.service;
  return {
    s.unit,
    [s](caf::actor_system& sys, const runtime::environment& env, runtime::supervisor_actor parent, std::uint64_t i) {
      auto spec = s;
      spec.index = i;
      return runtime::spawn_shard(sys, env, std::move(parent), std::move(spec));
    },
    service};
}

} // namespace

process::service ingest_service() {
  process::service s;
  s.name = "ingest";
  s.summary = "reads sources, checks and keys events";
  s.units = [](const process::context& c, std::vector<runtime::unit_spec>& out) {
    for (std::uint32_t i = 0; i < c.definition->sources.size(); ++i)
      out.push_back(shard_unit(c, i));
  };
  s.routes = [](const process::context& c, http::server& server) -> result<void> {
    const auto& d = *c.definition;
    for (std::uint32_t i = 0; i < d.sources.size(); ++i)
      if (d.sources[i].what == pipeline::source::kind::http)
        add_intake(server, d.sources[i].http.path, c.env.bus, source_log(c, i, intake_subject(d.name, i)),
                   d.decode.format == codec::event_format::csv);
    return {};
  };
  return s;
}

} // namespace millrace::services
