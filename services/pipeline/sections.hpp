// SPDX-License-Identifier: Apache-2.0
/// @file
/// The sections of the pipeline file, one function each: from the tree to options, every finding reported.
#pragma once

#include "services/pipeline/reader.hpp"

#include <string>
#include <vector>

namespace millrace::pipeline {

/// What the file says, before plans are made of it. Lists keep one entry per item of the file, wrong ones as
/// harmless stand-ins, so that a plan's paths (`windows[2]`) are those of the file.
struct draft {
  definition def;
  std::vector<windows::window_options> windows;
  std::vector<alerts::rule_options> rules;
  /// Names of tables that could not be loaded.
  std::set<std::string> broken_tables;
};

void read_event(reader& r, const yaml_node* n, draft& d);
void read_ingest(reader& r, const yaml_node* n, draft& d);
void read_tables(reader& r, const yaml_node& n, draft& d);
/// After the steps: they say which columns a remote table has.
void load_tables(reader& r, const yaml_node& n, draft& d);
/// Reads and loads the tables too.
void read_enrich(reader& r, const yaml_node* n, draft& d);
void read_windows(reader& r, const yaml_node* n, draft& d);
void read_alerts(reader& r, const yaml_node* n, draft& d);
/// Top-level keys and the short sections: limits, replay, storage, notify.
void read_root(reader& r, draft& d);

/// Makes the three plans on the fields that somebody needs; reports what they find.
void make_plans(reader& r, draft& d);

/// XXH3-64 of the canonical text of what decides whether state and logs fit (rule 7.2).
std::uint64_t fingerprint(const draft& d);

} // namespace millrace::pipeline
