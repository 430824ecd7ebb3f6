// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/reader.hpp"

#include "actors/expressions/expression.hpp"
#include "services/pipeline/scalars.hpp"

#include <algorithm>

namespace millrace::pipeline {

namespace {

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool mentions(std::string_view text, std::string_view word) noexcept {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end])))
      return true;
  }
  return false;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t most = 60;
  return "`" + std::string{text.substr(0, most)} + (text.size() > most ? "...`" : "`");
}

std::string_view kind_name(const yaml_node& n) noexcept {
  switch (n.what) {
  case yaml_node::kind::null: return "nothing";
  case yaml_node::kind::scalar: return "a single value";
  case yaml_node::kind::sequence: return "a list";
  case yaml_node::kind::map: return "a map";
  }
  return "something else";
}

} // namespace

std::string suggest(std::string_view name, const std::vector<std::string>& known) {
  if (const auto near = expressions::nearest(name, known); !near.empty())
    return "did you mean `" + near + "`?";
  if (known.empty())
    return {};
  std::string all = "known: ";
  for (const auto& k : known)
    all += (&k == known.data() ? "" : ", ") + k;
  return all;
}

std::string cut_hint(const yaml_node& n, std::string otherwise) {
  const auto count = [&](char c) { return std::count(n.text.begin(), n.text.end(), c); };
  if (n.plain && n.in_flow && (count('(') != count(')') || count('[') != count(']')))
    return "inside {} and [] a comma or bracket ends a value: quote it, or write the map line by line";
  return otherwise;
}

std::vector<located_diagnostic> reader::take() && {
  std::stable_sort(findings_.begin(), findings_.end(), [](const auto& a, const auto& b) {
    return std::pair{a.line, a.column} < std::pair{b.line, b.column};
  });
  const auto same = [](const located_diagnostic& a, const located_diagnostic& b) {
    return a.line == b.line && a.column == b.column && a.message == b.message;
  };
  findings_.erase(std::unique(findings_.begin(), findings_.end(), same), findings_.end());
  return std::move(findings_);
}

void reader::add(const yaml_node& at, bool is_error, std::string message, std::string hint, std::size_t offset) {
  const bool inside = at.text_column >= 0 && offset > 0;
  const auto column = inside ? at.text_column + static_cast<int>(std::min(offset, at.text.size())) : at.column;
  failed_ = failed_ || is_error;
  findings_.push_back({file_, at.line + 1, column + 1, is_error, false, std::move(message), std::move(hint)});
}

void reader::error(const yaml_node& at, std::string message, std::string hint, std::size_t offset) {
  settled_.emplace(at.line, at.column);
  add(at, true, std::move(message), std::move(hint), offset);
}

void reader::batch_only(const yaml_node& at, std::string message) {
  add(at, false, std::move(message), {}, 0);
  findings_.back().is_live_error = true;
}

void reader::unsupported(const yaml_node& at, std::string_view what) {
  error(at, quoted(what) + " is not supported in this version");
}

void reader::finding(const diagnostic& d) {
  for (const auto& name : poisoned_)
    if (mentions(d.message, name))
      return;
  bool exact = false;
  const auto& at = resolve(*root_, d.path, exact);
  if (settled_.contains({at.line, at.column}))
    return;
  add(at, true, d.message, cut_hint(at, d.hint), exact ? d.offset : 0);
}

const std::string* reader::text(const yaml_node* n, std::string_view expected) {
  if (!n)
    return nullptr;
  if (!n->is_scalar()) {
    error(*n, "expected " + std::string{expected} + ", found " + std::string{kind_name(*n)});
    return nullptr;
  }
  return &n->text;
}

std::optional<nanoseconds_t> reader::duration(const yaml_node* n) {
  const auto* t = text(n, "a duration");
  if (!t)
    return std::nullopt;
  auto d = parse_duration(*t);
  if (d)
    return *d;
  error(*n, d.error().message, d.error().hint);
  return std::nullopt;
}

std::optional<bool> reader::boolean(const yaml_node* n) {
  const auto* t = text(n, "true or false");
  if (!t)
    return std::nullopt;
  if (*t == "true" || *t == "false")
    return *t == "true";
  error(*n, quoted(*t) + " is neither true nor false");
  return std::nullopt;
}

std::optional<std::uint64_t> reader::count(const yaml_node* n) {
  const auto* t = text(n, "a whole number");
  if (!t)
    return std::nullopt;
  auto c = parse_count(*t);
  if (c)
    return *c;
  error(*n, c.error().message, c.error().hint);
  return std::nullopt;
}

std::vector<const yaml_node*> reader::scalars(const yaml_node* n, std::string_view expected) {
  std::vector<const yaml_node*> out;
  if (!n)
    return out;
  if (n->is_sequence()) {
    for (const auto& item : n->items)
      if (text(item.get(), expected))
        out.push_back(item.get());
  } else if (text(n, "a list of names")) {
    out.push_back(n);
  }
  return out;
}

section::section(reader& r, const yaml_node* n, std::string_view what, keys k) : reader_{r}, what_{what} {
  if (!n)
    return;
  if (!n->is_map()) {
    r.error(*n, what_ + " is a map of keys and values, found " + std::string{kind_name(*n)});
    return;
  }
  node_ = n;
  std::vector<std::string> known{k.known.begin(), k.known.end()};
  std::set<std::string_view> seen;
  for (const auto& [key, value] : n->members) {
    if (!key->is_scalar()) {
      r.error(*key, "a key is a name");
      continue;
    }
    const auto& name = key->text;
    if (!seen.insert(name).second)
      r.error(*key, "`" + name + "` is given twice");
    else if (std::find(k.later.begin(), k.later.end(), name) != k.later.end())
      r.unsupported(*key, name);
    else if (std::find(known.begin(), known.end(), name) == known.end())
      r.error(*key, "unknown key " + quoted(name) + " in " + what_, suggest(name, known));
    else if (value->is_null() && !k.empty_ok)
      r.error(*key, "`" + name + "` has no value");
  }
}

const yaml_node* section::get(std::string_view key) const noexcept {
  const auto* n = node_ ? node_->find(key) : nullptr;
  return n && !n->is_null() ? n : nullptr;
}

const yaml_node* section::require(std::string_view key, std::string_view example) {
  const auto* n = get(key);
  // A key without a value was reported with the keys.
  if (!n && node_ && !node_->find(key))
    reader_.error(*node_, what_ + " needs `" + std::string{key} + "`", "e.g. `" + std::string{example} + "`");
  return n;
}

} // namespace millrace::pipeline
