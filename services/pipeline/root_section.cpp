// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

namespace millrace::pipeline {

namespace {

void read_limits(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`limits`", {{"keys", "bytes"}}};
  if (const auto keys = r.count(s.get("keys"))) {
    if (*keys == 0)
      r.error(*s.get("keys"), "`keys` must be at least 1");
    d.def.limits.keys = *keys;
  }
  if (const auto* text = r.text(s.get("bytes"), "a size")) {
    const auto bytes = parse_size(*text);
    if (!bytes)
      r.error(*s.get("bytes"), bytes.error().message, bytes.error().hint);
    else if (*bytes == 0)
      r.error(*s.get("bytes"), "`bytes` must be more than zero");
    else
      d.def.limits.bytes = *bytes;
  }
}

void read_url(reader& r, const yaml_node* n, draft& d) {
  const auto* text = r.text(n, "sqlite:PATH");
  if (!text)
    return;
  if (text->starts_with("postgresql:") || text->starts_with("postgres:"))
    r.unsupported(*n, *text);
  else if (!text->starts_with("sqlite:"))
    r.error(*n, "`" + *text + "` is not a storage url", "write e.g. `sqlite:trades.db`");
  else if (text->size() == std::string_view{"sqlite:"}.size())
    r.error(*n, "the storage url has no path", "write e.g. `sqlite:trades.db`");
  else
    d.def.storage_url = *text;
}

void read_storage(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`storage`", {{"url", "events", "keep", "sinks"}}};
  read_url(r, s.get("url"), d);
  d.def.store_events = r.boolean(s.get("events")).value_or(false);
  section keep{r, s.get("keep"), "`keep`", {{"events", "windows", "alerts"}}};
  d.def.keep.events = r.duration(keep.get("events")).value_or(0);
  d.def.keep.windows = r.duration(keep.get("windows")).value_or(0);
  d.def.keep.alerts = r.duration(keep.get("alerts")).value_or(0);
  const auto* sinks = s.get("sinks");
  if (sinks && !sinks->is_sequence())
    r.error(*sinks, "`sinks` is a list");
  else if (sinks && !sinks->items.empty())
    r.unsupported(*sinks->items[0], "sinks");
}

void read_name(reader& r, section& s, draft& d) {
  const auto* n = s.require("pipeline", "pipeline: trades");
  d.def.name = "pipeline";
  const auto* text = r.text(n, "a name");
  if (!text)
    return;
  if (is_name(*text, false))
    d.def.name = *text;
  else
    r.error(*n, "`" + *text + "` cannot be the name of a pipeline", "a-z, then a-z, 0-9 and -; at most 40 characters");
}

void read_partitions(reader& r, const yaml_node* n, draft& d) {
  constexpr std::uint64_t most = 1024;
  const auto count = r.count(n);
  if (!count)
    return;
  if (*count == 0 || *count > most)
    r.error(*n, "`partitions` is between 1 and " + std::to_string(most));
  else
    d.def.partitions = static_cast<std::uint32_t>(*count);
}

} // namespace

void read_root(reader& r, draft& d) {
  section s{r,
            &r.root(),
            "the pipeline file",
            {{"pipeline", "partitions", "event", "ingest", "enrich", "windows", "alerts", "notify", "limits", "replay",
              "storage"},
             {},
             true}};
  if (!s)
    return;
  read_name(r, s, d);
  read_partitions(r, s.get("partitions"), d);
  const auto* event = s.get("event");
  if (!event)
    r.error(s.node(), "the pipeline file needs `event`", "e.g. `event: {fields: {price: double}}`");
  read_event(r, event, d);
  read_ingest(r, s.get("ingest"), d);
  read_enrich(r, s.get("enrich"), d);
  read_windows(r, s.get("windows"), d);
  read_alerts(r, s.get("alerts"), d);
  const auto* notify = s.get("notify");
  if (notify && !(notify->is_sequence() && notify->items.empty()))
    r.unsupported(*notify, "notify");
  read_limits(r, s.get("limits"), d);
  d.def.replay = r.duration(s.get("replay")).value_or(0);
  d.def.storage_url = "sqlite:" + d.def.name + ".db";
  read_storage(r, s.get("storage"), d);
}

} // namespace millrace::pipeline
