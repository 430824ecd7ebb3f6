// SPDX-License-Identifier: Apache-2.0
// Cases of the extensions (cel-spec, tests/simple: optionals, string_ext, math_ext, encoders_ext, macros2; cel-go, ext
// for lists), by way of `eval`.
#include "actors/expressions/registry.hpp"
#include "tests/unit/expressions/conformance.hpp"

using namespace millrace::expressions;
using namespace millrace::expressions::testing;

TEST_CASE("optionals carry a value or none, and chains of selections stop at none") {
  run({
    {"optional.of(null).hasValue()", "true"},
    {"optional.ofNonZeroValue(null).hasValue()", "false"},
    {"optional.none().or(optional.none()).orValue(42)", "42"},
    {"optional.none().optMap(y, y + 1).hasValue()", "false"},
    {"{}.?key.optFlatMap(k, k.?subkey).hasValue()", "false"},
    {"{'key': {}}.?key.optFlatMap(k, k.?subkey).hasValue()", "false"},
    {"{'null_key': dyn(null)}.?null_key.hasValue()", "true"},
    {"{'null_key': dyn(null)}.?null_key.invalid.hasValue()", "!no such key"},
    {"{true: dyn(0)}[?false].absent.hasValue()", "false"},
    {"{true: dyn(0)}[?true].absent.hasValue()", "!no such key"},
    {"{}.?null_key.invalid.hasValue()", "false"},
    {"{'key': {'subkey': 'subvalue'}}.?key.optFlatMap(k, k.?subkey).value()", R"("subvalue")"},
    {"{'key': {'subkey': ''}}.?key.optFlatMap(k, k.?subkey).value()", R"("")"},
    {"{'key': {'subkey': ''}}.?key.optFlatMap(k, optional.ofNonZeroValue(k.subkey)).hasValue()", "false"},
    {"optional.of(42).optMap(y, y + 1).value()", "43"},
    {"optional.ofNonZeroValue(42).or(optional.of(20)).value() == 42", "true"},
    {"(has({}.x) ? optional.of({}.x) : optional.none()).hasValue()", "false"},
    {"{}.?x.hasValue()", "false"},
    {"has({}.?x.y)", "false"},
    {"has({'x': {'y': 'z'}}.?x.y)", "true"},
    {"type(optional.none()) == optional_type", "true"},
    {"optional.ofNonZeroValue('').or(optional.of({'c': {'dashed-index': 'goodbye'}}.c['dashed-index'])).orValue("
     "'default value')",
     R"("goodbye")"},
    {"{'c': {'dashed-index': 'goodbye'}}.c[?'dashed-index'].orValue('default value')", R"("goodbye")"},
    {"{'c': {}}.c[?'missing-index'].orValue('default value')", R"("default value")"},
    {"optional.of({'c': {'index': 'goodbye'}}).c.index.orValue('default value')", R"("goodbye")"},
    {"optional.of({'c': {}}).c.missing.or(optional.none()[0]).orValue('default value')", R"("default value")"},
    {"optional.of({'c': {}}).c.missing.or(optional.of(['list-value'])[0]).orValue('default value')", R"("list-value")"},
    {"optional.of({'c': {'index': 'goodbye'}}).c['index'].orValue('default value')", R"("goodbye")"},
    {"optional.of({'c': {}}).c['missing'].orValue('default value')", R"("default value")"},
    {"has(optional.of({'c': {'entry': 'hello world'}}).c) && !has(optional.of({'c': {'entry': 'hello "
     "world'}}).c.missing)",
     "true"},
    {"optional.ofNonZeroValue({'c': {'dashed-index': 'goodbye'}}.a.z).orValue({'c': {'dashed-index': "
     "'goodbye'}}.c['dashed-index'])",
     "!no such key"},
    {"{'c': {'dashed-index': 'goodbye'}}.?c.missing.or({'c': {'dashed-index': "
     "'goodbye'}}.?c['dashed-index']).orValue('').size()",
     "7"},
    {"{?'nested_map': optional.ofNonZeroValue({?'map': {'c': {'dashed-index': 'goodbye'}}.?c})}",
     R"({"nested_map":{"map":{"dashed-index":"goodbye"}}})"},
    {"{?'nested_map': optional.ofNonZeroValue({?'map': {}.?c}), 'singleton': true}", R"({"singleton":true})"},
    {"[?{}.?c, ?optional.of(42), ?optional.none()]", "[42]"},
    {"[?optional.ofNonZeroValue({'c': []}.?c.orValue(dyn({})))]", "[]"},
    {"optional.ofNonZeroValue({?'nested_map': optional.ofNonZeroValue({?'map': optional.of({}).?c})}).hasValue()",
     "false"},
    {"optional.of({}).?c.hasValue()", "false"},
    {"optional.none().?repeated_string.hasValue()", "false"},
    {"optional.of({'l': ['foo']}).?l[0].value()", R"("foo")"},
    {"[][?0].hasValue()", "false"},
    {"optional.of([])[?0].hasValue()", "false"},
    {"optional.none()[?0].hasValue()", "false"},
    {"['foo'][?0].value()", R"("foo")"},
    {"['foo'][?-1].hasValue()", "false"},
    {"optional.of(['foo'])[?0].value()", R"("foo")"},
    {"{true: 1, 2: 2, 5u: 3}[?true].value()", "1"},
    {"{1u: 1.0, 2: 2.0, 3u: 3.0}[?dyn(3.0)].value()", "3.0"},
    {"{1u: 1.0, 2: 2.0, 3u: 3.0}[?2u].value()", "2.0"},
    {"{1u: 1.0, 2: 2.0, 3u: 3.0}[?1].value()", "1.0"},
    {"optional.none() == optional.none()", "true"},
    {"optional.none() == optional.of(1)", "false"},
    {"optional.of(1) == optional.of(1)", "true"},
    {"optional.of(1) == optional.of(1.0)", "true"},
    {"optional.none() != optional.of(1)", "true"},
    {"optional.of(1) != optional.of(1)", "false"},
  });
}

TEST_CASE("optionals print as their value, and compute no default that is not needed") {
  run({
    {"optional.of(1)", "1"},
    {"optional.none()", "null"},
    {"[optional.of('a'), optional.none()]", R"(["a",null])"},
    {"optional.of(optional.none())", "null"},
    {"optional.of(1).orValue(1 / 0)", "1"},
    {"optional.of(1).or(optional.of(1 / 0)).value()", "1"},
    {"optional.none().orValue(1 / 0)", "!divide by zero"},
    {"optional.none().value()", "!optional.none() dereference"},
    {"optional.of(1).optMap(y, y / 0)", "!divide by zero"},
    {"m.?b.c", R"("deep")"},
    {"m.?z.c.orValue('none')", R"("none")"},
    {"m[?'b'].?c.orValue('none')", R"("deep")"},
    {"l[?3].orValue(0)", "0"},
    {"l[?0].orValue(0)", "1"},
    {"m.?a.?deeper", "!no such key: deeper"},
    // A deviation that serves events, whose absent fields are null.
    {"n.?a.orValue('absent')", R"("absent")"},
    {"m.?e.?a.hasValue()", "false"},
    {"[?optional.of(1), 2]", "[1,2]"},
    {"[?1]", "?expected an optional after '?'"},
    {"[?dyn(1)]", "!'?' before int"},
    {"{'a': 1, ?'b': 2}", "?expected an optional after '?'"},
    {"m.?a()", "?cannot call a function"},
    {"has(m.?a)", "?invalid argument to has()"},
    {"optional.of(1) + 1", "?found no matching overload for '_+_' applied to '(optional(int), int)'"},
    {"optional.of(1).orValue('a')", "?found no matching overload"},
    {"optional.off(1)", "?did you mean 'optional.of'?"},
    {"optional.of(1).orValu(2)", "?did you mean 'orValue'?"},
  });
}

TEST_CASE("format writes values by clauses") {
  run({
    {"'no substitution'.format([])", R"("no substitution")"},
    {"'str is %s and some more'.format(['filler'])", R"("str is filler and some more")"},
    {"'%% and also %%'.format([])", R"("% and also %")"},
    {"'%%%s%%'.format(['text'])", R"("%text%")"},
    {"'%d %d %d, %s %s %s'.format([1, 2, 3, 'A', 'B', 'C'])", R"("1 2 3, A B C")"},
    {"'%.3f'.format([1.2345])", R"("1.234")"},
    {"'this is 5 in binary: %b'.format([5])", R"("this is 5 in binary: 101")"},
    {"'%b %b'.format([uint(64), true])", R"("1000000 1")"},
    {"'%o %o'.format([11, uint(65535)])", R"("13 177777")"},
    {"'%x %X %X'.format([30, 30, uint(6000)])", R"("1e 1E 1770")"},
    {"'%x'.format(['Hello world!'])", R"("48656c6c6f20776f726c6421")"},
    {"'%X'.format([b'byte string'])", R"("6279746520737472696E67")"},
    {"'%x %d %o %b'.format([-30, -30, -30, -5])", R"("-1e -30 -36 -101")"},
    {"'%.6e'.format([1052.032911275])", R"("1.052033e+03")"},
    {"'%f %e'.format([2.71828, 2.71828])", R"("2.718280 2.718280e+00")"},
    {"'%.0f'.format([2.5])", R"("2")"},
    {"'%e %f %d'.format([double('NaN'), double('Infinity'), double('-Infinity')])", R"("NaN Infinity -Infinity")"},
    {"'%d'.format([uint(64)])", R"("64")"},
    {"'%s'.format([null])", R"("null")"},
    {"'%s'.format([b'xyz'])", R"("xyz")"},
    {"'%s'.format([b'\\377'])", "!invalid UTF-8"},
    {"'%s'.format([type('test string')])", R"("string")"},
    {"'%s'.format([timestamp('2023-02-03T23:31:20+00:00')])", R"("2023-02-03T23:31:20Z")"},
    {"'%s'.format([duration('1h45m47s')])", R"("6347s")"},
    {"'%s'.format([['abc', 3.14, null, [9, 8, 7, 6], timestamp('2023-02-03T23:31:20Z')]])",
     R"("[abc, 3.14, null, [9, 8, 7, 6], 2023-02-03T23:31:20Z]")"},
    {"'%s'.format([{'key1': b'xyz', 'key5': null, 'key2': duration('2h'), 'key4': true, 'key3': 2.71828}])",
     R"("{key1: xyz, key2: 7200s, key3: 2.71828, key4: true, key5: null}")"},
    {"'%s'.format([{1: 'value1', uint(2): 'value2', true: double('NaN')}])", R"("{1: value1, 2: value2, true: NaN}")"},
    {"'%s, %s'.format([dyn(32), dyn(56.8)])", R"("32, 56.8")"},
    {"'%s'.format([{'strKey': 'x', 6: duration('422s'), true: 42}])", R"("{6: 422s, strKey: x, true: 42}")"},
    {"(s + ' %s').format([x])", R"("hello 123")"},
    {"'%a'.format([1])", R"(!could not parse formatting clause: unrecognized formatting clause "a")"},
    {"'%E'.format([0.5])", R"(!unrecognized formatting clause "E")"},
    {"'%'.format([0.5])", "!unexpected end of string"},
    {"'%.f'.format([0.5])", "!a precision is written %.3f"},
    {"'%.1000f'.format([0.5])", "!precision above 100"},
    {"'%d %d %d'.format([0, 1])", "!index 2 out of range"},
    {"'%b'.format(['abc'])",
     "!error during formatting: only integers and bools can be formatted as binary, was given string"},
    {"'%d'.format([duration('30m2s')])",
     "!decimal clause can only be used on integers, was given google.protobuf.Duration"},
    {"'%o'.format(['a string'])", "!octal clause can only be used on integers, was given string"},
    {"'%x'.format([0.5])", "!only integers, byte buffers, and strings can be formatted as hex, was given double"},
    {"'%d'.format([null])", "!decimal clause can only be used on integers, was given null_type"},
    {"'%e'.format([null])", "!scientific clause can only be used on doubles, was given null_type"},
    {"'%f'.format([1])", "!fixed-point clause can only be used on doubles, was given int"},
    {"'%s'.format([optional.of(1)])", "!was given optional_type"},
    {"'%s'.format('a')", "?found no matching overload"},
  });
}

TEST_CASE("strings.quote escapes, base64 goes both ways") {
  run({
    {R"(strings.quote("first\nsecond") == "\"first\\nsecond\"")", "true"},
    {R"(strings.quote("bell\a\b\f\r\t\v") == "\"bell\\a\\b\\f\\r\\t\\v\"")", "true"},
    {R"(strings.quote("ends with \\") == "\"ends with \\\\\"")", "true"},
    {R"(strings.quote("mid string \" quote") == "\"mid string \\\" quote\"")", "true"},
    {"strings.quote('ta©o©αT')", "\"\\\"ta©o©αT\\\"\""},
    {"strings.quote('')", R"("\"\"")"},
    {"strings.quot('')", "?did you mean 'strings.quote'?"},
    {"base64.encode(b'hello')", R"("aGVsbG8=")"},
    {"base64.decode('aGVsbG8=') == b'hello'", "true"},
    {"base64.decode('aGVsbG8') == b'hello'", "true"},
    {"base64.decode(base64.encode(b'Hello World!')) == b'Hello World!'", "true"},
    {"base64.decode('a*')", "!not valid base64"},
  });
}

TEST_CASE("bits are those of 64-bit words") {
  run({
    {"math.bitAnd(5, 3)", "1"},
    {"math.bitAnd(5u, 3u)", "1"},
    {"math.bitOr(1, 2)", "3"},
    {"math.bitXor(3u, 5u)", "6"},
    {"math.bitXor(1, 3)", "2"},
    {"math.bitNot(1)", "-2"},
    {"math.bitNot(0u)", "18446744073709551615"},
    {"math.bitShiftLeft(1, 2)", "4"},
    {"math.bitShiftLeft(1u, 63)", "9223372036854775808"},
    {"math.bitShiftLeft(1, 200)", "0"},
    {"math.bitShiftLeft(-1, 1)", "-2"},
    {"math.bitShiftLeft(4, -1)", "!math.bitShiftLeft() negative offset: -1"},
    {"math.bitShiftRight(1024, 2)", "256"},
    {"math.bitShiftRight(-1024, 3)", "2305843009213693824"},
    {"math.bitShiftRight(-1024, 64)", "0"},
    {"math.bitShiftRight(4u, -1)", "!negative offset"},
    {"math.bitAnd(1, 1u)", "?found no matching overload"},
    {"math.bitAnd(dyn(1), dyn(1u))", "!no such overload"},
    {"math.bitsNot(1)", "?did you mean 'math.bitNot'?"},
    {"math.sqrt(49.0) + math.sqrt(4) + math.sqrt(16u)", "13.0"},
    {"math.sqrt(-1.0)", R"("NaN")"},
    {"math.sign(-0.5) + math.sign(7.0)", "0.0"},
    {"math.round(15.22) + math.trunc(-23.9)", "-8.0"},
  });
}

TEST_CASE("lists are sliced, flattened, sorted and freed of duplicates") {
  run({
    {"[1, 2, 3, 4].slice(1, 3)", "[2,3]"},
    {"[1, 2, 3, 4].slice(4, 4)", "[]"},
    {"[1, 2].slice(0, 3)", "!cannot slice(0, 3), list is length 2"},
    {"[1, 2].slice(-1, 1)", "!cannot slice"},
    {"[1, 2].slice(2, 1)", "!cannot slice"},
    {"[[1, 2], [3, [4]]].flatten()", "[1,2,3,[4]]"},
    {"[dyn(1), [2, [3, [4]]]].flatten(2)", "[1,2,3,[4]]"},
    {"[1, 2].flatten()", "[1,2]"},
    {"[[1]].flatten(-1)", "!level must be non-negative"},
    {"[[1], [2]].flatten()[0] + 1", "2"},
    {"[1, 2, 2, 3, 3, 3].distinct()", "[1,2,3]"},
    {"[dyn(1), 1.0, 1u, 'a', 'a', [1], [1.0], {'a': 1, 'b': 2}, {'b': 2u, 'a': 1}, null, null, true].distinct()",
     R"([1,"a",[1],{"a":1,"b":2},null,true])"},
    {"[0.0 / 0.0, 0.0 / 0.0, 0.0, -0.0].distinct()", R"(["NaN","NaN",0.0])"},
    {"[3, 1, 2].sort()", "[1,2,3]"},
    {"['c', 'a', 'B'].sort()", R"(["B","a","c"])"},
    {"[2.0, 0.0 / 0.0, -1.0].sort()", R"([-1.0,2.0,"NaN"])"},
    {"[duration('2s'), duration('1s')].sort()", R"(["1s","2s"])"},
    {"[].sort()", "[]"},
    {"[dyn(1), 'a'].sort()", "!needs values of one type"},
    {"[[1], [2]].sort()", "!needs values of one type"},
    {"['bb', 'a', 'cc', 'd'].sortBy(e, size(e))", R"(["a","d","bb","cc"])"},
    {"[{'n': 2}, {'n': 1}].sortBy(e, e.n)", R"([{"n":1},{"n":2}])"},
    {"[1, 2].sortBy(e, e == 1 ? dyn(1) : 'a')", "!sortBy needs values of one type"},
    {"{'a': 1}.sortBy(e, e)", "?must be list"},
    {"[1, 2, 3].reverse()", "[3,2,1]"},
    {"lists.range(4)", "[0,1,2,3]"},
    {"lists.range(-1)", "[]"},
    {"lists.range(1000000000)", "!list longer than"},
    {"lists.rang(1)", "?did you mean 'lists.range'?"},
    {"[1, 2].first().value() + [1, 2].last().value()", "3"},
    {"[].first()", "null"},
    {"[].last().orValue('none')", R"("none")"},
    {"l.sort().reverse().first()", "3"},
  });
}

TEST_CASE("macros may have two variables: index or key, and value") {
  run({
    {"[1, 2, 3].exists(i, v, i > -1 && v > 0)", "true"},
    {"[1, 2, 3].exists(i, v, i > 2 && v > 3)", "false"},
    {"[1, 'foo', 3].exists(i, v, i == 1 && v != '1')", "true"},
    {"[1, 2, 3].exists(i, v, v / i == 17)", "!divide by zero"},
    {"{'key1': 1, 'key2': 2}.exists(k, v, k == 'key2' && v == 2)", "true"},
    {"[1, 2, 3].all(i, v, i > -1 && v > 0)", "true"},
    {"[1, 2, 3].all(i, v, 6 / (2 - v) == i)", "false"},
    {"[].all(i, v, i > -1 || v > 0)", "true"},
    {"{'key1': 1, 'key2': 2}.all(k, v, k == 'key2' && v == 2)", "false"},
    {"[5, 7, 8].existsOne(i, v, v % 5 == i)", "true"},
    {"[3, 2, 1, 0].existsOne(i, v, v / i > 1)", "!divide by zero"},
    {"{6: 'six', 7: 'seven', 8: 'eight'}.existsOne(k, v, k % 5 == 2 && v == 'seven')", "true"},
    {"[].transformList(i, v, i / v)", "[]"},
    {"[2, 4, 6].transformList(i, v, v / 2 + i)", "[1,3,5]"},
    {"[2, 4, 6].transformList(i, v, i != 1 && v != 4, v / 2 + i)", "[1,5]"},
    {"[2, 1, 0].transformList(i, v, v / i > 0, v)", "!divide by zero"},
    {"{'foo': 'bar', 'baz': 'bux'}.transformMap(k, v, k + v)", R"({"foo":"foobar","baz":"bazbux"})"},
    {"{'foo': 'bar', 'baz': 'bux'}.transformMap(k, v, k != 'baz', k + v)", R"({"foo":"foobar"})"},
    {"{'foo': 2, 'bar': 0}.transformMap(k, v, 4 / v)", "!divide by zero"},
    {"['a', 'b'].transformMap(i, v, v)", R"({"0":"a","1":"b"})"},
    {"{'a': 'x', 'b': 'y'}.transformMapEntry(k, v, {v: k})", R"({"x":"a","y":"b"})"},
    {"{'a': 'x', 'b': 'x'}.transformMapEntry(k, v, {v: k})", "!duplicate key"},
    {"[1].all(v, v, true)", "?different names"},
    {"[1].all(i, v, 1)", "?expected type 'bool'"},
    {"[1].all(true)", "?write list.all(x, condition)"},
    {"[[1, 2], [3]].all(i, v, v.exists(w, w > i))", "true"},
    {"[[1, 2], [3]].transformList(i, v, v.map(w, w * 10 + i))", "[[10,20],[31]]"},
  });
}

TEST_CASE("accessors of timestamps take names of time zones, with their rules at that time") {
  run({
    {"timestamp('2009-02-13T23:31:30Z').getDate('Australia/Sydney')", "14"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfMonth('US/Central')", "12"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfMonth('-02:30')", "12"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfWeek('UTC')", "5"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfWeek('Asia/Tokyo')", "6"},
    {"timestamp('2009-02-13T23:31:30Z').getDayOfYear('US/Central')", "43"},
    {"timestamp('2009-02-13T02:00:00Z').getDayOfYear('US/Central')", "42"},
    {"timestamp('2009-02-13T23:31:30Z').getFullYear('-09:30')", "2009"},
    {"timestamp('2009-12-31T23:31:30Z').getFullYear('Europe/Berlin')", "2010"},
    {"timestamp('2009-02-13T23:31:30Z').getHours('02:00')", "1"},
    {"timestamp('2009-02-13T23:31:30Z').getMinutes('Asia/Kathmandu')", "16"},
    {"timestamp('2009-02-13T23:31:30Z').getSeconds('-00:00')", "30"},
    {"timestamp('2009-02-13T23:31:20.123Z').getMilliseconds('Indian/Cocos')", "123"},
    {"timestamp('2009-02-13T23:31:30Z').getMonth('US/Central')", "1"},
    {"timestamp('2009-02-28T23:31:30Z').getMonth('Asia/Tokyo')", "2"},
    // The hour before and after the clocks change, in both directions.
    {"timestamp('2024-03-31T00:59:59Z').getHours('Europe/Berlin')", "1"},
    {"timestamp('2024-03-31T01:00:00Z').getHours('Europe/Berlin')", "3"},
    {"timestamp('2024-10-27T00:59:59Z').getHours('Europe/Berlin')", "2"},
    {"timestamp('2024-10-27T01:00:00Z').getHours('Europe/Berlin')", "2"},
    {"timestamp('2024-10-27T02:00:00Z').getHours('Europe/Berlin')", "3"},
    // Before standard time, and long after the table.
    {"timestamp('1800-01-01T00:00:00Z').getMinutes('Europe/Berlin')", "53"},
    {"timestamp('9999-07-01T00:00:00Z').getHours('Europe/Berlin')", "2"},
    {"timestamp('0001-01-01T00:00:00Z').getFullYear('-01:00')", "0"},
    {"timestamp(0).getHours('Europe/Berln')", "!unknown time zone 'Europe/Berln'; write an IANA name"},
    {"timestamp(0).getHours('')", "!unknown time zone"},
    {"timestamp(0).getHours('localtime')", "!unknown time zone"},
    {"timestamp(0).getHours('/etc/localtime')", "!unknown time zone"},
    {"timestamp(0).getHours('../zoneinfo/UTC')", "!unknown time zone"},
    {"timestamp(0).getHours('right/UTC')", "!unknown time zone"},
    {"timestamp(0).getHours('Europe')", "!unknown time zone"},
    {"timestamp(0).getHours('+25:00')", "!unknown time zone"},
    {"duration('1h').getHours('UTC')", "?found no matching overload"},
  });
}

TEST_CASE("an evaluation error says where the part is that has no value") {
  CHECK(eval("1 +\n  2 / 0", "").text == "error: 2:3: divide by zero");
  CHECK(eval("[1, 2].map(x, 'é' == '' ? x : x / 0)", "").text == "error: 1:31: divide by zero");
  CHECK(eval("m.a.b", R"({"m": {}})").text == "error: 1:1: no such key: a");
  CHECK(eval("true || 1 / 0 > 0 ? m.b : 1", R"({"m": {}})").text == "error: 1:21: no such key: b");
}

TEST_CASE("every macro is described as the checker knows it") {
  for (const auto& m : macros()) {
    CAPTURE(m.name, m.form);
    CHECK(m.form.find(std::string{m.name} + "(") != std::string_view::npos);
    CHECK(!m.sentence.empty());
    std::vector<expression_error> errors;
    CHECK(parse(m.form, errors) != nullptr);
  }
}
