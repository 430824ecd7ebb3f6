// SPDX-License-Identifier: Apache-2.0
// Cases of the CEL specification (cel-spec, tests/simple), as far as they concern JSON-like values, by way of `eval`.
#include "tests/unit/expressions/conformance.hpp"

using namespace millrace::expressions;
using namespace millrace::expressions::testing;

TEST_CASE("literals have the values that CEL gives them") {
  run({
    {"0", "0"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "?int literal out of range"},
    {"18446744073709551615u", "18446744073709551615"},
    {"18446744073709551616u", "?uint literal out of range"},
    {"0x7fffffffffffffff", "9223372036854775807"},
    {"-0x55555555", "-1431655765"},
    {"0xFFu", "255"},
    {"0x", "?hexadecimal"},
    {"1.5", "1.5"},
    {".5", "0.5"},
    {"-2.3e+1", "-23.0"},
    {"1e3", "1000.0"},
    {"1e400", "?double literal out of range"},
    {"1e-400", "0.0"},
    {"true", "true"},
    {"null", "null"},
    {R"("")", R"("")"},
    {R"('it''s')", "?"},
    {R"('"')", R"("\"")"},
    {R"("\a\b\f\n\r\t\v\"\'\\\?\`" == "\x07\x08\x0c\x0a\x0d\x09\x0b\x22\x27\x5c\x3f\x60")", "true"},
    {R"('\u270c\U0001f431\143')", "\"\u270c\U0001f431c\""},
    {R"(r'\n' == '\\n')", "true"},
    {R"('''a
b''' == 'a\nb')",
     "true"},
    {R"("""a"b""")", R"("a\"b")"},
    {R"(b'abc')", R"("YWJj")"},
    {R"(b'\377' == b'\xff')", "true"},
    {"b'\u00ff' == b'\\303\\277'", "true"},
    {R"(br'\x' == b'\\x')", "true"},
    {R"('\ud800')", "?code point"},
    {R"('\q')", "?escape"},
    {R"('abc)", "?unterminated"},
    {"[]", "[]"},
    {"[1, 2u, 'a', ]", R"([1,2,"a"])"},
    {"{}", "{}"},
    {"{'k': [1], 2: true, false: null}", R"({"k":[1],"2":true,"false":null})"},
    {"{1: 1, 1u: 2}", "!duplicate key"},
    {"{1.5: 1}", "?unsupported key type"},
    {"{dyn(1.5): 1}", "!unsupported key type"},
    {"1 + // comment\n 2", "3"},
  });
}

TEST_CASE("operators bind and associate as the grammar says") {
  run({
    {"1 + 2 * 3 - 4 / 2", "5"},
    {"(1 + 2) * 3", "9"},
    {"10 - 4 - 3", "3"},
    {"100 / 10 / 2", "5"},
    {"-7 % 5", "-2"},
    {"--1", "1"},
    {"!!true", "true"},
    {"!false && false", "false"},
    {"true || false && false", "true"},
    {"1 < 2 == true", "true"},
    {"true ? 1 : false ? 2 : 3", "1"},
    {"false ? 1 : false ? 2 : 3", "3"},
    {"1 in [1] && !(2 in [1])", "true"},
    {"[[1, 2], [3]][0][1]", "2"},
    {".x + 1", "124"},
    {"1 +", "?unexpected end"},
    {"(1", "?unexpected end"},
    {"1 2", "?unexpected number"},
    {"a.", "?unexpected end"},
    {"", "?empty expression"},
    {"x = 1", "?=="},
    {"for", "?reserved word"},
    {"5s", "?duration('5s')"},
  });
}

TEST_CASE("integers overflow into errors and doubles follow IEEE 754") {
  run({
    {"9223372036854775807 + 1", "!integer overflow"},
    {"-9223372036854775808 - 1", "!integer overflow"},
    {"5000000000 * 5000000000", "!integer overflow"},
    {"-(-9223372036854775808)", "!integer overflow"},
    {"(-9223372036854775808) / -1", "!integer overflow"},
    {"(-9223372036854775808) % -1", "!integer overflow"},
    {"18446744073709551615u + 1u", "!integer overflow"},
    {"0u - 1u", "!integer overflow"},
    {"5000000000u * 5000000000u", "!integer overflow"},
    {"1 / 0", "!divide by zero"},
    {"1u % 0u", "!modulus by zero"},
    {"-7 / 2", "-3"},
    {"7u / 2u", "3"},
    {"1.0 / 0.0", R"("Infinity")"},
    {"-1.0 / 0.0", R"("-Infinity")"},
    {"0.0 / 0.0", R"("NaN")"},
    {"0.0 / 0.0 == 0.0 / 0.0", "false"},
    {"0.0 / 0.0 != 0.0 / 0.0", "true"},
    {"-0.0 == 0.0", "true"},
    {"1e308 * 10.0", R"("Infinity")"},
    {"5.0 % 2.0", "?found no matching overload for '_%_' applied to '(double, double)'"},
    {"-(1u)", "?no matching overload"},
  });
}

TEST_CASE("arithmetic does not mix types, and the message says what to write") {
  run({
    {"1 + 1.5", "?found no matching overload for '_+_' applied to '(int, double)'"},
    {"1 + 1.5", "?write 1.0"},
    {"x * d", "?double(x)"},
    {"1 + 1u", "?int(1u)"},
    {"'a' + 1", "?string(1)"},
    {"true + true", "?found no matching overload"},
    {"dyn(1) + 1.5", "!no such overload: '_+_' applied to '(int, double)'"},
    {"1 == 'a'", "?found no matching overload for '_==_'"},
    {"dyn(1) == 'a'", "false"},
    {"1 && true", "?both sides must be bool"},
    {"1 ? 2 : 3", "?condition must be bool"},
    {"prise + 1", "?undeclared reference to 'prise'"},
    {"siz(s)", "?did you mean 'size'?"},
    {"s.startWith('h')", "?did you mean 'startsWith'?"},
    {"sum(x)", "?aggregates"},
    {"s.size", "?field selection"},
  });
}

TEST_CASE("numbers of different types compare by what they mean") {
  run({
    {"1 == 1.0", "true"},
    {"1u == 1", "true"},
    {"1 < 1.5", "true"},
    {"9223372036854775807 < 9223372036854775808.0", "true"},
    {"9007199254740993 > 9007199254740992.0", "true"},
    {"-1 < 0u", "true"},
    {"18446744073709551615u > 1", "true"},
    {"18446744073709551615u < 18446744073709551616.0", "true"},
    {"1 <= 0.0 / 0.0", "false"},
    {"1 in [1.0, 2.0]", "true"},
    {"{1: 'a'}[dyn(1u)]", R"("a")"},
    {"'a' < 'b' && 'a' < 'aa' && 'Z' < 'a'", "true"},
    {"b'a' < b'b' && false < true", "true"},
    {"[1, 2] == [1, 2] && [1] != [1, 2]", "true"},
    {"{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "true"},
    {"[1] < [2]", "?found no matching overload"},
    {"null == null", "true"},
    {"1 == null", "?found no matching overload"},
    {"dyn(1) == null", "false"},
    {"u == 18446744073709551615u", "true"},
  });
}

TEST_CASE("logic absorbs errors from either side") {
  run({
    {"true || 1 / 0 > 0", "true"},
    {"1 / 0 > 0 || true", "true"},
    {"false && 1 / 0 > 0", "false"},
    {"1 / 0 > 0 && false", "false"},
    {"true && 1 / 0 > 0", "!divide by zero"},
    {"false || 1 / 0 > 0", "!divide by zero"},
    {"true ? 1 : 1 / 0", "1"},
    {"false ? 1 / 0 : 2", "2"},
    {"1 / 0 > 0 ? 1 : 2", "!divide by zero"},
    {"n && false", "false"},
    {"n && true", "!no such overload: '_&&_' applied to '(null, bool)'"},
    {"n || true", "true"},
    {"dyn('a') ? 1 : 2", "!no such overload"},
  });
}

TEST_CASE("lists, maps and dynamic values are indexed, selected and tested") {
  run({
    {"l[0] + l[2]", "4"},
    {"l[3]", "!index out of bounds: 3"},
    {"l[-1]", "!index out of bounds: -1"},
    {"[7, 8][dyn(1.0)]", "8"},
    {"[7, 8][dyn(0.5)]", "!invalid index"},
    {"[7, 8][dyn(1u)]", "8"},
    {"m.a", "1"},
    {"m.b.c", R"("deep")"},
    {"m['b']['c']", R"("deep")"},
    {"m.missing", "!no such key: missing"},
    {"m['missing']", R"(!no such key: "missing")"},
    {"has(m.a) && has(m.e) && !has(m.z)", "true"},
    {"has(m.a.z)", "!no such overload"},
    {"has(m.z.z)", "!no such key: z"},
    {"has(x) && !has(n)", "true"},
    {"has(1)", "?invalid argument to has()"},
    {"has(nothing)", "?undeclared reference"},
    {"m.e == null", "true"},
    {"m.e + 1", "!no such overload: '_+_' applied to '(null, int)'"},
    {"n + 1", "!(n is null)"},
    {"'a' in m && !('z' in m)", "true"},
    {"2 in l", "true"},
    {"l + [4]", "[1,2,3,4]"},
    {"size(l) + size(m) + l.size()", "9"},
    {"{'a': 1}.a", "1"},
    {"m", R"({"a":1,"b":{"c":"deep"},"e":null})"},
    {"l.all(v, v > 0) && l.exists(v, v == 2) && l.exists_one(v, v == 3)", "true"},
    {"l.map(v, v * 2)", "[2,4,6]"},
    {"l.map(v, v > 1, v * 2)", "[4,6]"},
    {"l.filter(v, v % 2 == 1)", "[1,3]"},
    {"[1, 0].exists(v, 1 / v == 1)", "true"},
    {"[0, 1].exists(v, 1 / v == 1)", "true"},
    {"[0, 2].all(v, 1 / v == 1)", "false"},
    {"[0].all(v, 1 / v == 1)", "!divide by zero"},
    {"[1, 0].exists_one(v, 1 / v == 1)", "!divide by zero"},
    {"{'a': 1, 'b': 2}.all(k, k < 'c')", "true"},
    {"[[1], [2, 3]].map(v, v.map(w, w + size(v)))", "[[2],[4,5]]"},
    {"1.all(v, true)", "?range of a comprehension"},
    {"type(1) == int && type(1u) == uint && type('') == string && type([]) == list", "true"},
    {"type(null) == null_type && type(int) == type && type({}) == map", "true"},
    {"type(timestamp(0)) == google.protobuf.Timestamp", "true"},
    {"type(1.5)", R"("double")"},
  });
}

TEST_CASE("text functions count code points") {
  run({
    {"size('πέντε')", "5"},
    {"size(b'πέντε')", "10"},
    {"'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')", "true"},
    {"''.contains('')", "true"},
    {"'hubba'.matches('u.*a') && !'hubba'.matches('^u')", "true"},
    {"matches('abc', 'b')", "true"},
    {"'a'.matches('(')", "!invalid regular expression"},
    {"'tacocat'.charAt(3)", R"("o")"},
    {"'tacocat'.charAt(7)", R"("")"},
    {"'tacocat'.charAt(8)", "!index out of range: 8"},
    {"'©αT'.charAt(1)", "\"α\""},
    {"'tacocat'.indexOf('a')", "1"},
    {"'tacocat'.indexOf('a', 3)", "5"},
    {"'tacocat'.indexOf('')", "0"},
    {"'ta©o©αT'.indexOf('©', 3)", "4"},
    {"'tacocat'.indexOf('a', -1)", "!index out of range"},
    {"'tacocat'.lastIndexOf('at')", "5"},
    {"'tacocat'.lastIndexOf('a', 4)", "1"},
    {"'tacocat'.lastIndexOf('x')", "-1"},
    {"'TacoCat'.lowerAscii()", R"("tacocat")"},
    {"'TacoCÆt'.upperAscii()", "\"TACOCÆT\""},
    {"'12 days 12 hours'.replace('12', '3')", R"("3 days 3 hours")"},
    {"'12 days 12 hours'.replace('12', '3', 1)", R"("3 days 12 hours")"},
    {"'12'.replace('', '-')", R"("-1-2-")"},
    {"'a,b,c'.split(',')", R"(["a","b","c"])"},
    {"'a,b,c'.split(',', 2)", R"(["a","b,c"])"},
    {"'a,b,c'.split(',', 0)", "[]"},
    {"'abc'.split('')", R"(["a","b","c"])"},
    {"['a', 'b'].join()", R"("ab")"},
    {"['a', 'b'].join('-')", R"("a-b")"},
    {"'tacocat'.substring(4)", R"("cat")"},
    {"'tacocat'.substring(0, 4)", R"("taco")"},
    {"'ta©o©αT'.substring(2, 6)", "\"©o©α\""},
    {"'tacocat'.substring(9)", "!index out of range"},
    {"'tacocat'.substring(3, 2)", "!invalid substring range"},
    {"' \\f\\n\\r\\t\\u2000 text\\u3000 '.trim()", R"("text")"},
    {"'gums'.reverse()", R"("smug")"},
    {"'a' + 'b'", R"("ab")"},
    {"b'a' + b'b' == b'ab'", "true"},
  });
}

TEST_CASE("conversions refuse what does not fit") {
  run({
    {"int(3.99)", "3"},
    {"int(-7.9)", "-7"},
    {"int(1e99)", "!int out of range"},
    {"int(9223372036854775807.0)", "!int out of range"},
    {"int(42u)", "42"},
    {"int(18446744073709551615u)", "!int out of range"},
    {"int('-987')", "-987"},
    {"int('1.5')", "!cannot convert"},
    {"int('')", "!cannot convert"},
    {"int(timestamp('2004-09-16T23:59:59Z'))", "1095379199"},
    {"uint(-1)", "!uint out of range"},
    {"uint(3.14)", "3"},
    {"uint('300')", "300"},
    {"uint('-1')", "!cannot convert"},
    {"double(9)", "9.0"},
    {"double('6.02214e23')", "6.02214e+23"},
    {"double('a')", "!cannot convert"},
    {"string(5) + string(5u) + string(true)", R"("55true")"},
    {"string(123.456)", R"("123.456")"},
    {"string(-4.5e-3)", R"("-0.0045")"},
    {"string(100000.0)", R"("100000")"},
    {"string(b'abc')", R"("abc")"},
    {"string(b'\\000\\xff')", "!invalid UTF-8"},
    {"bytes('abc')", R"("YWJj")"},
    {"bool('true') && bool('1') && !bool('False')", "true"},
    {"bool('maybe')", "!cannot convert"},
    {"string(duration('1h30m'))", R"("5400s")"},
    {"string(timestamp('2009-02-13T23:31:30Z'))", R"("2009-02-13T23:31:30Z")"},
  });
}

TEST_CASE("timestamps and durations calculate in nanoseconds") {
  run({
    {"timestamp('2009-02-13T23:31:30Z')", R"("2009-02-13T23:31:30.000Z")"},
    {"timestamp('2009-02-13T23:31:30.123456789+01:00')", R"("2009-02-13T22:31:30.123456789Z")"},
    {"timestamp(1234567890)", R"("2009-02-13T23:31:30.000Z")"},
    {"timestamp('0001-01-01T00:00:00Z')", R"("0001-01-01T00:00:00.000Z")"},
    {"timestamp('9999-12-31T23:59:59.999999999Z')", R"("9999-12-31T23:59:59.999999999Z")"},
    {"timestamp('0000-01-01T00:00:00Z')", "!cannot convert"},
    {"timestamp('10000-01-01T00:00:00Z')", "!cannot convert"},
    {"timestamp('2009-02-30T00:00:00Z')", "!cannot convert"},
    {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "!timestamp out of range"},
    {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", "!timestamp out of range"},
    {"timestamp('2009-02-13T23:31:30Z') - timestamp('2009-02-13T23:31:00Z')", R"("30s")"},
    {"timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "!duration out of range"},
    {"timestamp('2009-02-13T23:00:00Z') + duration('240s') == timestamp('2009-02-13T23:04:00Z')", "true"},
    {"timestamp('2009-02-13T23:00:00Z') < timestamp('2009-02-13T23:00:00.000000001Z')", "true"},
    {"duration('1h') > duration('59m')", "true"},
    {"duration('1.5h') + duration('-30m')", R"("3600s")"},
    {"duration('250ms')", R"("0.25s")"},
    {"duration('-1ns')", R"("-0.000000001s")"},
    {"duration('1')", "!cannot convert"},
    {"duration('9999999999h')", "!cannot convert"},
    {"duration('10000s').getHours()", "2"},
    {"duration('3730s').getMinutes()", "62"},
    {"duration('3730s').getSeconds()", "3730"},
    {"duration('123.321456789s').getMilliseconds()", "321"},
    {"timestamp('2009-02-13T23:31:30.123Z').getFullYear()", "2009"},
    {"timestamp('2009-02-13T23:31:30Z').getMonth()", "1"},
    {"timestamp('2009-02-13T23:31:30Z').getDate()", "13"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfMonth()", "12"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfWeek()", "5"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfYear()", "43"},
    {"timestamp('2009-02-13T23:31:30Z').getHours('-08:00')", "15"},
    {"timestamp('2009-02-13T23:31:30Z').getDate('+11:00')", "14"},
    {"timestamp('2009-02-13T23:31:30Z').getMinutes('02:30')", "1"},
    {"timestamp('2009-02-13T23:31:30.123456789Z').getMilliseconds()", "123"},
    {"timestamp('1969-12-31T23:59:59.5Z').getSeconds()", "59"},
    {"timestamp('2009-02-13T23:31:30Z').getHours('Europe/Berlin')", "0"},
  });
}

TEST_CASE("mathematics finds extremes and rounds") {
  run({
    {"math.greatest(1, 3, 2)", "3"},
    {"math.least(1.5, -2.0)", "-2.0"},
    {"math.greatest([1u, 5u])", "5"},
    {"math.greatest(1, 2.5)", "2.5"},
    {"math.abs(-5) + math.sign(-3)", "4"},
    {"math.abs(-9223372036854775808)", "!integer overflow"},
    {"math.ceil(1.2) + math.floor(-1.2)", "0.0"},
    {"math.round(-1.5)", "-2.0"},
    {"math.trunc(-1.9)", "-1.0"},
    {"math.isNaN(0.0 / 0.0) && math.isInf(1.0 / 0.0) && math.isFinite(1.0)", "true"},
  });
}

TEST_CASE("errors of eval carry line and column, counted in characters") {
  const auto out = eval("'a' +\n 'é' + prise", R"({"price": 1})");
  CHECK(out.exit_code == 2);
  CHECK(out.text == "error: 2:8: undeclared reference to 'prise' (did you mean 'price'?)");
  CHECK(eval("1", "[1]").exit_code == 2);
  CHECK(eval("1", "{").exit_code == 2);
  CHECK(eval("1", "").text == "1");
}

TEST_CASE("hostile expressions are refused, not run") {
  const std::string deep = std::string(1000, '(') + "1" + std::string(1000, ')');
  CHECK(eval(deep, "").text.find("nested deeper") != std::string::npos);
  CHECK(eval(std::string(1000, '!') + "true", "").exit_code == 2);
  CHECK(eval(std::string(1000, '[') + std::string(1000, ']'), "").exit_code == 2);
  std::string chain = "1";
  for (int i = 0; i < 1000; ++i)
    chain += "+1";
  CHECK(eval(chain, "").text.find("nested deeper") != std::string::npos);
  CHECK(eval(std::string(70'000, ' ') + "1", "").exit_code == 2);
  CHECK(eval("'a'.matches('(((a{100}){100}){100})')", "").exit_code == 3);
  CHECK(eval("[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c,"
             "[1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, 1))))))",
             "")
          .text.find("iterations") != std::string::npos);
  const std::string letters(2000, 'a');
  const std::string large = "'" + letters + "'.replace('', '" + letters.substr(0, 500) + "')"; // a megabyte
  CHECK(eval("size(" + large + ")", "").text == "1002500");
  CHECK(eval("lists.range(60000).map(i, " + large + ").size()", "").text.find("bytes of text in lists") !=
        std::string::npos);
  CHECK(eval("[" + large + "].transformList(i, v, lists.range(60000).map(k, v)).size()", "").exit_code == 3);
  CHECK(eval("j.a", R"({"j": )" + std::string(1000, '[') + std::string(1000, ']') + "}").exit_code == 2);
}
