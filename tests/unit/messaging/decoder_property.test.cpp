// SPDX-License-Identifier: Apache-2.0
// Random events with known meaning, some of them broken in a known way: exactly the broken ones are rejected, and
// all others read the same, however the text is cut into messages.
#include "tests/unit/messaging/decoder_support.hpp"

#include <algorithm>
#include <random>

using namespace millrace;
using namespace millrace::test;

namespace {

codec::decode_options fields() {
  auto nested = body_field("v", data_type::string, true);
  nested.path = {"m", "v"};
  return json_options({body_field("s", data_type::string), body_field("i", data_type::int64, true),
                       body_field("d", data_type::float64, true), body_field("b", data_type::boolean, true), nested});
}

struct line {
  std::string text;
  /// The row it must become; empty: rejected.
  std::string row;
};

class generator {
public:
  explicit generator(std::uint64_t seed) : random_{seed} {}

  line next() {
    line l = good();
    if (pick(4) == 0)
      corrupt(l);
    return l;
  }
  std::size_t pick(std::size_t n) { return random_() % n; }

private:
  /// JSON text and the text that it must read back as.
  std::pair<std::string, std::string> string_value() {
    static const std::vector<std::pair<std::string, std::string>> pieces{{"a", "a"},
                                                                         {"Zz", "Zz"},
                                                                         {" ", " "},
                                                                         {"{", "{"},
                                                                         {"]", "]"},
                                                                         {",", ","},
                                                                         {":", ":"},
                                                                         {"\\n", "\\n"},
                                                                         {"\\\\", "\\\\"},
                                                                         {"\\\"", "\\\""},
                                                                         {"\\u0041", "A"},
                                                                         {"\xc3\xa9", "\xc3\xa9"},
                                                                         {"\\/", "/"},
                                                                         {"\xe2\x82\xac", "\xe2\x82\xac"},
                                                                         {"0123456789abcdef", "0123456789abcdef"}};
    std::string in;
    std::string out;
    for (std::size_t n = pick(8); n > 0; --n) {
      const auto& p = pieces[pick(pick(3) == 0 ? pieces.size() : 3)];
      in += p.first;
      out += p.second;
    }
    return {"\"" + in + "\"", "\"" + out + "\""};
  }
  std::string space() { return pick(5) == 0 ? std::string(pick(3), pick(2) == 0 ? ' ' : '\t') : ""; }

  line good() {
    const auto s = string_value();
    const auto v = string_value();
    const std::string i = std::to_string(static_cast<std::int64_t>(random_()) >> pick(60));
    const std::string d = std::to_string(pick(1000)) + ".5";
    const bool has_i = pick(4) != 0;
    const bool has_d = pick(4) != 0;
    const bool has_v = pick(4) != 0;
    std::vector<std::string> members{"\"s\":" + space() + s.first,
                                     "\"b\":" + std::string(pick(2) == 0 ? "true" : "null")};
    const bool b = members[1].ends_with("true");
    if (has_i)
      members.push_back("\"i\"" + space() + ":" + i);
    if (has_d)
      members.push_back("\"d\":" + d + space());
    if (has_v)
      members.push_back("\"m\":{\"w\":[1,{\"v\":2}]," + space() + "\"v\":" + v.first + "}");
    if (pick(3) == 0)
      members.push_back("\"u" + std::to_string(pick(100)) + "\":" + (pick(2) == 0 ? s.first : "[null,-1e9,{}]"));
    if (pick(3) == 0)
      std::shuffle(members.begin(), members.end(), random_);
    line l;
    l.text = space() + "{";
    for (std::size_t k = 0; k < members.size(); ++k)
      l.text += (k == 0 ? "" : ",") + members[k];
    l.text += "}" + space();
    l.row = "{\"s\":" + s.second + ",\"i\":" + (has_i ? i : "null") + ",\"d\":" + (has_d ? d : "null") +
            ",\"b\":" + (b ? "true" : "null") + ",\"v\":" + (has_v ? v.second : "null") + "}";
    return l;
  }

  void corrupt(line& l) {
    const std::size_t open = l.text.find('{');
    const std::size_t close = l.text.rfind('}');
    switch (pick(9)) {
    case 0: l.text.erase(close, 1); break;
    case 1: l.text.erase(open, 1); break;
    case 2: l.text.insert(close, "}"); break;
    case 3: l.text.insert(open + 1, "\"x\":\"\xff\","); break;
    case 4: l.text.insert(open + 1, "\"x\":\"\x02\","); break;
    case 5: l.text.insert(open + 1, "\"x\":nul,"); break;
    case 6: l.text.insert(open + 1, "\""); break;
    case 7: l.text.insert(close, ",\"i\":\"7\""); break;
    default: l.text.insert(close, ",\"s\":null"); break;
    }
    l.row.clear();
  }

  std::mt19937_64 random_;
};

struct expectation_of {
  texts rows;
  std::vector<std::size_t> rejected;
};

void run(const std::vector<line>& lines, std::size_t per_message) {
  expectation_of expected;
  auto by_lines = decoder_of(fields());
  auto by_messages = decoder_of(fields());
  std::size_t offset = 0;
  for (std::size_t from = 0; from < lines.size(); from += per_message) {
    std::string text;
    for (std::size_t i = from; i < std::min(lines.size(), from + per_message); ++i) {
      if (lines[i].row.empty())
        expected.rejected.push_back(i);
      else
        expected.rows.push_back(lines[i].row);
      text += lines[i].text + "\n";
    }
    const std::vector<char> exact(text.begin(), text.end());
    codec::source_message m;
    m.payload = {exact.data(), exact.size()};
    m.place = offset;
    by_lines->decode_lines(m);
    m.place = from;
    by_messages->decode(m);
    CHECK(codec::count_events(text) == std::min(lines.size(), from + per_message) - from);
    offset += text.size();
  }
  const auto a = finish(*by_lines);
  const auto b = finish(*by_messages);
  REQUIRE(a.rows() == expected.rows);
  REQUIRE(b.rows() == expected.rows);
  REQUIRE(a.rejects.size() == expected.rejected.size());
  REQUIRE(b.rejects.size() == expected.rejected.size());
  for (std::size_t i = 0; i < b.rejects.size(); ++i) {
    const auto at = position_place(b.rejects[i].position) + position_index(b.rejects[i].position);
    REQUIRE(at == expected.rejected[i]);
    REQUIRE(a.rejects[i].body == lines[at].text);
    REQUIRE(a.rejects[i].reason == b.rejects[i].reason);
  }
}

} // namespace

TEST_CASE("exactly the broken events are rejected, whatever the chunking") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    generator make{seed};
    std::vector<line> lines;
    for (int i = 0; i < 300; ++i)
      lines.push_back(make.next());
    run(lines, 1);
    run(lines, 7);
    run(lines, lines.size());
  }
}

TEST_CASE("garbage never breaks the decoder, and is counted as it is indexed") {
  std::mt19937_64 random{3};
  constexpr std::string_view alphabet = "{}[]\",:\\ \n\t\r01eu-.tfn\xc3\xa9\xff";
  auto o = fields();
  for (int i = 0; i < 20000; ++i) {
    std::string text = random() % 2 == 0 ? "[" : "";
    for (std::size_t n = random() % 40; n > 0; --n)
      text += alphabet[random() % alphabet.size()];
    if (random() % 3 == 0)
      text += "]";
    static auto d = decoder_of(o);
    const std::vector<char> exact(text.begin(), text.end());
    codec::source_message m;
    m.payload = {exact.data(), exact.size()};
    d->decode(m);
    const auto out = finish(*d);
    INFO(text);
    REQUIRE(out.batch.rows + out.rejects.size() == codec::count_events(text));
  }
}

TEST_CASE("many distinct and many equal texts both keep their values") {
  auto o = json_options({body_field("u", data_type::string), body_field("k", data_type::string)});
  std::string text;
  for (int i = 0; i < 10000; ++i)
    text += "{\"u\":\"user-" + std::to_string(i * 7919) + "\",\"k\":\"" +
            std::string(static_cast<std::size_t>(i % 20), 'k') + "\"}\n";
  const auto d = decode(o, text);
  REQUIRE(d.batch.rows == 10000);
  CHECK(d.batch.columns[1].dict->size() == 20);
  CHECK(d.batch.columns[1].dict->unique());
  bool all = true;
  for (std::size_t i = 0; i < 10000; ++i)
    all = all && d.batch.columns[0].text(i) == "user-" + std::to_string(i * 7919) &&
          d.batch.columns[1].text(i).size() == i % 20;
  CHECK(all);
}
