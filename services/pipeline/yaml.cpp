// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/yaml.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace millrace::pipeline {

const yaml_node* yaml_node::find(std::string_view key) const noexcept {
  for (const auto& [k, v] : members)
    if (k->is_scalar() && k->text == key)
      return v.get();
  return nullptr;
}

namespace {

/// Thrown through yaml-cpp to stop it at the first thing that makes going on pointless.
struct stop {
  yaml_error what;
};

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return lines;
    text.remove_prefix(end + 1);
  }
}

/// yaml-cpp takes every `?` inside `{}` and `[]` for the mark of a complex key, even in `{type: string?}`, which is
/// plain YAML. Complex keys have no use here, so the parser is shown another byte instead.
constexpr char hidden_question = '\x01';

std::string hide_questions(std::string_view text) {
  std::string out{text};
  std::replace(out.begin(), out.end(), '?', hidden_question);
  return out;
}

std::string show_questions(std::string text) {
  std::replace(text.begin(), text.end(), hidden_question, '?');
  return text;
}

class builder final : public YAML::EventHandler {
public:
  explicit builder(std::vector<std::string_view> lines) : lines_{std::move(lines)} {}

  yaml_ptr take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto n = make(yaml_node::kind::null, mark);
    leaf(std::move(n), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end())
      throw stop{{mark.line, mark.column, "this alias refers to the value that contains it", ""}};
    add(it->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?" && tag != "!" && !tag.empty())
      throw stop{{mark.line, mark.column, "YAML tags are not used here",
                  "put a value that starts with `!` into quotes: '!" +
                    show_questions(tag[0] == '!' ? tag.substr(1) : tag) + "'"}};
    auto n = make(yaml_node::kind::scalar, mark);
    n->text = show_questions(value);
    n->plain = tag == "?";
    n->in_flow = !stack_.empty() && stack_.back().node->in_flow;
    n->text_column = text_column(*n);
    leaf(std::move(n), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(make(yaml_node::kind::sequence, mark), anchor, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(make(yaml_node::kind::map, mark), anchor, style);
  }
  void OnMapEnd() override { close(); }

private:
  struct level {
    std::shared_ptr<yaml_node> node;
    yaml_ptr key;
    YAML::anchor_t anchor;
  };

  static std::shared_ptr<yaml_node> make(yaml_node::kind what, const YAML::Mark& mark) {
    auto n = std::make_shared<yaml_node>();
    n->what = what;
    n->line = std::max(mark.line, 0);
    n->column = std::max(mark.column, 0);
    return n;
  }

  /// Column of the first byte of the text when the file holds the text unchanged on this line.
  int text_column(const yaml_node& n) const {
    if (static_cast<std::size_t>(n.line) >= lines_.size())
      return -1;
    const auto line = lines_[static_cast<std::size_t>(n.line)];
    const auto start = static_cast<std::size_t>(n.column) + (n.plain ? 0U : 1U);
    if (start > line.size() || line.substr(start, n.text.size()) != n.text)
      return -1;
    return static_cast<int>(start);
  }

  void leaf(std::shared_ptr<yaml_node> n, YAML::anchor_t anchor) {
    if (anchor != 0)
      anchors_[anchor] = n;
    add(std::move(n));
  }

  void open(std::shared_ptr<yaml_node> n, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
    n->in_flow = style == YAML::EmitterStyle::Flow;
    stack_.push_back({std::move(n), nullptr, anchor});
  }

  void close() {
    auto top = std::move(stack_.back());
    stack_.pop_back();
    if (top.anchor != 0)
      anchors_[top.anchor] = top.node;
    add(std::move(top.node));
  }

  void add(yaml_ptr n) {
    if (stack_.empty()) {
      root_ = std::move(n);
      return;
    }
    auto& top = stack_.back();
    // Aliases share nodes, so a small file can stand for a huge tree: what counts is the tree.
    top.node->weight += n->weight;
    if (top.node->weight > max_yaml_nodes)
      throw stop{{n->line, n->column, "the file has too many values", "aliases count as often as they are used"}};
    if (top.node->is_sequence())
      top.node->items.push_back(std::move(n));
    else if (!top.key)
      top.key = std::move(n);
    else
      top.node->members.emplace_back(std::exchange(top.key, nullptr), std::move(n));
  }

  std::vector<std::string_view> lines_;
  std::vector<level> stack_;
  std::map<YAML::anchor_t, yaml_ptr> anchors_;
  yaml_ptr root_;
};

std::string hint_for(std::string_view line, std::string_view message) {
  const auto first = line.find_first_not_of(' ');
  if (first != std::string_view::npos && line[first] == '\t')
    return "YAML is indented with spaces, not with tabs";
  if (message.find("end of map") != std::string_view::npos || message.find("end of sequence") != std::string_view::npos)
    return "check that this line is indented like its neighbours";
  if (message.find("alias") != std::string_view::npos || message.find("anchor") != std::string_view::npos)
    return "quote a value that starts with `*` or `&`";
  return "quote a value that contains `: ` or starts with a quote, `!`, `*`, `&`, `[`, `{`, `%` or `@`";
}

} // namespace

yaml_ptr parse_yaml(std::string_view text, std::vector<yaml_error>& errors) {
  if (text.size() > max_yaml_bytes) {
    errors.push_back({0, 0, "the file is larger than 1 MiB", ""});
    return nullptr;
  }
  const auto is_control = [](char c) { return c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r'; };
  if (const auto at = std::find_if(text.begin(), text.end(), is_control); at != text.end()) {
    const auto line = std::count(text.begin(), at, '\n');
    errors.push_back({static_cast<int>(line), 0, "the file is not text: it contains a control character", ""});
    return nullptr;
  }
  const auto lines = split_lines(text);
  try {
    std::istringstream in{hide_questions(text)};
    YAML::Parser parser{in};
    builder first{lines};
    if (!parser.HandleNextDocument(first)) {
      errors.push_back({0, 0, "the file is empty", "see `Pipeline file` in the documentation"});
      return nullptr;
    }
    auto root = first.take();
    builder second{lines};
    if (parser.HandleNextDocument(second)) {
      const auto more = second.take();
      errors.push_back({more ? more->line : 0, 0, "a pipeline file is one YAML document; this is a second one", ""});
      return nullptr;
    }
    if (!root)
      errors.push_back({0, 0, "the file is empty", ""});
    return root;
  } catch (const stop& s) {
    errors.push_back(s.what);
  } catch (const YAML::Exception& e) {
    const auto line = static_cast<std::size_t>(std::max(e.mark.line, 0));
    errors.push_back({std::max(e.mark.line, 0), std::max(e.mark.column, 0), "YAML: " + show_questions(e.msg),
                      hint_for(line < lines.size() ? lines[line] : std::string_view{}, e.msg)});
  } catch (const std::exception& e) {
    errors.push_back({0, 0, std::string{"YAML: "} + e.what(), ""});
  }
  return nullptr;
}

const yaml_node& resolve(const yaml_node& root, std::string_view path, bool& exact) {
  const auto* at = &root;
  exact = true;
  while (!path.empty()) {
    const yaml_node* next = nullptr;
    if (path[0] == '[') {
      const auto end = std::min(path.find(']'), path.size());
      std::size_t index = 0;
      const auto parsed = std::from_chars(path.data() + 1, path.data() + end, index);
      if (parsed.ec == std::errc{} && index < at->items.size())
        next = at->items[index].get();
      path.remove_prefix(std::min(end + 1, path.size()));
    } else {
      const auto end = path.find_first_of(".[");
      next = at->find(path.substr(0, end));
      path.remove_prefix(std::min(end, path.size()));
    }
    if (!path.empty() && path[0] == '.')
      path.remove_prefix(1);
    if (!next) {
      exact = false;
      return *at;
    }
    at = next;
  }
  return *at;
}

} // namespace millrace::pipeline
