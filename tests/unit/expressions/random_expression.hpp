// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random well-typed expressions and random batches, the same for the same seed.
#pragma once

#include "messaging/event_batch.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::expressions::testing {

/// Fields of every type, a required and an optional one each.
inline schema_ptr random_schema() {
  using enum data_type;
  return std::make_shared<const schema>(std::vector<field>{
    {"i", int64, false},
    {"i2", int64, true},
    {"u", uint64, false},
    {"u2", uint64, true},
    {"d", float64, false},
    {"d2", float64, true},
    {"b", boolean, false},
    {"b2", boolean, true},
    {"s", string, false},
    {"s2", string, true},
    {"t", timestamp, false},
    {"t2", timestamp, true},
    {"k", duration, false},
    {"k2", duration, true},
    {"y", bytes, true},
    {"j", json, true},
  });
}

template <class T>
T one_of(std::mt19937_64& random, std::initializer_list<T> values) {
  return *(values.begin() + random() % values.size());
}

/// Values near the edges of their types are frequent, so that errors are.
inline event_batch random_batch(std::mt19937_64& random, std::size_t rows) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  const auto s = random_schema();
  batch_builder out{s};
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t c = 0; c < s->size(); ++c) {
      if ((*s)[c].nullable && random() % 4 == 0)
        continue;
      const bool edge = random() % 8 == 0;
      const auto small = static_cast<std::int64_t>(random() % 9) - 4;
      switch ((*s)[c].type) {
      case data_type::boolean: out.set_bool(c, random() % 2 == 0); break;
      case data_type::int64:
        out.set_int(c, edge ? one_of(random, {most, least, most - 1, std::int64_t{1} << 53}) : small);
        break;
      case data_type::uint64:
        out.set_uint(c, edge ? one_of<std::uint64_t>(random, {~std::uint64_t{0}, std::uint64_t{1} << 63, 7})
                             : random() % 5);
        break;
      case data_type::float64:
        out.set_double(c, edge
                            ? one_of(random, {0.0 / 1.0, -0.0, 1e300, -1e19, std::numeric_limits<double>::quiet_NaN(),
                                              std::numeric_limits<double>::infinity()})
                            : static_cast<double>(small) / 2);
        break;
      case data_type::string:
        out.set_text(c, one_of<std::string_view>(random, {"", "a", "AAPL", "MSFT", "aé€b", "12", "-3"}));
        break;
      case data_type::bytes: out.set_text(c, one_of<std::string_view>(random, {"", "ab", "\xff", "12"})); break;
      case data_type::timestamp:
        if (random() % 3 == 0) // any time of some decades, for calendars and zones
          out.set_int(c, static_cast<std::int64_t>(random() % 2'000'000'000) * 1'000'000'000);
        else
          out.set_int(c, edge ? one_of(random, {most, least, std::int64_t{-1}})
                              : 1'700'000'000'000'000'000 + small * 500'000'000);
        break;
      case data_type::duration:
        out.set_int(c, edge ? one_of(random, {most, least, std::int64_t{3'600'000'000'001}}) : small * 700'000'000);
        break;
      case data_type::json:
        out.set_text(c, one_of<std::string_view>(
                          random, {R"({"a":1,"b":"x"})", R"({"a":2.5})", "[1,2]", "null", "7", R"("AAPL")"}));
        break;
      }
    }
    out.finish_row(0, no_watermark, static_cast<std::int64_t>(row), 0);
  }
  return out.finish();
}

/// Writes texts of expressions over the fields of `random_schema`.
class generator {
public:
  explicit generator(std::mt19937_64& random) : random_{random} {}

  std::string any(unsigned depth) {
    static constexpr std::array<std::string (generator::*)(unsigned), 8> all{
      &generator::boolean, &generator::integer, &generator::unsigned_integer, &generator::real,
      &generator::text,    &generator::instant, &generator::duration,         &generator::dynamic};
    return (this->*all[pick(all.size())])(depth);
  }

  std::string boolean(unsigned depth) {
    if (depth == 0)
      return pick_text({"b", "b2", "true", "false", "b", "b2"});
    switch (pick(14)) {
    case 12: return predicate(depth - 1);
    case 13: return "math." + pick_text({"isNaN(", "isInf(", "isFinite("}) + real(depth - 1) + ")";
    case 0: return "!" + parens(boolean(depth - 1));
    case 1:
    case 2: return parens(boolean(depth - 1)) + " && " + parens(boolean(depth - 1));
    case 3:
    case 4: return parens(boolean(depth - 1)) + " || " + parens(boolean(depth - 1));
    case 5: return choose(boolean(depth - 1), boolean(depth - 1), depth);
    case 6: return "has(" + pick_text({"i", "i2", "d2", "s2", "b2", "t2", "j", "y"}) + ")";
    case 7:
      return pick_text({"i2", "u2", "d2", "b2", "s2", "t2", "k2", "y", "j"}) + pick_text({" == ", " != "}) + "null";
    case 8: return membership(depth);
    case 9: return text_test(depth);
    default: return comparison(depth);
    }
  }

  std::string integer(unsigned depth) {
    if (depth == 0)
      return pick_text({"i", "i2", "0", "1", "-1", "2", "3", "9223372036854775807", "i", "i2"});
    switch (pick(14)) {
    case 10: return parens(instant(depth - 1)) + accessor() + "(" + zone() + ")";
    case 11: return bits("int", integer(depth - 1), integer(depth - 1));
    case 12: return optional_integer(depth - 1) + ".orValue(" + integer(depth - 1) + ")";
    case 13:
      return pick_text({"[i, i2, 3].sort()[0]", "[i, 1, i].distinct().size()", "[[i], [i2]].flatten()[1]",
                        "[i2, i].reverse()[0]", "[1, i].slice(0, 1)[0]", "lists.range(3).map(x, x + i)[2]",
                        "[s, s2].sortBy(e, size(e)).size()", "s.indexOf(s2)", "s2.lastIndexOf('A')", "math.sign(i2)",
                        "[i, i2].map(x, x != null, x)[0]", "[i].transformList(n, x, n + x)[0]"});
    case 0: return "-" + parens(integer(depth - 1));
    case 1: return choose(integer(depth - 1), integer(depth - 1), depth);
    case 2: return "int(" + any_number(depth - 1) + ")";
    case 3: return "size(" + text(depth - 1) + ")";
    case 4:
      return parens(instant(depth - 1)) + pick_text({".getHours()", ".getFullYear()", ".getDayOfWeek('+05:30')",
                                                     ".getMilliseconds()", ".getDayOfYear()"});
    case 5:
      return parens(duration(depth - 1)) +
             pick_text({".getHours()", ".getMinutes()", ".getSeconds()", ".getMilliseconds()"});
    case 6:
      return pick_text({"int(s)", "int(s2)", "int(t)", "int(t2)", "math.abs(i2)", "j.a + 1", "math.greatest(i, i2)"});
    default:
      return parens(integer(depth - 1)) + pick_text({" + ", " - ", " * ", " / ", " % "}) + parens(integer(depth - 1));
    }
  }

  std::string unsigned_integer(unsigned depth) {
    if (depth == 0)
      return pick_text({"u", "u2", "0u", "1u", "3u", "18446744073709551615u", "u", "u2"});
    switch (pick(8)) {
    case 6: return bits("uint", unsigned_integer(depth - 1), unsigned_integer(depth - 1));
    case 7:
      return pick_text({"math.greatest(u, u2)", "math.least([u, 3u])", "optional.of(u2).orValue(u)", "math.abs(u2)"});
    case 0: return choose(unsigned_integer(depth - 1), unsigned_integer(depth - 1), depth);
    case 1: return "uint(" + any_number(depth - 1) + ")";
    default:
      return parens(unsigned_integer(depth - 1)) + pick_text({" + ", " - ", " * ", " / ", " % "}) +
             parens(unsigned_integer(depth - 1));
    }
  }

  std::string real(unsigned depth) {
    if (depth == 0)
      return pick_text({"d", "d2", "0.0", "1.5", "-2.0", "1e19", "d", "d2"});
    switch (pick(7)) {
    case 0: return "-" + parens(real(depth - 1));
    case 1: return choose(real(depth - 1), real(depth - 1), depth);
    case 2: return "double(" + any_number(depth - 1) + ")";
    case 3:
      return pick_text({"math.ceil(", "math.floor(", "math.round(", "math.trunc(", "math.abs(", "math.sqrt("}) +
             real(depth - 1) + ")";
    default: return parens(real(depth - 1)) + pick_text({" + ", " - ", " * ", " / "}) + parens(real(depth - 1));
    }
  }

  std::string text(unsigned depth) {
    if (depth == 0)
      return pick_text({"s", "s2", "'AAPL'", "''", "'a'", "s", "s2"});
    switch (pick(9)) {
    case 7: return formatted(depth - 1);
    case 8:
      return pick_text({"strings.quote(s)", "base64.encode(y)", "string(base64.decode(base64.encode(y)))",
                        "[s, s2, 'x'].join('-')", "(s + ',' + s2).split(',')[0]", "s2.reverse()",
                        "optional.ofNonZeroValue(s).orValue('empty')", "[s, s2].sort()[1]", "j.?b.orValue(s)",
                        "string(base64.decode(s))"});
    case 0: return choose(text(depth - 1), text(depth - 1), depth);
    case 1:
      return parens(text(depth - 1)) + pick_text({".lowerAscii()", ".upperAscii()", ".trim()", ".substring(1)",
                                                  ".charAt(0)", ".replace('A', 'bb')"});
    case 2: return "string(" + any_number(depth - 1) + ")";
    case 3: return "string(" + pick_text({"y", "b2", "t", "k2", "s2"}) + ")";
    default: return parens(text(depth - 1)) + " + " + parens(text(depth - 1));
    }
  }

  std::string instant(unsigned depth) {
    if (depth == 0)
      return pick_text(
        {"t", "t2", "timestamp('2023-11-14T22:13:20Z')", "timestamp('0001-01-01T00:00:00Z')", "t", "t2"});
    switch (pick(5)) {
    case 0: return choose(instant(depth - 1), instant(depth - 1), depth);
    case 1: return "timestamp(" + integer(depth - 1) + ")";
    case 2: return parens(duration(depth - 1)) + " + " + parens(instant(depth - 1));
    default: return parens(instant(depth - 1)) + pick_text({" + ", " - "}) + parens(duration(depth - 1));
    }
  }

  std::string duration(unsigned depth) {
    if (depth == 0)
      return pick_text({"k", "k2", "duration('1.5s')", "duration('-1h')", "k", "k2"});
    switch (pick(5)) {
    case 0: return choose(duration(depth - 1), duration(depth - 1), depth);
    case 1: return parens(instant(depth - 1)) + " - " + parens(instant(depth - 1));
    default: return parens(duration(depth - 1)) + pick_text({" + ", " - "}) + parens(duration(depth - 1));
    }
  }

  std::string dynamic(unsigned depth) {
    switch (pick(9)) {
    case 5: return optional_integer(depth / 2);
    case 6: return "[?" + optional_integer(depth / 2) + ", i2]";
    case 7: return "{?'a': j.?a, 'b': " + text(depth / 2) + "}";
    case 8:
      return pick_text({"j.?a", "j[?0]", "j[?'b'].optMap(x, [x, x])", "[j, j].distinct()", "[i2, 1, i].sort()",
                        "{'a': i, 'b': i2}.transformMap(k, x, string(x))", "optional.of(t2)", "[y, y].distinct()",
                        "j.?a.optFlatMap(x, x == 1 ? optional.of(x) : optional.none())", "[s, s2].sortBy(e, size(e))",
                        "[k, k2].sort()", "[d, d2, 0.5].sort()", "dyn(u2)", "[[i], [i2, 1]].flatten()", "[t, t2]"});
    case 0: return "j.a";
    case 1: return "[" + integer(depth / 2) + ", " + text(depth / 2) + "]";
    case 2: return "{'x': " + any(depth / 2) + "}";
    case 3: return "type(j)";
    default: return parens(boolean(depth / 2)) + " ? " + pick_text({"i2", "s", "j"}) + " : null";
    }
  }

private:
  std::size_t pick(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  std::string pick_text(std::initializer_list<std::string_view> texts) { return std::string{one_of(random_, texts)}; }
  static std::string parens(const std::string& s) { return "(" + s + ")"; }

  std::string choose(const std::string& a, const std::string& b, unsigned depth) {
    return parens(boolean(depth - 1)) + " ? " + parens(a) + " : " + parens(b);
  }

  std::string accessor() {
    return pick_text({".getFullYear", ".getMonth", ".getDate", ".getDayOfMonth", ".getDayOfWeek", ".getDayOfYear",
                      ".getHours", ".getMinutes", ".getSeconds", ".getMilliseconds"});
  }
  /// Constant and computed, good and bad.
  std::string zone() {
    return pick_text({"'Europe/Berlin'", "'America/New_York'", "'Asia/Kathmandu'", "'UTC'", "'-08:00'",
                      "'Nowhere/Land'", "b2 == true ? 'Europe/Berlin' : '+01:00'", "s", "s2", "'Europe/' + 'Berlin'"});
  }

  std::string bits(const std::string& type, const std::string& a, const std::string& b) {
    if (pick(4) == 0)
      return "math.bitNot(" + a + ")";
    if (pick(3) == 0)
      return "math." + pick_text({"bitShiftLeft(", "bitShiftRight("}) + a + ", " + pick_text({"0", "3", "i", "64"}) +
             ")";
    return "math." + pick_text({"bitAnd(", "bitOr(", "bitXor("}) + a + ", " + type + "(" + b + "))";
  }

  std::string optional_integer(unsigned depth) {
    switch (pick(7)) {
    case 0: return "optional.of(" + integer(depth) + ")";
    case 1: return "optional.ofNonZeroValue(" + integer(depth) + ")";
    case 2: return "optional.none()";
    case 3: return "[i, i2].first()";
    case 4: return "[i, i2][?" + integer(depth) + "]";
    case 5: return "optional.of(" + integer(depth) + ").optMap(x, x + 1)";
    default: return "{'a': i}.?a.or([i2].last())";
    }
  }

  std::string predicate(unsigned depth) {
    switch (pick(5)) {
    case 0: return optional_integer(depth) + ".hasValue()";
    case 1: return optional_integer(depth) + pick_text({" == ", " != "}) + optional_integer(depth);
    case 2: return "[" + integer(depth) + ", i2].exists(x, x " + pick_text({">", "==", "!="}) + " i)";
    case 3: return "[" + integer(depth) + ", i].all(n, x, n < x || " + boolean(depth) + ")";
    default:
      return pick_text({"[i, i2].existsOne(x, x == 1)", "has(j.?a.b)", "has(j.a)", "{s: i}.exists(k, x, x > 0)"});
    }
  }

  std::string formatted(unsigned depth) {
    return pick_text({"'%s|%s'", "'%s and %s'", "(s + '%s%%%s')"}) + ".format([" + any(depth / 2) + ", " +
           any(depth / 2) + "])";
  }

  std::string any_number(unsigned depth) {
    switch (pick(3)) {
    case 0: return integer(depth);
    case 1: return unsigned_integer(depth);
    default: return real(depth);
    }
  }

  std::string membership(unsigned depth) {
    switch (pick(5)) {
    case 0: return parens(any_number(depth - 1)) + " in [0, 1.0, 2u, 2.5, -1]";
    case 1: return parens(text(depth - 1)) + " in ['a', 'AAPL', '']";
    case 2: return pick_text({"i2", "d2", "s2", "u2"}) + " in [1, null, 'a']";
    case 3: return "i in [i2, 2, 3]";
    default: return pick_text({"'a' in j", "1 in j", "s in {'AAPL': 1}"});
    }
  }

  std::string text_test(unsigned depth) {
    return parens(text(depth - 1)) + pick_text({".startsWith(", ".endsWith(", ".contains("}) +
           text(pick(2) == 0 ? 0 : depth - 1) + ")" + (pick(4) == 0 ? " && s.matches('^A.*')" : "");
  }

  std::string comparison(unsigned depth) {
    const auto op = pick_text({" == ", " != ", " < ", " <= ", " > ", " >= "});
    const auto both = [&](auto member) {
      return parens((this->*member)(depth - 1)) + op + parens((this->*member)(depth - 1));
    };
    switch (pick(8)) {
    case 0: return parens(any_number(depth - 1)) + op + parens(any_number(depth - 1));
    case 1: return both(&generator::text);
    case 2: return both(&generator::instant);
    case 3: return both(&generator::duration);
    case 4: return both(&generator::boolean);
    case 5: return both(&generator::integer);
    case 6:
      return pick_text(
        {"j == 7", "j.b == s", "j.a > 1", "type(j) == map", "y == b'ab'", "y < b'b'", "[i, i2] == [i2, i]"});
    default: return both(&generator::real);
    }
  }

  std::mt19937_64& random_;
};

} // namespace millrace::expressions::testing
