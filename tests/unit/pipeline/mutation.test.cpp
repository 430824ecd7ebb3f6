// SPDX-License-Identifier: Apache-2.0
#include "services/generate/random.hpp"
#include "services/pipeline/definition.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <array>

using namespace millrace;
using namespace millrace::pipeline;

namespace {

constexpr std::string_view original = R"(pipeline: good
partitions: 1
event:
  fields:
    k: string
    price: double
    size: int?
    ts: {type: timestamp, format: "%Y-%m-%d"}
  time: ts
  key: [k]
  max_delay: 5s
ingest:
  sources:
    - nats: {subject: "trades.>"}
    - http: {path: /v1/events}
enrich:
  steps:
    - filter: price > 0.0 && size > 0
    - set: {notional: price * double(size)}
    - remove: [size]
windows:
  - name: ohlc
    tumbling: 1m
    where: price < 1000000.0
    aggregate: &a
      trades: count()
      vwap: sum(notional) / double(count())
  - {name: slow, sliding: {size: 5m, every: 30s}, aggregate: *a}
alerts:
  - name: spike
    on: ohlc
    when: vwap > 100.0
    for: 2m
    labels: {team: markets}
    summary: '{{k}} at {{vwap}}'
limits: {keys: 10, bytes: 1MiB}
storage: {url: "sqlite:x.db", keep: {events: 7d}}
)";

void mutate(std::string& text, generate::random& random) {
  static constexpr auto pieces = std::to_array<std::string_view>({":",
                                                                  ": ",
                                                                  "- ",
                                                                  "[",
                                                                  "]",
                                                                  "{",
                                                                  "}",
                                                                  "?",
                                                                  "&a ",
                                                                  "*a",
                                                                  "!x ",
                                                                  "|\n",
                                                                  ">\n",
                                                                  "\"",
                                                                  "'",
                                                                  "#",
                                                                  "\n",
                                                                  "\n\n",
                                                                  "  ",
                                                                  "\t",
                                                                  "%",
                                                                  "---\n",
                                                                  "...\n",
                                                                  "<<: ",
                                                                  "\xff",
                                                                  "\xc3\xa9",
                                                                  "0",
                                                                  "-1",
                                                                  "99999999999999999999",
                                                                  "null",
                                                                  "~",
                                                                  "(",
                                                                  ")",
                                                                  "ohlc",
                                                                  "price",
                                                                  "window",
                                                                  "{{",
                                                                  "}}",
                                                                  ",",
                                                                  ".",
                                                                  "1e999",
                                                                  "\\",
                                                                  "\r"});
  const auto at = random.below(static_cast<std::uint32_t>(text.size() + 1));
  const auto length = std::min<std::size_t>(random.below(12), text.size() - at);
  switch (random.below(4)) {
  case 0: text.erase(at, length); break;
  case 1: text.insert(at, pieces[random.below(static_cast<std::uint32_t>(pieces.size()))]); break;
  case 2: text.replace(at, length, pieces[random.below(static_cast<std::uint32_t>(pieces.size()))]); break;
  default: text.insert(random.below(static_cast<std::uint32_t>(text.size() + 1)), text.substr(at, length * 4)); break;
  }
}

} // namespace

TEST_CASE("no mutation of a good file crashes, and what is refused has a reason") {
  REQUIRE(load_text(original, "p").findings.empty());
  generate::random random{7};
  int accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text{original};
    for (auto n = 1 + random.below(4); n > 0; --n)
      mutate(text, random);
    const auto r = load_text(text, "p");
    const auto is_error = [](const located_diagnostic& d) { return d.is_error; };
    const bool failed = std::any_of(r.findings.begin(), r.findings.end(), is_error);
    INFO(text);
    REQUIRE(failed == !r.value);
    for (const auto& f : r.findings) {
      REQUIRE(f.line >= 1);
      REQUIRE(f.column >= 1);
      REQUIRE(f.message.find("this pipeline could not be made") == std::string::npos);
      REQUIRE_FALSE(f.message.empty());
    }
    accepted += r.value ? 1 : 0;
  }
  CHECK(accepted > 30);
}
