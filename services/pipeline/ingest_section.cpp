// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/scalars.hpp"
#include "services/pipeline/sections.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

namespace millrace::pipeline {

namespace {

void read_nats(reader& r, const yaml_node& n, source& out) {
  section s{r, &n, "a nats source", {{"subject", "stream"}}};
  const auto* subject = s.require("subject", "nats: {subject: \"trades.>\"}");
  if (const auto* text = r.text(subject, "a subject")) {
    if (const auto problem = subject_problem(*text); !problem.empty())
      r.error(*subject, std::string{problem});
    out.nats.subject = *text;
  }
  if (const auto* text = r.text(s.get("stream"), "a stream name")) {
    if (text->empty() || text->find_first_of(" \t\r\n.*>/\\") != std::string::npos)
      r.error(*s.get("stream"), "`" + *text + "` cannot be a stream name",
              "no white space, dots, wildcards or slashes");
    out.nats.stream = *text;
  }
}

void read_http(reader& r, const yaml_node& n, source& out) {
  section s{r, &n, "an http source", {{"path"}}};
  const auto* path = s.require("path", "http: {path: /v1/events}");
  const auto* text = r.text(path, "a path");
  if (!text)
    return;
  static constexpr std::array<std::string_view, 3> ours{"/metrics", "/healthz", "/readyz"};
  if (!text->starts_with('/'))
    r.error(*path, "an http path starts with `/`", "write `/" + *text + "`");
  else if (text->find_first_of(" \t\r\n?#%") != std::string::npos)
    r.error(*path, "an http path has no white space, `?`, `#` or `%`");
  else if (std::find(ours.begin(), ours.end(), *text) != ours.end())
    r.error(*path, "`" + *text + "` is an endpoint of the service itself");
  out.http.path = *text;
}

void read_file(reader& r, const yaml_node& n, const std::string& folder, source& out) {
  section s{r, &n, "a file source", {{"path", "follow"}}};
  const auto* path = s.require("path", "file: {path: trades.ndjson}");
  if (const auto* text = r.text(path, "a path")) {
    if (text->empty())
      r.error(*path, "the path is empty");
    out.file.path = (std::filesystem::path{folder} / *text).lexically_normal().string();
  }
  out.file.follow = r.boolean(s.get("follow")).value_or(false);
}

/// True when `n` describes a source, good or bad; what it is goes to `out`.
bool read_source(reader& r, const yaml_node& n, const std::string& folder, source& out) {
  section s{r, &n, "a source", {{"nats", "http", "file"}}};
  if (!s)
    return false;
  const auto given = static_cast<int>(s.has("nats")) + s.has("http") + s.has("file");
  if (given != 1) {
    if (given > 1 || n.members.empty())
      r.error(n, "a source is exactly one of nats, http or file", "start each source with `- `");
    return false;
  }
  if (const auto* nats = s.get("nats")) {
    out.what = source::kind::nats;
    read_nats(r, *nats, out);
  } else if (const auto* http = s.get("http")) {
    out.what = source::kind::http;
    read_http(r, *http, out);
  } else {
    out.what = source::kind::file;
    read_file(r, *s.get("file"), folder, out);
  }
  return true;
}

/// What two sources must not share, or empty.
std::string identity(const source& s) {
  switch (s.what) {
  case source::kind::nats: return s.nats.subject.empty() ? "" : "subject `" + s.nats.subject + "`";
  case source::kind::http: return s.http.path.empty() ? "" : "http path `" + s.http.path + "`";
  case source::kind::file: return s.file.path.empty() ? "" : "file `" + s.file.path + "`";
  }
  return {};
}

std::string_view kind_name(source::kind k) noexcept {
  switch (k) {
  case source::kind::nats: return "nats";
  case source::kind::http: return "http";
  case source::kind::file: return "file";
  }
  return "";
}

} // namespace

void read_ingest(reader& r, const yaml_node* n, draft& d) {
  section s{r, n, "`ingest`", {{"sources"}}};
  const auto* list = s.get("sources");
  if (!list)
    return;
  if (!list->is_sequence()) {
    r.error(*list, "`sources` is a list", "start each source with `- `");
    return;
  }
  constexpr std::size_t most = 1000;
  if (list->items.size() > most)
    r.error(*list, "more than 1000 sources");
  std::set<std::string> seen;
  for (const auto& item : list->items) {
    source out;
    if (!read_source(r, *item, d.def.folder, out))
      continue;
    const auto id = identity(out);
    if (!id.empty() && !seen.insert(id).second)
      r.error(*item, "two sources have the same " + id);
    out.shard = std::string{kind_name(out.what)} + std::to_string(d.def.sources.size());
    d.def.sources.push_back(std::move(out));
  }
}

} // namespace millrace::pipeline
