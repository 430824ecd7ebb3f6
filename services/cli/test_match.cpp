// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test_match.hpp"

#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_writer.hpp"
#include "services/pipeline/reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::cli {

namespace {

using pipeline::yaml_node;

constexpr double tolerance = 1e-9;
/// Pairs that are compared member by member to find the nearest; beyond, only the first of each side.
constexpr std::size_t most_pairs = 40'000;

bool is_number(const yaml_node& n) { return n.plain && codec::is_json_number(n.text); }

bool is_literal(std::string_view text) {
  return text == "true" || text == "false" || text == "null" || text == "Null" || text == "NULL" || text == "True" ||
         text == "False" || text == "TRUE" || text == "FALSE";
}

/// True for texts that mean themselves without quotes, inside braces too.
bool is_plain(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/'; };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), inner) && !is_literal(text);
}

bool same_number(const yaml_node& e, const record_json& g) {
  if (g.is_number_integer()) {
    if (const auto i = codec::parse_int(e.text))
      return !(g.is_number_unsigned() && g.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) &&
             g.get<std::int64_t>() == *i;
    if (const auto u = codec::parse_uint(e.text))
      return g.is_number_unsigned() && g.get<std::uint64_t>() == *u;
  }
  const auto a = codec::parse_double(e.text);
  const auto b = g.get<double>();
  return a && (*a == b || std::abs(*a - b) <= tolerance * std::max(std::abs(*a), std::abs(b)));
}

bool same_text(const yaml_node& e, const std::string& g) {
  if (e.text == g)
    return true;
  const auto a = codec::parse_rfc3339(e.text);
  return a && a == codec::parse_rfc3339(g);
}

bool same_scalar(const yaml_node& e, const record_json& g) {
  if (is_number(e))
    return g.is_number() && same_number(e, g);
  if (e.plain && (e.text == "true" || e.text == "false"))
    return g.is_boolean() && g.get<bool>() == (e.text == "true");
  return g.is_string() && same_text(e, g.get_ref<const std::string&>());
}

std::string scalar_yaml(const yaml_node& n) {
  if (n.is_null())
    return "null";
  if (is_number(n) || (n.plain && is_literal(n.text)) || is_plain(n.text))
    return !n.plain && is_literal(n.text) ? "\"" + n.text + "\"" : n.text;
  std::string out;
  codec::append_string(out, n.text);
  return out;
}

/// Weight of members without which two records have nothing to do with each other.
constexpr std::size_t identity = 100;

/// How much a member that agrees says about two records being meant as the same.
std::size_t weight(std::string_view path) {
  if (path == "window" || path == "rule" || path == "reason")
    return identity;
  if (path.starts_with("key.") || path == "start" || path == "seq" || path == "state" || path == "origin")
    return 10;
  return 1;
}

/// Collects what differs below `path`; returns the weight of what agrees.
std::size_t compare(const yaml_node& e, const record_json& g, const std::string& path,
                    std::vector<member_difference>& out) {
  if (!e.is_map() || !g.is_object() || e.members.empty()) {
    if (matches(e, g))
      return weight(path);
    out.push_back({path, flow_yaml(e), flow_yaml(g)});
    return 0;
  }
  std::size_t same = 0;
  for (const auto& [key, value] : e.members) {
    const auto inner = path.empty() ? key->text : path + "." + key->text;
    if (key->text == "kind" && path.empty())
      continue;
    if (const auto it = g.find(key->text); it != g.end()) {
      same += compare(*value, *it, inner, out);
      continue;
    }
    std::vector<std::string> known;
    for (const auto& [name, unused] : g.items())
      known.push_back(name);
    const auto hint = pipeline::suggest(key->text, known);
    out.push_back({inner, flow_yaml(*value), "no such member" + (hint.empty() ? "" : "; " + hint)});
  }
  return same;
}

/// Kuhn's augmenting paths: an expectation of few members must not take the only record that suits a stricter one.
class assignment {
public:
  assignment(const std::vector<pipeline::yaml_ptr>& expected, const std::vector<record_json>& found)
    : suits_(expected.size()), owner_(found.size()) {
    for (std::size_t e = 0; e < expected.size(); ++e)
      for (std::size_t g = 0; g < found.size(); ++g)
        if (matches(*expected[e], found[g]))
          suits_[e].push_back(g);
    for (std::size_t e = 0; e < expected.size(); ++e) {
      tried_.assign(found.size(), 0);
      if (!place(e))
        missing_.push_back(e);
    }
  }

  const std::vector<std::size_t>& missing() const noexcept { return missing_; }
  bool taken(std::size_t found) const noexcept { return owner_[found].has_value(); }

private:
  bool place(std::size_t e) {
    for (const auto g : suits_[e])
      if (!owner_[g]) {
        owner_[g] = e;
        return true;
      }
    for (const auto g : suits_[e])
      if (!std::exchange(tried_[g], 1) && place(*owner_[g])) {
        owner_[g] = e;
        return true;
      }
    return false;
  }

  std::vector<std::vector<std::size_t>> suits_;
  std::vector<std::optional<std::size_t>> owner_;
  std::vector<std::uint8_t> tried_;
  std::vector<std::size_t> missing_;
};

} // namespace

bool matches(const yaml_node& e, const record_json& g) {
  switch (e.what) {
  case yaml_node::kind::null: return g.is_null();
  case yaml_node::kind::scalar: return same_scalar(e, g);
  case yaml_node::kind::sequence:
    return g.is_array() && g.size() == e.items.size() &&
           std::equal(e.items.begin(), e.items.end(), g.begin(),
                      [](const auto& a, const auto& b) { return matches(*a, b); });
  case yaml_node::kind::map: break;
  }
  if (!g.is_object() || (e.members.empty() && !g.empty()))
    return false;
  return std::all_of(e.members.begin(), e.members.end(), [&](const auto& m) {
    const auto it = g.find(m.first->text);
    // The section says the kind; records on both sides may go without it.
    return it == g.end() ? m.first->text == "kind" : matches(*m.second, *it);
  });
}

match_outcome match(const std::vector<pipeline::yaml_ptr>& expected, const std::vector<record_json>& found) {
  const assignment pairs{expected, found};
  match_outcome out;
  for (std::size_t g = 0; g < found.size(); ++g)
    if (!pairs.taken(g))
      out.extra.push_back(g);
  const bool few = pairs.missing().size() * out.extra.size() <= most_pairs;
  for (const auto e : pairs.missing()) {
    unmet u{expected[e], {}, {}};
    std::size_t best = 0;
    for (const auto g : out.extra) {
      std::vector<member_difference> differences;
      const auto same = compare(*expected[e], found[g], {}, differences);
      const bool other =
        std::any_of(differences.begin(), differences.end(), [](const auto& d) { return weight(d.member) >= identity; });
      if (!other && (!u.nearest || same > best)) {
        best = same;
        u.nearest = g;
        u.differences = std::move(differences);
      }
      if (!few)
        break;
    }
    if (u.nearest)
      std::erase(out.extra, *u.nearest);
    out.missing.push_back(std::move(u));
  }
  return out;
}

std::string flow_yaml(const record_json& r) {
  if (r.is_object()) {
    std::string out = "{";
    for (const auto& [name, value] : r.items()) {
      if (out.size() > 1)
        out += ", ";
      out += flow_yaml(record_json(name)) + ": " + flow_yaml(value);
    }
    return out + "}";
  }
  if (r.is_array()) {
    std::string out = "[";
    for (const auto& value : r)
      out += (out.size() > 1 ? ", " : "") + flow_yaml(value);
    return out + "]";
  }
  std::string out;
  if (r.is_string()) {
    const auto& text = r.get_ref<const std::string&>();
    if (is_plain(text))
      return text;
    codec::append_string(out, text);
  } else if (r.is_number_float()) {
    codec::append_double(out, r.get<double>());
  } else {
    out = r.dump();
  }
  return out;
}

std::string flow_yaml(const yaml_node& n) {
  std::string out;
  if (n.is_map()) {
    for (const auto& [key, value] : n.members)
      out += (out.empty() ? "" : ", ") + scalar_yaml(*key) + ": " + flow_yaml(*value);
    return "{" + out + "}";
  }
  if (n.is_sequence()) {
    for (const auto& value : n.items)
      out += (out.empty() ? "" : ", ") + flow_yaml(*value);
    return "[" + out + "]";
  }
  return scalar_yaml(n);
}

} // namespace millrace::cli
