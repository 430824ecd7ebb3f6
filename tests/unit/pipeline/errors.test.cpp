// SPDX-License-Identifier: Apache-2.0
// Golden files: <name>.yaml is what a user wrote, <name>.txt what he is told. After a wanted change run with
// MILLRACE_UPDATE_GOLDEN=1 and read the difference.
#include "services/pipeline/definition.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace millrace;
using namespace millrace::pipeline;

namespace {

std::string all(const load_result& r) {
  std::string out;
  for (const auto& f : r.findings)
    out += to_string(f) + '\n';
  return out;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The only finding of a small pipeline.
std::string only(std::string_view text) {
  const auto r = load_text(text, "p");
  CHECK_FALSE(r.value);
  CHECK(r.findings.size() == 1);
  return all(r);
}

const std::string head = "pipeline: p\nevent: {fields: {k: string, x: double}, key: k}\n";

} // namespace

TEST_CASE("wrong files get their errors, all at once and in their order") {
  const auto folder = std::filesystem::path{__FILE__}.parent_path() / "golden";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().extension() == ".yaml")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 6);
  for (const auto& file : files) {
    const auto r = load_text(contents(file), file.filename().string());
    CHECK_FALSE(r.value);
    auto expected = file;
    expected.replace_extension(".txt");
    if (std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr)
      std::ofstream{expected, std::ios::binary} << all(r);
    CHECK(all(r) == contents(expected));
  }
}

TEST_CASE("an error inside an expression points into it") {
  // Plain, quoted, and a block whose columns are not those of the file.
  CHECK(only(head + "enrich: {steps: [{filter: x > yy}]}\n").starts_with("p:3:31: error: "));
  CHECK(only(head + "enrich: {steps: [{filter: 'x > yy'}]}\n").starts_with("p:3:32: error: "));
  CHECK(only(head + "enrich:\n  steps:\n    - filter: |\n        x > yy\n").starts_with("p:5:15: error: "));
}

TEST_CASE("a missing table file is an error where it is named") {
  CHECK(only(head + "enrich:\n  tables:\n    t: {file: nowhere.csv, key: k}\n  steps:\n"
                    "    - lookup: {table: t, on: k, add: [v]}\n    - filter: v == 'x'\n")
          .starts_with("p:5:15: error: "));
}

TEST_CASE("an aggregate named like a key field is an error") {
  CHECK(only(head + "windows: [{name: w, tumbling: 1s, aggregate: {k: count()}}]\n").starts_with("p:3:50: error: "));
}

TEST_CASE("a rule on events whose key a step removes is an error") {
  CHECK(only(head + "enrich: {steps: [{remove: [k]}]}\nalerts: [{name: r, on: events, when: x > 1.0}]\n")
          .starts_with("p:4:24: error: "));
}

TEST_CASE("one wrong field is one error, however often it is used") {
  CHECK(only("pipeline: p\nevent: {fields: {k: string, x: dobule}, key: [k, x], id: x}\n"
             "enrich: {steps: [{filter: x > 1.0}, {set: {y: x + 1.0}}, {set: {z: y + 1.0}}]}\n"
             "windows: [{name: w, where: z > 1.0, tumbling: 1s, aggregate: {a: sum(y), b: a + 1.0}}]\n"
             "alerts: [{name: r, on: w, when: b > 1.0, summary: '{{a}}'}]\n") ==
        "p:2:32: error: unknown type `dobule`; did you mean `double`?\n");
}

TEST_CASE("findings print a hint only when there is one") {
  CHECK(to_string({"f", 1, 2, true, false, "m", ""}) == "f:1:2: error: m");
  CHECK(to_string({"f", 1, 2, false, true, "m", "h"}) == "f:1:2: warning: m; h");
}
