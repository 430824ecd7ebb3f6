// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/lint.hpp"

#include "services/pipeline/definition.hpp"

#include <ostream>

namespace millrace::pipeline {

int lint(std::span<const std::string> files, std::ostream& out, std::ostream& err) {
  if (files.empty()) {
    err << "lint: no pipeline file given\n";
    return 2;
  }
  std::size_t errors = 0;
  for (const auto& file : files)
    for (const auto& d : load(file).findings) {
      out << to_string(d) << '\n';
      errors += d.is_error ? 1 : 0;
    }
  const auto counted = [](std::size_t n, const char* what) {
    return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
  };
  err << counted(files.size(), "file") << ", " << counted(errors, "error") << '\n';
  return errors == 0 ? 0 : 1;
}

} // namespace millrace::pipeline
