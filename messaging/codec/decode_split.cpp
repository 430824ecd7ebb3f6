// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_split.hpp"

#include "messaging/codec/decoder.hpp"

#include <cstring>

namespace millrace::codec {
namespace {

constexpr auto npos = std::string_view::npos;

/// The quote that closes the string whose opening quote is at `at`; npos: a line end or the end comes first.
std::size_t closing_quote(std::string_view text, std::size_t at) noexcept {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i;
    else if (text[i] == '\n')
      return npos;
  }
  return npos;
}

/// Behind the bracket that closes the one at `at`; npos: there is none, or an object starts directly in the outer
/// one without being a member's value. So a truncated first line of NDJSON is told from an object of several lines.
std::size_t closing_bracket(std::string_view text, std::size_t at) noexcept {
  std::size_t depth = 0;
  char before = '\0';
  for (std::size_t i = at; i < text.size(); ++i) {
    switch (text[i]) {
    case '\\': ++i; break;
    case '"':
      i = closing_quote(text, i);
      if (i == npos)
        return npos;
      break;
    case '{':
      if (depth == 1 && before != ':')
        return npos;
      ++depth;
      break;
    case '[': ++depth; break;
    case '}':
    case ']':
      if (--depth == 0)
        return i + 1;
      break;
    default: break;
    }
    if (i < text.size() && !is_json_space(text[i]))
      before = text[i];
  }
  return npos;
}

/// Elements of the array at the start of `body[all]`. Inside an element only braces count, so that a stray `]` or
/// `[` in one object leaves the others alone. False: not closed exactly at the end.
bool split_array(std::string_view body, body_layout& out) {
  const std::string_view text = body.substr(0, out.all.end);
  std::size_t from = out.all.begin + 1;
  std::size_t braces = 0;
  std::size_t brackets = 0;
  const auto push = [&](std::size_t end) { out.elements.push_back(trim_range(text, {from, end})); };
  std::size_t i = from;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (c == '"') {
      i = closing_quote(text, i);
      if (i == npos)
        break;
    } else if (c == '{') {
      ++braces;
    } else if (c == '}') {
      braces -= braces > 0 ? 1 : 0;
    } else if (braces > 0) {
      continue;
    } else if (c == '[') {
      ++brackets;
    } else if (c == ']' && brackets > 0) {
      --brackets;
    } else if (c == ',' && brackets == 0) {
      push(i);
      from = i + 1;
    } else if (c == ']') {
      if (!out.elements.empty() || trim_range(text, {from, i}).begin != i)
        push(i);
      if (i + 1 == text.size())
        return true;
      from = i + 1;
      out.broken_why = "text after the end of the array";
      break;
    }
  }
  if (out.broken_why.empty())
    out.broken_why = "the array is not closed by ']'";
  out.broken_from = out.elements.size();
  push(text.size());
  return false;
}

} // namespace

byte_range trim_range(std::string_view text, byte_range r) noexcept {
  while (r.begin < r.end && is_json_space(text[r.begin]))
    ++r.begin;
  while (r.end > r.begin && is_json_space(text[r.end - 1]))
    --r.end;
  return r;
}

void split_body(std::string_view body, body_layout& out) {
  out.shape = body_shape::none;
  out.elements.clear();
  out.broken_from = npos;
  out.broken_why = {};
  out.all = trim_range(body, {body.starts_with("\xef\xbb\xbf") ? std::size_t{3} : std::size_t{0}, body.size()});
  if (out.all.begin == out.all.end)
    return;
  const std::string_view text = body.substr(out.all.begin, out.all.end - out.all.begin);
  const bool one_line = std::memchr(text.data(), '\n', text.size()) == nullptr;
  if (text[0] == '[' && (split_array(body, out) || one_line)) {
    out.shape = body_shape::array;
    return;
  }
  out.elements.clear();
  out.broken_from = npos;
  out.shape = body_shape::lines;
  if (one_line || (text[0] == '{' && closing_bracket(text, 0) == text.size()))
    out.shape = body_shape::one;
}

std::size_t count_events(std::string_view body) {
  body_layout layout;
  split_body(body, layout);
  switch (layout.shape) {
  case body_shape::none: return 0;
  case body_shape::one: return 1;
  case body_shape::array: return layout.elements.size();
  case body_shape::lines: break;
  }
  std::size_t count = 0;
  for (std::size_t i = layout.all.begin; i < layout.all.end; ++i) {
    if (is_json_space(body[i]))
      continue;
    ++count;
    const void* const next = std::memchr(body.data() + i, '\n', layout.all.end - i);
    if (next == nullptr)
      break;
    i = static_cast<std::size_t>(static_cast<const char*>(next) - body.data());
  }
  return count;
}

} // namespace millrace::codec
