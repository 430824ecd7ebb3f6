// SPDX-License-Identifier: Apache-2.0
// Recursive descent over the grammar of cel-spec, doc/langdef.md, "Syntax"; it stops at the first error.
#include "actors/expressions/lexer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::expressions {

namespace {

/// A subtree and its height; null `tree` after an error.
struct parsed {
  node_ptr tree;
  unsigned height = 0;

  explicit operator bool() const noexcept { return tree != nullptr; }
};

class parser {
public:
  parser(std::vector<token> tokens, std::vector<expression_error>& errors)
    : tokens_{std::move(tokens)}, errors_{errors} {}

  node_ptr run() {
    if (current().what == token::kind::end) {
      fail(current(), "empty expression");
      return nullptr;
    }
    auto p = expression();
    if (!p)
      return nullptr;
    if (current().what != token::kind::end) {
      unexpected();
      return nullptr;
    }
    return p.tree;
  }

private:
  const token& current() const noexcept { return tokens_[at_]; }
  const token& next() const noexcept { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool is_symbol(std::string_view s) const noexcept { return is_symbol(current(), s); }
  static bool is_symbol(const token& t, std::string_view s) noexcept {
    return t.what == token::kind::symbol && t.text == s;
  }
  bool accept(std::string_view s) {
    if (!is_symbol(s))
      return false;
    ++at_;
    return true;
  }
  bool expect(std::string_view s) {
    if (accept(s))
      return true;
    unexpected("expected '" + std::string{s} + "'");
    return false;
  }

  void fail(const token& t, std::string message, std::string hint = {}) {
    errors_.push_back({t.offset, std::max<std::uint32_t>(t.length, 1), std::move(message), std::move(hint)});
  }

  void unexpected(std::string hint = {}) {
    const auto& t = current();
    if (t.what == token::kind::end)
      fail(t, "unexpected end of the expression", std::move(hint));
    else
      fail(t, "unexpected " + describe(t), std::move(hint));
  }

  static std::string describe(const token& t) {
    switch (t.what) {
    case token::kind::identifier:
    case token::kind::quoted_identifier: return "name '" + t.text + "'";
    case token::kind::symbol: return "'" + t.text + "'";
    case token::kind::string:
    case token::kind::bytes: return "string";
    default: return "number";
    }
  }

  std::uint32_t end_of_previous() const noexcept {
    return at_ == 0 ? 0 : tokens_[at_ - 1].offset + tokens_[at_ - 1].length;
  }

  /// Completes a node, whose text started at `offset` and ends with the token before the current one.
  parsed finish(const std::shared_ptr<node>& made, std::uint32_t offset, unsigned children_height) {
    auto& n = *made;
    n.offset = offset;
    n.length = end_of_previous() - offset;
    if (children_height + 1 > max_depth) {
      errors_.push_back({offset, n.length, "expression is nested deeper than " + std::to_string(max_depth),
                         "long chains of || over one field are shorter as: field in [...]"});
      return {};
    }
    return {made, children_height + 1};
  }

  parsed operation(std::string_view name, std::vector<parsed> operands) {
    const auto made = std::make_shared<node>();
    auto& n = *made;
    n.what = node::kind::call;
    n.name = name;
    unsigned height = 0;
    const auto offset = operands.front().tree->offset;
    for (auto& o : operands) {
      height = std::max(height, o.height);
      n.args.push_back(std::move(o.tree));
    }
    // A parenthesised first operand starts before its own node; the difference only shortens the marked range.
    return finish(made, offset, height);
  }

  /// Guards the recursion of the parser itself: parentheses add depth without adding nodes.
  struct nesting {
    explicit nesting(unsigned& d) : depth{d} { ++depth; }
    ~nesting() { --depth; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;
    unsigned& depth;
  };

  parsed expression() {
    const nesting guard{depth_};
    if (depth_ > max_depth) {
      fail(current(), "expression is nested deeper than " + std::to_string(max_depth));
      return {};
    }
    auto condition = binary(0);
    if (!condition || !accept("?"))
      return condition;
    auto yes = binary(0);
    if (!yes || !expect(":"))
      return {};
    auto no = expression();
    if (!no)
      return {};
    return operation("_?_:_", {std::move(condition), std::move(yes), std::move(no)});
  }

  /// The operators, weakest first; all associate to the left.
  std::string_view operator_at(unsigned level) const {
    static constexpr std::pair<unsigned, std::string_view> table[] = {
      {0, "||"}, {1, "&&"}, {2, "=="}, {2, "!="}, {2, "<"}, {2, "<="}, {2, ">"},
      {2, ">="}, {3, "+"},  {3, "-"},  {4, "*"},  {4, "/"}, {4, "%"}};
    const auto& t = current();
    if (t.what == token::kind::identifier && t.text == "in" && level == 2)
      return "in";
    if (t.what == token::kind::symbol)
      for (const auto& [l, s] : table)
        if (l == level && t.text == s)
          return s;
    return {};
  }

  parsed binary(unsigned level) {
    constexpr unsigned unary_level = 5;
    if (level == unary_level)
      return unary();
    auto left = binary(level + 1);
    while (left) {
      const auto op = operator_at(level);
      if (op.empty())
        break;
      ++at_;
      auto right = binary(level + 1);
      if (!right)
        return {};
      left = operation(op == "in" ? "@in" : "_" + std::string{op} + "_", {std::move(left), std::move(right)});
    }
    return left;
  }

  parsed unary() {
    const std::string_view sign = is_symbol("!") ? "!" : is_symbol("-") ? "-" : "";
    if (sign.empty())
      return member();
    std::vector<std::uint32_t> offsets;
    while (is_symbol(sign)) {
      // A minus before a number belongs to the literal: -9223372036854775808 is an int.
      if (sign == "-" && is_number(next()))
        break;
      offsets.push_back(current().offset);
      ++at_;
    }
    if (offsets.size() > max_depth) {
      fail(current(), "expression is nested deeper than " + std::to_string(max_depth));
      return {};
    }
    auto operand = member();
    for (auto it = offsets.rbegin(); operand && it != offsets.rend(); ++it) {
      const auto made = std::make_shared<node>();
      auto& n = *made;
      n.what = node::kind::call;
      n.name = sign == "!" ? "!_" : "-_";
      n.args.push_back(operand.tree);
      operand = finish(made, *it, operand.height);
    }
    return operand;
  }

  static bool is_number(const token& t) noexcept {
    return t.what == token::kind::integer || t.what == token::kind::real;
  }

  parsed member() {
    const auto start = current().offset;
    auto p = primary();
    while (p) {
      if (accept(".")) {
        p = selection(std::move(p), start);
      } else if (is_symbol("[")) {
        ++at_;
        const bool optional = accept("?");
        auto index = expression();
        if (!index || !expect("]"))
          return {};
        const auto made = std::make_shared<node>();
        auto& n = *made;
        n.what = node::kind::call;
        n.name = optional ? "_[?_]" : "_[_]";
        n.args = {p.tree, index.tree};
        p = finish(made, start, std::max(p.height, index.height));
      } else {
        break;
      }
    }
    return p;
  }

  parsed selection(parsed target, std::uint32_t start) {
    const bool optional = accept("?");
    const auto& t = current();
    const bool keyword = t.text == "in" || t.text == "null" || t.text == "true" || t.text == "false";
    if (t.what != token::kind::quoted_identifier && (t.what != token::kind::identifier || keyword)) {
      unexpected("expected the name of a field or function after '.'");
      return {};
    }
    if (optional)
      return optional_selection(std::move(target), start);
    const auto made = std::make_shared<node>();
    auto& n = *made;
    n.name = t.text;
    n.target = target.tree;
    const bool quoted = t.what == token::kind::quoted_identifier;
    ++at_;
    unsigned height = target.height;
    if (!quoted && is_symbol("(")) {
      n.what = node::kind::call;
      if (!arguments(n, height))
        return {};
    } else {
      n.what = node::kind::select;
    }
    return finish(made, start, height);
  }

  parsed optional_selection(parsed target, std::uint32_t start) {
    const auto name = std::make_shared<node>();
    name->value = current().text;
    const auto name_start = current().offset;
    ++at_;
    const auto text = finish(name, name_start, 0);
    if (is_symbol("(")) {
      fail(current(), "'.?' selects a field, it cannot call a function");
      return {};
    }
    const auto made = std::make_shared<node>();
    made->what = node::kind::call;
    made->name = "_?._";
    made->args = {target.tree, text.tree};
    return finish(made, start, std::max(target.height, text.height));
  }

  /// An expression, marked if a `?` stood before it.
  parsed marked(bool optional, std::uint32_t start) {
    auto p = expression();
    if (!p || !optional)
      return p;
    const auto made = std::make_shared<node>();
    made->what = node::kind::call;
    made->name = "?_";
    made->args = {p.tree};
    return finish(made, start, p.height);
  }

  bool arguments(node& n, unsigned& height) {
    ++at_;
    return items(n, height, ")");
  }

  /// Comma-separated expressions up to `close`, which is consumed.
  bool items(node& n, unsigned& height, std::string_view close) {
    if (accept(close))
      return true;
    for (;;) {
      const auto start = current().offset;
      auto p = marked(close == "]" && accept("?"), start);
      if (!p)
        return false;
      height = std::max(height, p.height);
      n.args.push_back(std::move(p.tree));
      const bool comma = accept(",");
      // Lists may end with a comma, argument lists may not.
      if ((!comma || close == "]") && accept(close))
        return true;
      if (!comma) {
        unexpected("expected ',' or '" + std::string{close} + "'");
        return false;
      }
    }
  }

  parsed primary() {
    const auto start = current().offset;
    switch (current().what) {
    case token::kind::integer:
    case token::kind::unsigned_integer:
    case token::kind::real:
    case token::kind::string:
    case token::kind::bytes: return literal(false);
    case token::kind::identifier: return name();
    default: break;
    }
    if (is_symbol("-") && is_number(next())) {
      ++at_;
      return literal(true);
    }
    if (accept("(")) {
      auto p = expression();
      if (!p || !expect(")"))
        return {};
      return p;
    }
    if (accept("[")) {
      const auto made = std::make_shared<node>();
      auto& n = *made;
      n.what = node::kind::list;
      unsigned height = 0;
      if (!items(n, height, "]"))
        return {};
      return finish(made, start, height);
    }
    if (accept("{"))
      return map(start);
    if (is_symbol(".") && next().what == token::kind::identifier) {
      ++at_;
      return name();
    }
    unexpected();
    return {};
  }

  parsed map(std::uint32_t start) {
    const auto made = std::make_shared<node>();
    auto& n = *made;
    n.what = node::kind::map;
    unsigned height = 0;
    while (!accept("}")) {
      const bool optional = accept("?");
      auto key = expression();
      if (!key || !expect(":"))
        return {};
      auto value = marked(optional, current().offset);
      if (!value)
        return {};
      height = std::max({height, key.height, value.height});
      n.args.push_back(std::move(key.tree));
      n.args.push_back(std::move(value.tree));
      if (!accept(",") && !is_symbol("}")) {
        unexpected("expected ',' or '}'");
        return {};
      }
    }
    return finish(made, start, height);
  }

  parsed literal(bool negative) {
    const auto& t = current();
    const auto start = negative ? tokens_[at_ - 1].offset : t.offset;
    const auto made = std::make_shared<node>();
    auto& n = *made;
    switch (t.what) {
    case token::kind::integer: {
      constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (t.magnitude > most + (negative ? 1U : 0U)) {
        fail(t, "int literal out of range", "an unsigned literal ends with u");
        return {};
      }
      n.value = static_cast<std::int64_t>(negative ? 0U - t.magnitude : t.magnitude);
      break;
    }
    case token::kind::unsigned_integer: n.value = t.magnitude; break;
    case token::kind::real: n.value = negative ? -t.number : t.number; break;
    default: n.value = t.text; n.is_bytes = t.what == token::kind::bytes;
    }
    ++at_;
    return finish(made, start, 0);
  }

  parsed name() {
    const auto& t = current();
    const auto start = t.offset;
    const auto made = std::make_shared<node>();
    auto& n = *made;
    if (t.text == "true" || t.text == "false" || t.text == "null") {
      if (t.text != "null")
        n.value = t.text == "true";
      ++at_;
      return finish(made, start, 0);
    }
    if (is_reserved(t.text)) {
      fail(t, "'" + t.text + "' is a reserved word", t.text == "in" ? "write: value in [a, b]" : "");
      return {};
    }
    n.name = t.text;
    n.what = node::kind::identifier;
    ++at_;
    unsigned height = 0;
    if (is_symbol("(")) {
      n.what = node::kind::call;
      if (!arguments(n, height))
        return {};
      if (n.name == "has")
        return presence(made, start, height);
    } else if (is_symbol("{")) {
      fail(current(), "messages are not supported", "a map is written {'name': value}");
      return {};
    }
    return finish(made, start, height);
  }

  /// `has(a.b)` becomes a test-only selection; `has(field)` stays a call that the checker knows.
  parsed presence(const std::shared_ptr<node>& made, std::uint32_t start, unsigned height) {
    const auto& call = *made;
    if (call.args.size() == 1 && call.args[0]->what == node::kind::select && !call.args[0]->test_only) {
      const auto test = std::make_shared<node>(*call.args[0]);
      test->test_only = true;
      return finish(test, start, height - 1);
    }
    if (call.args.size() == 1 && call.args[0]->what == node::kind::identifier)
      return finish(made, start, height);
    errors_.push_back({start, end_of_previous() - start, "invalid argument to has() macro",
                       "has takes a field: has(field) or has(value.field)"});
    return {};
  }

  std::vector<token> tokens_;
  std::vector<expression_error>& errors_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
};

} // namespace

node_ptr parse(std::string_view text, std::vector<expression_error>& errors) {
  std::vector<token> tokens;
  if (!tokenize(text, tokens, errors))
    return nullptr;
  return parser{std::move(tokens), errors}.run();
}

} // namespace millrace::expressions
