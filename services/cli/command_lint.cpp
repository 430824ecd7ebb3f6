// SPDX-License-Identifier: Apache-2.0
#include "services/cli/commands.hpp"
#include "services/pipeline/lint.hpp"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace millrace::cli {

void add_lint(CLI::App& app, int& code) {
  auto files = std::make_shared<std::vector<std::string>>();
  auto* cmd = app.add_subcommand("lint", "check pipeline files: every error at once");
  cmd->add_option("PIPELINE", *files, "pipeline files (YAML)")->required();
  cmd->footer("Exit 1 when there are errors, 0 otherwise.\n\nExample:\n  millrace lint examples/*.yaml");
  cmd->callback([files, &code] { code = pipeline::lint(*files, std::cout, std::cerr); });
}

} // namespace millrace::cli
