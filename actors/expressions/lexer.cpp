// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/lexer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <system_error>

namespace millrace::expressions {

namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

class lexer {
public:
  lexer(std::string_view text, std::vector<token>& tokens, std::vector<expression_error>& errors)
    : text_{text}, tokens_{tokens}, errors_{errors} {}

  bool run() {
    for (;;) {
      skip_space();
      if (at_ >= text_.size()) {
        emit(token::kind::end, at_);
        return true;
      }
      if (!next())
        return false;
    }
  }

private:
  char peek(std::size_t ahead = 0) const noexcept { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  token& emit(token::kind what, std::size_t start) {
    auto& t = tokens_.emplace_back();
    t.what = what;
    t.offset = static_cast<std::uint32_t>(start);
    t.length = static_cast<std::uint32_t>(at_ - start);
    return t;
  }

  bool fail(std::size_t start, std::size_t length, std::string message, std::string hint = {}) {
    errors_.push_back(
      {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(length), std::move(message), std::move(hint)});
    return false;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')
        ++at_;
      else if (c == '/' && peek(1) == '/')
        while (at_ < text_.size() && text_[at_] != '\n')
          ++at_;
      else
        return;
    }
  }

  bool next() {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1))))
      return number();
    if (const auto p = string_prefix())
      return string(*p);
    if (is_letter(c)) {
      const auto start = at_;
      while (is_letter(peek()) || is_digit(peek()))
        ++at_;
      emit(token::kind::identifier, start).text = text_.substr(start, at_ - start);
      return true;
    }
    if (c == '`')
      return quoted_identifier();
    return symbol();
  }

  bool quoted_identifier() {
    const auto start = at_;
    const auto end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos || end == at_ + 1)
      return fail(start, 1, "unterminated quoted field name");
    at_ = end + 1;
    emit(token::kind::quoted_identifier, start).text = text_.substr(start + 1, end - start - 1);
    return true;
  }

  bool symbol() {
    static constexpr std::array<std::string_view, 6> pairs{"&&", "||", "==", "!=", "<=", ">="};
    static constexpr std::string_view singles = "<>+-*/%!?:.,()[]{}";
    const auto start = at_;
    const auto two = text_.substr(at_, 2);
    if (std::find(pairs.begin(), pairs.end(), two) != pairs.end()) {
      at_ += 2;
      emit(token::kind::symbol, start).text = two;
      return true;
    }
    if (singles.find(peek()) != std::string_view::npos) {
      ++at_;
      emit(token::kind::symbol, start).text = text_.substr(start, 1);
      return true;
    }
    const char c = peek();
    std::string hint;
    if (c == '=')
      hint = "equality is written ==";
    else if (c == '&' || c == '|')
      hint = std::string{"the logical operator is written "} + c + c;
    // One error per character, not per byte of it.
    std::size_t length = 1;
    while (start + length < text_.size() && (static_cast<unsigned char>(text_[start + length]) & 0xC0U) == 0x80U)
      ++length;
    return fail(start, length, "unexpected character '" + std::string{text_.substr(start, length)} + "'", hint);
  }

  bool number() {
    const auto start = at_;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
      at_ += 2;
      const auto digits = at_;
      while (hex_digit(peek()) >= 0)
        ++at_;
      return integer(start, text_.substr(digits, at_ - digits), 16);
    }
    while (is_digit(peek()))
      ++at_;
    bool real = false;
    if (peek() == '.' && is_digit(peek(1))) {
      real = true;
      ++at_;
      while (is_digit(peek()))
        ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (is_digit(peek(1 + sign))) {
        real = true;
        at_ += 1 + sign;
        while (is_digit(peek()))
          ++at_;
      }
    }
    const auto digits = text_.substr(start, at_ - start);
    if (!real)
      return integer(start, digits, 10);
    double value = 0;
    // from_chars wants a digit before the point.
    const std::string padded = digits.front() == '.' ? "0" + std::string{digits} : std::string{digits};
    const auto [end, code] = std::from_chars(padded.data(), padded.data() + padded.size(), value);
    if (code == std::errc::result_out_of_range) {
      // Too small rounds to zero, as in every language; too large has no value.
      value = std::strtod(padded.c_str(), nullptr);
      if (std::isinf(value))
        return fail(start, at_ - start, "double literal out of range");
    }
    emit(token::kind::real, start).number = value;
    return true;
  }

  bool integer(std::size_t start, std::string_view digits, int base) {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    const bool is_unsigned = peek() == 'u' || peek() == 'U';
    if (is_unsigned)
      ++at_;
    if (digits.empty() || code == std::errc::invalid_argument)
      return fail(start, at_ - start, "hexadecimal literal without digits");
    if (code != std::errc{})
      return fail(start, at_ - start, is_unsigned ? "uint literal out of range" : "int literal out of range");
    if (is_letter(peek()))
      return fail(start, at_ - start + 1, "unexpected '" + std::string{peek()} + "' after a number",
                  "a duration is written duration('5s')");
    emit(is_unsigned ? token::kind::unsigned_integer : token::kind::integer, start).magnitude = value;
    return true;
  }

  struct prefix {
    std::size_t length = 0;
    bool raw = false;
    bool bytes = false;
  };

  /// What stands before the quote, if a literal starts here.
  std::optional<prefix> string_prefix() const {
    prefix p;
    if (peek() == 'b' || peek() == 'B') {
      p.bytes = true;
      ++p.length;
    }
    if (peek(p.length) == 'r' || peek(p.length) == 'R') {
      p.raw = true;
      ++p.length;
      // cel-go accepts both orders of the prefixes.
      if (!p.bytes && (peek(p.length) == 'b' || peek(p.length) == 'B')) {
        p.bytes = true;
        ++p.length;
      }
    }
    const char quote = peek(p.length);
    if (quote == '"' || quote == '\'')
      return p;
    return std::nullopt;
  }

  bool string(prefix p) {
    const auto start = at_;
    at_ += p.length;
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    const std::size_t quotes = triple ? 3 : 1;
    at_ += quotes;
    std::string out;
    for (;;) {
      if (at_ >= text_.size() || (!triple && (peek() == '\n' || peek() == '\r')))
        return fail(start, at_ - start, "unterminated string");
      if (peek() == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
        at_ += quotes;
        break;
      }
      if (peek() == '\\' && !p.raw) {
        if (!escape(out, p.bytes))
          return false;
      } else {
        out.push_back(text_[at_++]);
      }
    }
    emit(p.bytes ? token::kind::bytes : token::kind::string, start).text = std::move(out);
    return true;
  }

  bool escape(std::string& out, bool bytes) {
    static constexpr std::string_view names = "abfnrtv\\?\"'`";
    static constexpr std::string_view values = "\a\b\f\n\r\t\v\\?\"'`";
    const auto start = at_++;
    const char c = peek();
    if (const auto i = names.find(c); c != '\0' && i != std::string_view::npos) {
      out.push_back(values[i]);
      ++at_;
      return true;
    }
    if (c >= '0' && c <= '3') {
      std::uint32_t v = 0;
      for (int i = 0; i < 3; ++i, ++at_) {
        if (peek() < '0' || peek() > '7')
          return fail(start, at_ - start + 1, "an octal escape has three digits");
        v = v * 8 + static_cast<std::uint32_t>(peek() - '0');
      }
      return code(out, v, bytes, start);
    }
    const bool wide = c == 'u' || c == 'U';
    if (c == 'x' || c == 'X' || (wide && !bytes)) {
      const int digits = c == 'u' ? 4 : c == 'U' ? 8 : 2;
      ++at_;
      std::uint32_t v = 0;
      for (int i = 0; i < digits; ++i, ++at_) {
        const int d = hex_digit(peek());
        if (d < 0)
          return fail(start, at_ - start + 1, "this escape has " + std::to_string(digits) + " hexadecimal digits");
        v = v * 16 + static_cast<std::uint32_t>(d);
      }
      return code(out, v, bytes, start);
    }
    return fail(start, 2, "unknown escape sequence", "a backslash is written \\\\, or use a raw string r'...'");
  }

  bool code(std::string& out, std::uint32_t v, bool bytes, std::size_t start) {
    if (bytes) {
      out.push_back(static_cast<char>(static_cast<unsigned char>(v)));
      return true;
    }
    if (v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
      return fail(start, at_ - start, "escape is not a Unicode code point");
    append_utf8(out, v);
    return true;
  }

  std::string_view text_;
  std::vector<token>& tokens_;
  std::vector<expression_error>& errors_;
  std::size_t at_ = 0;
};

} // namespace

bool tokenize(std::string_view text, std::vector<token>& tokens, std::vector<expression_error>& errors) {
  if (text.size() > max_text_bytes) {
    errors.push_back({0, 0, "expression longer than " + std::to_string(max_text_bytes) + " bytes", {}});
    return false;
  }
  if (!is_valid_utf8(text)) {
    errors.push_back({0, 0, "expression is not valid UTF-8", {}});
    return false;
  }
  return lexer{text, tokens, errors}.run();
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t extra = 0;
    std::uint32_t c = lead;
    std::uint32_t least = 0;
    if (lead >= 0xF0 && lead < 0xF8)
      extra = 3, c = lead & 0x07U, least = 0x10000;
    else if (lead >= 0xE0 && lead < 0xF0)
      extra = 2, c = lead & 0x0FU, least = 0x800;
    else if (lead >= 0xC0 && lead < 0xE0)
      extra = 1, c = lead & 0x1FU, least = 0x80;
    else if (lead >= 0x80)
      return false;
    if (i + extra >= text.size() && extra > 0)
      return false;
    for (std::size_t k = 1; k <= extra; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80U)
        return false;
      c = (c << 6) | (next & 0x3FU);
    }
    if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
      return false;
    i += extra + 1;
  }
  return true;
}

bool is_identifier(std::string_view text) noexcept {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

bool is_reserved(std::string_view word) noexcept {
  static constexpr std::array<std::string_view, 21> words{
    "as",  "break", "const",     "continue", "else",    "false",  "for",  "function", "if",   "import", "in",
    "let", "loop",  "namespace", "null",     "package", "return", "true", "var",      "void", "while"};
  return std::find(words.begin(), words.end(), word) != words.end();
}

} // namespace millrace::expressions
