// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tokens of CEL text (cel-spec, doc/langdef.md, "Syntax").
#pragma once

#include "actors/expressions/ast.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::expressions {

/// Longest expression, in bytes.
inline constexpr std::size_t max_text_bytes = std::size_t{64} * 1024;
/// Deepest tree; what bounds every recursion over trees.
inline constexpr unsigned max_depth = 250;

struct token {
  enum class kind : std::uint8_t {
    end,
    identifier,
    quoted_identifier,
    integer,
    unsigned_integer,
    real,
    string,
    bytes,
    symbol
  };
  kind what = kind::end;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  /// Name, symbol, or the decoded text of a string or bytes literal.
  std::string text;
  /// Of integers: without sign, since the sign is a token of its own.
  std::uint64_t magnitude = 0;
  double number = 0;
};

/// All tokens of `text`, the last one being `end`. Returns false after appending an error.
bool tokenize(std::string_view text, std::vector<token>& tokens, std::vector<expression_error>& errors);

/// Appends one code point as UTF-8.
void append_utf8(std::string& out, std::uint32_t code_point);
bool is_valid_utf8(std::string_view text) noexcept;
bool is_identifier(std::string_view text) noexcept;
/// Words that cannot name a variable: keywords and CEL's reserved words.
bool is_reserved(std::string_view word) noexcept;

} // namespace millrace::expressions
