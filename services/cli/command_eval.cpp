// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/expression.hpp"
#include "services/cli/commands.hpp"

#include <iostream>
#include <memory>
#include <string>

namespace millrace::cli {

void add_eval(CLI::App& app, int& code) {
  struct options {
    std::string expression;
    std::string json;
  };
  auto o = std::make_shared<options>();
  auto* cmd = app.add_subcommand("eval", "evaluate one CEL expression");
  cmd->add_option("EXPR", o->expression, "CEL expression")->required();
  cmd->add_option("--json", o->json, "JSON object whose members are the variables");
  cmd->footer("Prints the value as JSON. Exit 2 for a parse or check error, 3 for an evaluation error.\n\nExample:\n  "
              "millrace eval --json '{\"price\": 101.5, \"size\": 3}' 'price * double(size)'");
  cmd->callback([o, &code] {
    const auto outcome = expressions::eval(o->expression, o->json);
    (outcome.exit_code == 0 ? std::cout : std::cerr) << outcome.text << '\n';
    code = outcome.exit_code;
  });
}

} // namespace millrace::cli
