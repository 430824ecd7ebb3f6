// SPDX-License-Identifier: Apache-2.0
#include "services/cli/commands.hpp"
#include "services/cli/test.hpp"

#include <iostream>
#include <memory>
#include <unistd.h>

namespace millrace::cli {

namespace {

constexpr const char* explanation = R"(A test file beside a pipeline:

  pipeline: ../trades.yaml        # relative to this file
  tests:
    - name: one trade, one window
      events:                     # or  file: trades.ndjson  (whose end is the end of input)
        - {trade_id: t1, symbol: AAPL, price: 100.0, size: 10, ts: "2026-01-05T14:30:00Z"}
        - "not json"              # a quoted text is a message as it stands
        - advance: 90s            # log time moves
        - end                     # end of input: every window closes; without it open windows stay open
      expect:                     # a section left out is not checked; [] says: none
        windows: [{window: ohlc, key: {symbol: AAPL}, values: {trades: 1}}]
        alerts: []
        rejected: [{reason: malformed}]

Of a record the members given must match, at any depth ({} matches only {}): numbers within 1e-9 relative, timestamps
by instant. Order is free; a record that is produced and not listed is a failure, and the other way round.
`only: [ohlc, spike]` under `expect` looks at these windows and rules alone.

Time is virtual. Without `start`, events arrive at their own event time and none is `future`. With
`start: 2026-01-05T14:30:00Z` log time begins there and only `advance` moves it, and max_ahead judges events as live.
A pause of idle_timeout or more by `advance` makes the source idle, and its watermark moves on by the pause.
`subject:` gives what `$subject` says.

Exit 1 when a test fails, 2 for a broken file.

Example:
  millrace test examples/tests/*.test.yaml
  millrace test --update examples/tests/trades.test.yaml)";

} // namespace

void add_test(CLI::App& app, int& code) {
  auto o = std::make_shared<test_options>();
  auto* cmd = app.add_subcommand("test", "run test files of pipelines in virtual time");
  cmd->add_option("FILE", o->files, "test files (YAML)")->required();
  cmd->add_flag("--update", o->update, "rewrite the expectations of failing tests to what came out");
  cmd->footer(explanation);
  cmd->callback([o, &code] {
    o->colours = ::isatty(STDOUT_FILENO) != 0;
    code = test(*o, std::cout, std::cerr);
  });
}

} // namespace millrace::cli
