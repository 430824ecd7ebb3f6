// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/lexer.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace millrace::expressions {

namespace {

/// Binding strengths: an operand weaker than its place needs parentheses.
enum strength : int {
  weakest = 0,
  conditional = 1,
  logical_or,
  logical_and,
  relation,
  addition,
  multiplication,
  prefix,
  postfix
};

struct infix {
  std::string_view call;
  std::string_view text;
  strength binds;
};

constexpr std::array<infix, 14> infixes{{{"_||_", " || ", logical_or},
                                         {"_&&_", " && ", logical_and},
                                         {"_==_", " == ", relation},
                                         {"_!=_", " != ", relation},
                                         {"_<_", " < ", relation},
                                         {"_<=_", " <= ", relation},
                                         {"_>_", " > ", relation},
                                         {"_>=_", " >= ", relation},
                                         {"@in", " in ", relation},
                                         {"_+_", " + ", addition},
                                         {"_-_", " - ", addition},
                                         {"_*_", " * ", multiplication},
                                         {"_/_", " / ", multiplication},
                                         {"_%_", " % ", multiplication}}};

const infix* find_infix(const node& n) noexcept {
  if (n.what == node::kind::call && !n.target && n.args.size() == 2)
    for (const auto& i : infixes)
      if (n.name == i.call)
        return &i;
  return nullptr;
}

bool is_prefix(const node& n) noexcept {
  return n.what == node::kind::call && !n.target && n.args.size() == 1 && (n.name == "!_" || n.name == "-_");
}

bool is_numeric_literal(const node& n) noexcept {
  return n.what == node::kind::literal &&
         (std::holds_alternative<std::int64_t>(n.value) || std::holds_alternative<double>(n.value));
}

strength strength_of(const node& n) noexcept {
  if (const auto* i = find_infix(n))
    return i->binds;
  if (is_prefix(n))
    return prefix;
  if (n.what == node::kind::call && n.name == "_?_:_")
    return conditional;
  return postfix;
}

void write(std::string& out, const node& n);

void write_at(std::string& out, const node& n, strength place) {
  const bool parentheses = strength_of(n) < place;
  if (parentheses)
    out += '(';
  write(out, n);
  if (parentheses)
    out += ')';
}

void write_quoted(std::string& out, std::string_view text, bool bytes) {
  out += bytes ? "b\"" : "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (u < 0x20 || u == 0x7F || (bytes && u >= 0x80)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(u));
      out += escape.data();
    } else {
      out += c;
    }
  }
  out += '"';
}

void write_literal(std::string& out, const node& n) {
  struct visitor {
    std::string& out;
    bool bytes;
    void operator()(std::monostate) const { out += "null"; }
    void operator()(bool v) const { out += v ? "true" : "false"; }
    void operator()(std::int64_t v) const { out += std::to_string(v); }
    void operator()(std::uint64_t v) const { out += std::to_string(v) + "u"; }
    void operator()(double v) const {
      std::array<char, 32> text{};
      const auto end = std::to_chars(text.data(), text.data() + text.size(), v).ptr;
      const std::string_view digits{text.data(), static_cast<std::size_t>(end - text.data())};
      out += digits;
      if (digits.find_first_of(".einf") == std::string_view::npos)
        out += ".0";
    }
    void operator()(const std::string& v) const { write_quoted(out, v, bytes); }
  };
  std::visit(visitor{out, n.is_bytes}, n.value);
}

bool is_marked(const node& n) noexcept {
  return n.what == node::kind::call && !n.target && n.name == "?_" && n.args.size() == 1;
}

void write_list(std::string& out, const std::vector<node_ptr>& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0)
      out += ", ";
    if (is_marked(*items[i]))
      out += '?';
    write(out, is_marked(*items[i]) ? *items[i]->args[0] : *items[i]);
  }
}

void write_map(std::string& out, const std::vector<node_ptr>& items) {
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (i > 0)
      out += ", ";
    const bool optional = is_marked(*items[i + 1]);
    if (optional)
      out += '?';
    write(out, *items[i]);
    out += ": ";
    write(out, optional ? *items[i + 1]->args[0] : *items[i + 1]);
  }
}

void write_field(std::string& out, const std::string& name) {
  const bool keyword = name == "in" || name == "true" || name == "false" || name == "null";
  out += is_identifier(name) && !keyword ? name : "`" + name + "`";
}

/// The name that `_?._` selects; null pointer for any other node.
const std::string* optional_field(const node& n) noexcept {
  const bool selection = n.what == node::kind::call && !n.target && n.name == "_?._" && n.args.size() == 2;
  return selection ? std::get_if<std::string>(&n.args[1]->value) : nullptr;
}

void write_call(std::string& out, const node& n) {
  if (const auto* i = find_infix(n)) {
    write_at(out, *n.args[0], i->binds);
    out += i->text;
    write_at(out, *n.args[1], static_cast<strength>(i->binds + 1));
    return;
  }
  if (is_prefix(n)) {
    out += n.name[0];
    // -(5) is the negation of a literal, -5 is a literal; and -(-x) reads better than --x.
    const bool parentheses = n.name == "-_" && (is_numeric_literal(*n.args[0]) || is_prefix(*n.args[0]));
    if (parentheses)
      out += '(';
    // Prefix operators only chain with themselves in the grammar, so !-x needs parentheses too.
    write_at(out, *n.args[0], parentheses ? weakest : n.name == n.args[0]->name ? prefix : postfix);
    if (parentheses)
      out += ')';
    return;
  }
  if (!n.target && n.name == "_?_:_" && n.args.size() == 3) {
    write_at(out, *n.args[0], logical_or);
    out += " ? ";
    write_at(out, *n.args[1], logical_or);
    out += " : ";
    write_at(out, *n.args[2], conditional);
    return;
  }
  if (const auto* name = optional_field(n)) {
    write_at(out, *n.args[0], postfix);
    out += ".?";
    write_field(out, *name);
    return;
  }
  if (!n.target && (n.name == "_[_]" || n.name == "_[?_]") && n.args.size() == 2) {
    write_at(out, *n.args[0], postfix);
    out += n.name == "_[_]" ? "[" : "[?";
    write(out, *n.args[1]);
    out += ']';
    return;
  }
  if (n.target) {
    write_at(out, *n.target, postfix);
    out += '.';
  }
  out += n.name;
  out += '(';
  write_list(out, n.args);
  out += ')';
}

void write_select(std::string& out, const node& n) {
  if (n.test_only)
    out += "has(";
  write_at(out, *n.target, postfix);
  out += '.';
  write_field(out, n.name);
  if (n.test_only)
    out += ')';
}

void write(std::string& out, const node& n) {
  switch (n.what) {
  case node::kind::literal: write_literal(out, n); break;
  case node::kind::identifier: out += n.name; break;
  case node::kind::select: write_select(out, n); break;
  case node::kind::call: write_call(out, n); break;
  case node::kind::list:
    out += '[';
    write_list(out, n.args);
    out += ']';
    break;
  case node::kind::map:
    out += '{';
    write_map(out, n.args);
    out += '}';
    break;
  }
}

} // namespace

std::string unparse(const node& n) {
  std::string out;
  write(out, n);
  return out;
}

} // namespace millrace::expressions
