// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/json_kernel.hpp"

#include "messaging/codec/decode_columns.hpp"
#include "messaging/codec/decode_text.hpp"

#include <algorithm>
#include <cstring>

namespace millrace::codec {
namespace {

/// Names that nobody declared are remembered too, so that their place in the order is predicted; up to this many.
constexpr std::size_t most_learned = 64;
/// The walk is recursive.
constexpr std::size_t most_depth = 1024;
/// Never the raw text of a name: control characters do not pass the first stage.
constexpr std::string_view impossible_name = "\x01";

constexpr bool opens(char c) noexcept { return c == '{' || c == '['; }

} // namespace

json_walker::json_walker(std::span<const std::vector<std::string>> paths, std::size_t max_depth)
  : nodes_(1), max_depth_{std::min(max_depth, most_depth)} {
  for (const auto& path : paths) {
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      auto& entries = nodes_[at].entries;
      const auto known = std::find_if(entries.begin(), entries.end(),
                                      [&](const entry& e) { return e.key.substr(0, e.length) == path[i]; });
      const auto k =
        known != entries.end() ? static_cast<std::uint32_t>(known - entries.begin()) : add_entry(nodes_[at], path[i]);
      if (i + 1 == path.size()) {
        entry& e = nodes_[at].entries[k];
        if (e.slot == none) {
          e.slot = static_cast<std::uint32_t>(slots_.size());
          slots_.emplace_back();
        }
        slot_of_.push_back(e.slot);
      } else {
        if (nodes_[at].entries[k].child == none) {
          nodes_[at].entries[k].child = static_cast<std::uint32_t>(nodes_.size());
          nodes_.emplace_back();
        }
        at = nodes_[at].entries[k].child;
      }
    }
  }
  for (node& n : nodes_) {
    // The last declared entry stands for every name that is neither declared nor remembered.
    add_entry(n, impossible_name);
    n.entries.reserve(n.entries.size() + most_learned);
    for (std::uint32_t i = 0; i + 1 < n.entries.size(); ++i)
      n.entries[i].next = i + 1;
  }
}

std::uint32_t json_walker::add_entry(node& n, std::string_view key) {
  entry e;
  e.key.reserve(key.size() + text_slack);
  e.key.assign(key);
  e.key.append(text_slack, '\0');
  e.length = static_cast<std::uint32_t>(key.size());
  if (key.size() + 2 <= 16) {
    std::array<char, 16> quoted{};
    std::array<char, 16> mask{};
    std::fill_n(mask.begin(), key.size() + 2, '\xff');
    quoted[0] = '"';
    std::copy(key.begin(), key.end(), quoted.begin() + 1);
    quoted[key.size() + 1] = '"';
    std::memcpy(e.quoted.data(), quoted.data(), 16);
    std::memcpy(e.mask.data(), mask.data(), 16);
  }
  n.entries.push_back(std::move(e));
  return static_cast<std::uint32_t>(n.entries.size() - 1);
}

/// Raw bytes suffice: a name with a backslash in it never looks like one without.
inline bool json_walker::is_name(const entry& e, std::uint32_t key, std::uint32_t colon) const noexcept {
  const char* const p = base_ + key;
  if (e.mask[0] != 0) [[likely]]
    return (((detail::load64(p) ^ e.quoted[0]) & e.mask[0]) | ((detail::load64(p + 8) ^ e.quoted[1]) & e.mask[1])) == 0;
  return colon - key >= e.length + 2 && p[0] == '"' && p[1 + e.length] == '"' &&
         detail::equal_with_slack(p + 1, e.key.data(), e.length);
}

const std::uint32_t* json_walker::fail(std::uint32_t offset, std::string_view text) {
  error_offset_ = std::min(offset, limit_);
  error_text_ = text;
  return nullptr;
}

const std::uint32_t* json_walker::too_deep(std::uint32_t offset) {
  return fail(offset, "nesting is deeper than " + std::to_string(max_depth_) + " levels");
}

void json_walker::restart_generations() noexcept {
  for (json_slot& s : slots_)
    s = {};
  generation_ = 1;
}

const std::uint32_t* json_walker::object(const std::uint32_t* token, std::uint32_t limit) {
  next_generation();
  limit_ = limit;
  const std::uint32_t* const end = members(0, token, 1);
  if (end != nullptr && end[-1] >= limit)
    return fail(limit, "the object is not closed");
  return end;
}

const std::uint32_t* json_walker::value(const std::uint32_t* token, std::uint32_t limit) {
  limit_ = limit;
  const std::uint32_t* const end = skip(token, 1);
  if (end != nullptr && end[-1] >= limit)
    return fail(limit, "the value is not closed");
  return end;
}

const std::uint32_t* json_walker::members(std::uint32_t node_index, const std::uint32_t* p, std::size_t depth) {
  if (depth > max_depth_)
    return too_deep(*p);
  node& n = nodes_[node_index];
  ++p;
  if (base_[*p] == '}')
    return p + 1;
  std::uint32_t previous = none;
  std::uint32_t expected = n.first;
  for (;;) {
    const std::uint32_t key = *p;
    const std::uint32_t colon = p[1];
    if (colon >= limit_)
      return fail(limit_, "the object is not closed");
    if (base_[colon] != ':')
      return base_[key] != '"' ? fail(key, "expected a member name in quotes")
                               : fail(colon, "expected ':' after a member name");
    const entry* e = &n.entries[expected];
    if (!is_name(*e, key, colon)) [[unlikely]] {
      if (base_[key] != '"')
        return fail(key, "expected a member name in quotes");
      expected = find(n, previous, key, colon);
      if (expected == none)
        return nullptr;
      e = &n.entries[expected];
    }
    previous = expected;
    expected = e->next;
    p += 2;
    if (e->child == none && e->slot != none && !opens(base_[*p])) {
      json_slot& s = slots_[e->slot];
      // A value that a later one of the same name replaces is converted by nobody: check it here.
      if (s.generation == generation_ && !opens(base_[s.begin]) && !is_scalar(s.begin, s.end))
        return fail(s.begin, "not a JSON value");
      s = json_slot{generation_, *p, p[1], false};
      ++p;
    } else {
      p = declared_value(*e, p, depth + 1);
      if (p == nullptr)
        return nullptr;
    }
    const char c = base_[*p];
    ++p;
    if (c == '}')
      return p;
    if (c != ',')
      return fail(p[-1], "expected ',' or '}' after a value");
  }
}

const std::uint32_t* json_walker::declared_value(const entry& e, const std::uint32_t* p, std::size_t depth) {
  const std::uint32_t* end = nullptr;
  if (e.child != none && base_[*p] == '{') {
    if (!forget(e.child))
      return nullptr;
    end = members(e.child, p, depth);
  } else {
    end = skip(p, depth);
    if (end != nullptr && e.child != none) {
      if (!forget(e.child))
        return nullptr;
      if (trimmed_token(base_, *p, *end) != "null")
        blame_parent(e.child, *p, *end);
    }
  }
  if (end != nullptr && e.slot != none)
    slots_[e.slot] = json_slot{generation_, *p, *end, false};
  return end;
}

bool json_walker::forget(std::uint32_t node_index) {
  for (const entry& e : nodes_[node_index].entries) {
    if (e.slot != none && slots_[e.slot].generation == generation_) {
      json_slot& s = slots_[e.slot];
      if (!opens(base_[s.begin]) && !is_scalar(s.begin, s.end))
        return fail(s.begin, "not a JSON value") != nullptr;
      s.generation = generation_ - 1;
    }
    if (e.child != none && !forget(e.child))
      return false;
  }
  return true;
}

void json_walker::blame_parent(std::uint32_t node_index, std::uint32_t begin, std::uint32_t end) {
  for (const entry& e : nodes_[node_index].entries) {
    if (e.slot != none)
      slots_[e.slot] = json_slot{generation_, begin, end, true};
    if (e.child != none)
      blame_parent(e.child, begin, end);
  }
}

std::uint32_t json_walker::find(node& n, std::uint32_t previous, std::uint32_t key, std::uint32_t colon) {
  std::string_view name = trimmed_token(base_, key, colon);
  name = name.substr(1, name.size() - 2);
  std::string unescaped;
  const bool escaped = name.find('\\') != std::string_view::npos;
  if (escaped) {
    if (!append_unescaped(unescaped, name)) {
      fail(key, "bad escape in a member name");
      return none;
    }
    name = unescaped;
  }
  auto& entries = n.entries;
  const auto known = std::find_if(entries.begin(), entries.end(), [&](const entry& e) {
    return e.length == name.size() && std::string_view{e.key.data(), e.length} == name;
  });
  auto found = static_cast<std::uint32_t>(known - entries.begin());
  if (known == entries.end()) {
    if (escaped || n.learned == most_learned) {
      // Not worth a prediction: treat it like the name that never comes.
      for (found = 0; std::string_view{entries[found].key.data(), entries[found].length} != impossible_name;)
        ++found;
      return found;
    }
    ++n.learned;
    add_entry(n, name);
  }
  (previous == none ? n.first : entries[previous].next) = found;
  return found;
}

const std::uint32_t* json_walker::skip(const std::uint32_t* p, std::size_t depth) {
  switch (base_[*p]) {
  case '{': return skip_object(p, depth);
  case '[': return skip_array(p, depth);
  default: return is_scalar(*p, p[1]) ? p + 1 : fail(*p, "not a JSON value");
  }
}

const std::uint32_t* json_walker::skip_object(const std::uint32_t* p, std::size_t depth) {
  if (depth > max_depth_)
    return too_deep(*p);
  ++p;
  if (base_[*p] == '}')
    return p + 1;
  for (;;) {
    if (*p >= limit_)
      return fail(limit_, "the object is not closed");
    if (base_[*p] != '"' || !is_scalar(*p, p[1]))
      return fail(*p, "expected a member name in quotes");
    if (base_[p[1]] != ':')
      return fail(p[1], "expected ':' after a member name");
    p = skip(p + 2, depth + 1);
    if (p == nullptr)
      return nullptr;
    const char c = base_[*p];
    ++p;
    if (c == '}')
      return p;
    if (c != ',')
      return fail(p[-1], "expected ',' or '}' after a value");
  }
}

const std::uint32_t* json_walker::skip_array(const std::uint32_t* p, std::size_t depth) {
  if (depth > max_depth_)
    return too_deep(*p);
  ++p;
  if (base_[*p] == ']')
    return p + 1;
  for (;;) {
    if (*p >= limit_)
      return fail(limit_, "the array is not closed");
    p = skip(p, depth + 1);
    if (p == nullptr)
      return nullptr;
    const char c = base_[*p];
    ++p;
    if (c == ']')
      return p;
    if (c != ',')
      return fail(p[-1], "expected ',' or ']' after a value");
  }
}

bool json_walker::is_scalar(std::uint32_t begin, std::uint32_t end) const noexcept {
  const std::string_view text = trimmed_token(base_, begin, end);
  switch (text.empty() ? '\0' : text[0]) {
  case '"':
    return text.size() >= 2 && text.back() == '"' &&
           (end <= escapes_from_ || has_valid_escapes(text.substr(1, text.size() - 2)));
  case 't': return text == "true";
  case 'f': return text == "false";
  case 'n': return text == "null";
  default: return is_json_number(text);
  }
}

} // namespace millrace::codec
