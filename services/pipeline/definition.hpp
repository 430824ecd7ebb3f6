// SPDX-License-Identifier: Apache-2.0
/// @file
/// The pipeline file, checked: what all five services and `millrace batch` are built from.
#pragma once

#include "actors/alerts/plan.hpp"
#include "actors/enrich/plan.hpp"
#include "actors/windows/plan.hpp"
#include "messaging/codec/decoder.hpp"

#include <memory>
#include <string>
#include <vector>

namespace millrace::pipeline {

struct nats_source {
  std::string subject;
  /// Existing stream; empty: the stream that covers the subject, or `MILLRACE_<pipeline>_source_<n>` is created.
  std::string stream;
};
struct http_source {
  std::string path;
};
struct file_source {
  /// Resolved against the pipeline file's folder.
  std::string path;
  bool follow = false;
};

/// One source, in file order; its index is the shard.
struct source {
  enum class kind : std::uint8_t { nats, http, file };
  kind what = kind::file;
  nats_source nats;
  http_source http;
  file_source file;
  /// Name of the shard in subjects: `<kind><index>`, e.g. `nats0`.
  std::string shard;
};

struct keep_options {
  nanoseconds_t events = 0;
  nanoseconds_t windows = 0;
  nanoseconds_t alerts = 0;
};

struct definition {
  std::string name;
  std::uint32_t partitions = 4;
  /// Folder of the pipeline file.
  std::string folder;

  codec::decode_options decode;
  std::vector<std::string> key;
  /// Field that identifies an event; empty: none.
  std::string id;
  nanoseconds_t max_delay = 0;
  nanoseconds_t idle_timeout = 10'000'000'000;
  nanoseconds_t max_ahead = 3'600'000'000'000;

  std::vector<source> sources;

  enrich::options enrich_options;
  enrich::table_map tables;
  enrich::plan_ptr enrich;
  windows::plan_ptr windows;
  alerts::plan_ptr alerts;
  windows::limits limits;

  std::string storage_url;
  bool store_events = false;
  keep_options keep;
  nanoseconds_t replay = 0;

  /// Fields as declared (all of them) and as decoded (the kept ones): the enrich input.
  schema_ptr declared;
  schema_ptr events;
  /// XXH3-64 of the canonical definition: what decides whether state and logs fit (rule 7.2). Storage, notify,
  /// sources' file paths and limits do not count.
  std::uint64_t fingerprint = 0;
};
using definition_ptr = std::shared_ptr<const definition>;

/// Whether `batch` and `test` can run it: they ask no server, so a remote table needs a file beside it.
result<void> check_offline(const definition& d);

struct located_diagnostic {
  std::string file;
  int line = 0;   ///< from 1
  int column = 0; ///< from 1
  bool is_error = true;
  /// A warning that live services must take for an error: `batch` can do it, they cannot in this version.
  bool is_live_error = false;
  std::string message;
  std::string hint;
};

/// `file:line:col: error: message` and, when there is a hint, `; hint`.
std::string to_string(const located_diagnostic& d);

struct load_result {
  /// Null when there was an error.
  definition_ptr value;
  /// Every finding at once, in file order. Warnings name what works in `batch` but not live in this version.
  std::vector<located_diagnostic> findings;
};

/// Reads, checks and compiles a pipeline file (tables are read too). Never throws.
load_result load(const std::string& path);
/// The same from text; `path` gives the name in findings and the folder for relative paths.
load_result load_text(std::string_view text, const std::string& path);

} // namespace millrace::pipeline
