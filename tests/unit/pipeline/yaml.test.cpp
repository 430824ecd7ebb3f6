// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/yaml.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace millrace::pipeline;

namespace {

yaml_ptr good(std::string_view text) {
  std::vector<yaml_error> errors;
  auto root = parse_yaml(text, errors);
  REQUIRE(errors.empty());
  REQUIRE(root);
  return root;
}

yaml_error bad(std::string_view text) {
  std::vector<yaml_error> errors;
  CHECK_FALSE(parse_yaml(text, errors));
  REQUIRE(errors.size() == 1);
  return errors[0];
}

} // namespace

TEST_CASE("nodes know where they stood") {
  const auto root = good("a: 1\nb:\n  - {x: y}\n  - \"quoted\"\n  - 'it''s'\n  - |\n    block\n");
  REQUIRE(root->is_map());
  const auto& b = *root->find("b");
  REQUIRE(b.items.size() == 4);
  CHECK(root->find("a")->line == 0);
  CHECK(root->find("a")->column == 3);
  CHECK(b.items[0]->find("x")->line == 2);
  CHECK(b.items[0]->find("x")->column == 8);
  CHECK(b.items[0]->find("x")->text_column == 8);
  CHECK(b.items[1]->text == "quoted");
  CHECK(b.items[1]->text_column == 5);
  // Escapes and blocks move the characters: offsets into the text would lie.
  CHECK(b.items[2]->text == "it's");
  CHECK(b.items[2]->text_column == -1);
  CHECK(b.items[3]->text == "block\n");
  CHECK(b.items[3]->text_column == -1);
}

TEST_CASE("a question mark is a letter like others") {
  const auto root = good("a: {type: string?, path: x}\nb: [int?, 'p?q', \"r?\"]\nc: s?\nd: x ? y:z\n");
  CHECK(root->find("a")->find("type")->text == "string?");
  CHECK(root->find("a")->find("type")->text_column == 10);
  CHECK(root->find("b")->items[0]->text == "int?");
  CHECK(root->find("b")->items[1]->text == "p?q");
  CHECK(root->find("b")->items[2]->text == "r?");
  CHECK(root->find("c")->text == "s?");
  CHECK(root->find("d")->text == "x ? y:z");
}

TEST_CASE("repeated keys are kept, the first is found") {
  const auto root = good("a: 1\na: 2\n");
  CHECK(root->members.size() == 2);
  CHECK(root->find("a")->text == "1");
}

TEST_CASE("anchors and aliases work") {
  const auto root = good("a: &x {k: v}\nb: *x\n");
  CHECK(root->find("b")->find("k")->text == "v");
}

TEST_CASE("a null is not the text null") {
  const auto root = good("a:\nb: ~\nc: null\nd: 'null'\n");
  CHECK(root->find("a")->is_null());
  CHECK(root->find("b")->is_null());
  CHECK(root->find("c")->is_null());
  CHECK(root->find("d")->is_scalar());
}

TEST_CASE("aliases that multiply are refused") {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const auto below = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below;
    for (int k = 0; k < 9; ++k)
      text += ", " + below;
    text += "]\n";
  }
  CHECK(bad(text).message == "the file has too many values");
}

TEST_CASE("an alias inside its own anchor is refused") {
  CHECK(bad("a: &x\n  b: *x\n").message == "this alias refers to the value that contains it");
}

TEST_CASE("deep nesting, huge files and NUL bytes are refused") {
  CHECK_FALSE(bad(std::string(100'000, '[')).message.empty());
  CHECK_FALSE(bad(std::string(100'000, '{')).message.empty());
  CHECK(bad(std::string(max_yaml_bytes + 1, 'a')).message == "the file is larger than 1 MiB");
  const auto nul = bad(std::string_view{"a: 1\nb: \0\n", 10});
  CHECK(nul.line == 1);
  CHECK(nul.message == "the file is not text: it contains a control character");
}

TEST_CASE("syntax errors have a place and a hint") {
  const auto colon = bad("a: 1\nb: x ? y : z: w\n");
  CHECK(colon.line == 1);
  CHECK(colon.hint.find("quote") != std::string::npos);
  const auto tab = bad("a:\n\tb: 1\n");
  CHECK(tab.hint == "YAML is indented with spaces, not with tabs");
  const auto tag = bad("when: !closed\n");
  CHECK(tag.column == 6);
  CHECK(tag.hint == "put a value that starts with `!` into quotes: '!closed'");
  CHECK(bad("a: *nowhere\n").hint == "quote a value that starts with `*` or `&`");
}

TEST_CASE("empty files and second documents are refused") {
  CHECK(bad("").message == "the file is empty");
  CHECK(bad("# only a comment\n").message == "the file is empty");
  const auto second = bad("a: 1\n---\nb: 2\n");
  CHECK(second.message == "a pipeline file is one YAML document; this is a second one");
  CHECK(second.line == 2);
}

TEST_CASE("a path leads to the deepest node there is") {
  const auto root = good("windows:\n  - name: a\n  - name: b\n    aggregate: {x: sum(y)}\n");
  bool exact = false;
  CHECK(resolve(*root, "windows[1].aggregate.x", exact).text == "sum(y)");
  CHECK(exact);
  CHECK(resolve(*root, "windows[1].key[0]", exact).line == 2);
  CHECK_FALSE(exact);
  CHECK(&resolve(*root, "nothing", exact) == root.get());
  CHECK(&resolve(*root, "", exact) == root.get());
  CHECK(exact);
  for (const auto* odd : {"[", "[9", "windows[", "windows[x]", "windows[99].a", "..", "windows[0]]", "a.[1]"})
    resolve(*root, odd, exact);
}
