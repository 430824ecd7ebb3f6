// SPDX-License-Identifier: Apache-2.0
/// @file
/// `millrace batch`: the processors of all five services over files, in one thread, with no broker. The same input
/// gives the same bytes (docs/adr/0003-batch.md says why it does not run over the memory bus).
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace millrace::cli {

struct batch_options {
  std::string pipeline;
  /// `-` is stdin; empty: the pipeline's file sources, else stdin.
  std::vector<std::string> files;
  /// Also print late and rejected events.
  bool late = false;
  /// Also write to the pipeline's storage.
  bool store = false;
  /// Show a progress bar on `err`.
  bool progress = false;
  /// Input bytes decoded at once; results do not depend on it.
  std::size_t chunk_bytes = 512 * 1024;
};

/// Exit code 0, 2 (pipeline file), 3 (input or storage).
int batch(const batch_options& o, std::ostream& out, std::ostream& err);

} // namespace millrace::cli
