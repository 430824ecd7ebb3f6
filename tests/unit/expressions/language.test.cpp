// SPDX-License-Identifier: Apache-2.0
// More cases of the CEL specification (cel-spec, tests/simple: parse, fields, macros, math_ext, timestamps,
// string_ext), by way of `eval`.
#include "tests/unit/expressions/conformance.hpp"

using namespace millrace::expressions;
using namespace millrace::expressions::testing;

TEST_CASE("trees as deep and long as the specification asks for are accepted") {
  run({
    {"[0][[0][[0][[0][[0][[0][[0][[0][[0][[0][[0][[0][0]]]]]]]]]]]]", "0"},
    {"int(uint(int(uint(int(uint(int(uint(int(uint(int(uint(7))))))))))))", "7"},
    {"size([[[[[[[[[[[[0]]]]]]]]]]]])", "1"},
    {"size({0: {0: {0: {0: {0: {0: {0: {0: {0: {0: {0: {0: 'foo'}}}}}}}}}}}})", "1"},
    {"((((((((((((((((((((((((((((((((7))))))))))))))))))))))))))))))))", "7"},
    {"true ? true : true ? true : true ? true : true ? true : true ? true : true ? true : true ? true : true ? true : "
     "true ? true : true ? true : true ? true : true ? true : true ? true : true ? true : true ? true : false",
     "true"},
    {"3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3 - 3 + 3", "3"},
    {"4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4 * 4 / 4", "4"},
    {"!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!true", "true"},
    {"--------------------------------19", "19"},
    {"[[[[[[[[[[[['foo']]]]]]]]]]]][0][0][0][0][0][0][0][0][0][0][0][0]", R"("foo")"},
  });
}

TEST_CASE("string and bytes literals keep what stands in them") {
  run({
    {R"(' \\ \? \" \' \` ')", R"(" \\ ? \" ' ` ")"},
    {R"('''triple 'single' "double" ''')", R"("triple 'single' \"double\" ")"},
    {"'''\r\n'''", R"("\r\n")"},
    {R"('\000\012\177' == '\x00\x0A\x7f')", "true"},
    {R"('\u0041\U00000041\x41\101')", R"("AAAA")"},
    {R"(b'\u0041')", "?unknown escape"},
    {R"(b'\x41\101' == b'AA')", "true"},
    {R"(R'\\' == r'\\' && size(r'\\') == 2)", "true"},
    {R"(rb'\xff' == b'\\xff')", "true"},
    {R"(bytes('\377') == b'\377')", "false"},
    {R"('\4')", "?unknown escape"},
    {R"('\18a')", "?octal escape"},
    {R"('\x4')", "?hexadecimal digits"},
    {"'a\nb'", "?unterminated string"},
    {R"('a' 'b')", "?unexpected string"},
    {"{'a-b': 1}.`a-b`", "1"},
    {"`a`", "?unexpected name 'a'"},
  });
}

TEST_CASE("maps take keys of several types, and numbers find equal numbers") {
  run({
    {"{0: 1, 2: 2, 5: true}[5]", "true"},
    {"{0u: 1u, 2u: 'happy', 5u: 3u}[2u]", R"("happy")"},
    {"{true: 1, 2: 2, 5u: 3}[true]", "1"},
    {"{0: 1, 2: 2, 5: 3}[1]", "!no such key: 1"},
    {"{true: null}[true]", "null"},
    {"{0u: [1]}[0u]", "[1]"},
    {"{'map': {'k': 'v'}, 'list': [1]}['map']", R"({"k":"v"})"},
    {"{1: 'a'}[dyn(1.0)]", R"("a")"},
    {"{1u: 'a'}[dyn(1)]", R"("a")"},
    {"dyn(3.0) in {1: 1, 2: 2, 3u: 3}", "true"},
    {"3.5 in [1, 2]", "false"},
    {"dyn('a') in [dyn(1), 2]", "false"},
    {"'x' in {'x': null}", "true"},
    {"null in [null]", "true"},
    {"[1] in [[1.0]]", "true"},
    {"{'a': 1}['a'] == {'a': 1.0}['a']", "true"},
    {"{1: 1} == {1u: 1.0}", "true"},
    {"{null: 1}", "?unsupported key type"},
    {"{'a': 1, 'a': 2}", "!duplicate key in map: a"},
    {"{'name': 1024}.name", "1024"},
    {"{'name': 1024}.holiday", "!no such key: holiday"},
    {"l.name", "!no such overload"},
  });
}

TEST_CASE("macros join their elements as the logical operators do") {
  run({
    {"[1, 'foo', 3].exists(e, e != '1')", "true"},
    {"[1, 'foo', 3].exists(e, e == '10')", "false"},
    {"[1, 2, 3].exists(e, e / 0 == 17)", "!divide by zero"},
    {"[].exists(e, e == 2)", "false"},
    {"{'key': 1, 1: 21}.exists(k, k != 2)", "true"},
    {"[1, 'foo', 3].all(e, e % 2 == 1)", "!no such overload"},
    {"[1, 2, 3].all(e, 6 / (2 - e) == 6)", "false"},
    {"[].all(e, e > 0)", "true"},
    {"[6, 7, 8].exists_one(foo, foo % 5 == 2)", "true"},
    {"[0, 1, 2, 3, 4].exists_one(n, n % 2 == 1)", "false"},
    {"[3, 2, 1, 0].exists_one(n, 12 / n > 1)", "!divide by zero"},
    {"{1: 1, 2: 4, 3: 9}.map(x, x * x)", "[1,4,9]"},
    {"[2, 1, 0].map(n, 4 / n)", "!divide by zero"},
    {"[3, 2, 1, 0].filter(n, 12 / n > 4)", "!divide by zero"},
    {"{0: 10, 1: 11, 2: 12, 3: 13, 4: 14}.filter(x, x % 2 == 1)", "[1,3]"},
    {"[1, 2].map(x, [3, 4].map(x, x + 1))", "[[4,5],[4,5]]"},
    {"[1].map(l, l + 1)", "[2]"},
    {"[1].map(x.y, 1)", "?simple name"},
    {"dyn(1).map(x, x)", "!a macro over int"},
    {"[1].exists(x, 'a')", "?expected type 'bool'"},
    {"[1].exists(x, dyn('a'))", "!condition of a macro is string"},
  });
}

TEST_CASE("extremes compare numbers of all types, and rounding wants doubles") {
  run({
    {"math.greatest(5.4, 10, 3u, -5.0, 9223372036854775807)", "9223372036854775807"},
    {"math.greatest([5.4, 10, 3u, -5.0, 3.5]) == 10", "true"},
    {"math.greatest(-1.797693e308, -1, -5) == -1", "true"},
    {"math.greatest(-3, 3u)", "3"},
    {"math.greatest(18446744073709551615u, 1u)", "18446744073709551615"},
    {"math.least(5.4, 10, 3u, 1u, 18446744073709551615u) == 1u", "true"},
    {"math.least([dyn(5.4), dyn(10), dyn(3u), dyn(-5.0), dyn(3.5)])", "-5.0"},
    {"math.least(1, -9223372036854775808)", "-9223372036854775808"},
    {"math.greatest([])", "!at least one"},
    {"math.greatest('a', 1)", "!no such overload"},
    {"math.greatest()", "?found no matching overload"},
    {"math.ceil(dyn(1))", "!no such overload"},
    {"math.round(-1.4)", "-1.0"},
    {"math.isNaN(math.round(0.0 / 0.0)) && math.isNaN(math.sign(0.0 / 0.0))", "true"},
    {"math.isFinite(1.0 / 0.0)", "false"},
    {"math.abs(-234.5) + math.abs(234.5)", "469.0"},
  });
}

TEST_CASE("timestamps and durations stay in their ranges") {
  run({
    {"timestamp('0001-01-01T00:00:01.000000001Z') + duration('-999999999ns') == "
     "timestamp('0001-01-01T00:00:00.000000002Z')",
     "true"},
    {"timestamp('0001-01-01T00:00:01.999999999Z') + duration('999999999ns') == "
     "timestamp('0001-01-01T00:00:02.999999998Z')",
     "true"},
    {"timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", "!range"},
    {"timestamp('0001-01-01T00:00:00Z') + duration('-1s')", "!range"},
    {"timestamp('0001-01-01T00:00:00Z') - timestamp('9999-12-31T23:59:59Z')", "!range"},
    {"duration('320000000000s')", "!cannot convert"},
    {"duration('200000000000s') + duration('200000000000s')", "!"},
    {"duration('9000000000s') + duration('9000000000s')", "!duration out of range"},
    {"duration('-9000000000s') - duration('9000000000s')", "!duration out of range"},
    {"timestamp(-62135596801)", "!timestamp out of range"},
    {"timestamp(253402300799)", R"("9999-12-31T23:59:59.000Z")"},
    {"timestamp('2023-06-14T17:00:00+02:00') == timestamp('2023-06-14T15:00:00Z')", "true"},
    {"duration('1s') == duration('1000ms')", "true"},
    {"duration('1m') < duration('61s') && duration('-1s') < duration('0s')", "true"},
    {"duration('1h') - duration('90m')", R"("-1800s")"},
    {"timestamp('2009-02-13T23:31:30Z') > timestamp('2009-02-13T23:31:30+01:00')", "true"},
    {"timestamp(1) + timestamp(1)", "?found no matching overload"},
    {"duration('1s') * 2", "?found no matching overload"},
    {"type(duration('1s'))", R"("google.protobuf.Duration")"},
  });
}
