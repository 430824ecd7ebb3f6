// SPDX-License-Identifier: Apache-2.0
// Texts: whatever one text decides is computed once per distinct text and then looked up by code.
#include "actors/expressions/column_writer.hpp"
#include "actors/expressions/interpreter.hpp"
#include "actors/expressions/kernels.hpp"

#include <algorithm>

namespace millrace::expressions::kernels {

namespace {

class one_value : public variable_source {
public:
  value current;
  value load(std::size_t) override { return current; }
};

void write(execution& x, column_writer& out, const value& v) {
  const bool refused = !out.write(v).empty();
  // The column refused what the interpreter has a value for.
  if (refused && !v.is_error())
    x.inexact = true;
}

void clear(storage& s, data_type type) {
  s.values.type = type;
  s.values.b8.clear();
  s.values.i64.clear();
  s.values.f64.clear();
  s.values.codes.clear();
}

/// The table of results by code; where rows can be null, the entry after the last text is that of null.
void fill_table(execution& x, const instruction& i, const view& a, storage& table) {
  const auto texts = a.dict->size();
  const auto entries = texts + (a.nulls != nullptr ? 1 : 0);
  clear(table, i.type);
  table.values.nulls.clear();
  table.errors.clear();
  column_writer writer{table.values, table.errors, entries};
  one_value source;
  for (std::uint32_t code = 0; code < texts; ++code) {
    source.current = text_value(a.type, (*a.dict)[code]);
    write(x, writer, interpret(*i.tree, source));
  }
  source.current = value{};
  if (entries > texts)
    write(x, writer, interpret(*i.tree, source));
  writer.finish();
}

template <class T>
void gather(const std::vector<T>& table, const std::uint32_t* codes, std::size_t rows, std::vector<T>& out) {
  out.resize(rows);
  const T* from = table.data();
  T* to = out.data();
  for (std::size_t row = 0; row < rows; ++row)
    to[row] = from[codes[row]];
}

void gather_bits(const std::vector<std::uint64_t>& table, const std::uint32_t* codes, std::size_t rows,
                 std::vector<std::uint64_t>& out) {
  for (std::size_t row = 0; row < rows; ++row)
    if (test(table.data(), codes[row]))
      set_bit(out, row, rows);
}

void look_up(execution& x, const instruction& i, const view& a, const storage& table) {
  thread_local std::vector<std::uint32_t> with_nulls;
  const auto* codes = a.codes;
  const auto null_code = static_cast<std::uint32_t>(a.dict->size());
  if (a.nulls != nullptr) {
    with_nulls.resize(x.rows);
    for (std::size_t row = 0; row < x.rows; ++row)
      with_nulls[row] = test(a.nulls, row) ? null_code : codes[row];
    codes = with_nulls.data();
  }
  auto& r = x.registers[i.target];
  switch (i.type) {
  case data_type::boolean: gather(table.values.b8, codes, x.rows, r.values.b8); break;
  case data_type::float64: gather(table.values.f64, codes, x.rows, r.values.f64); break;
  case data_type::string:
  case data_type::bytes:
  case data_type::json:
    gather(table.values.codes, codes, x.rows, r.values.codes);
    r.values.dict = table.values.dict;
    break;
  default: gather(table.values.i64, codes, x.rows, r.values.i64); break;
  }
  if (!table.values.nulls.empty())
    gather_bits(table.values.nulls, codes, x.rows, r.values.nulls);
  if (!table.errors.empty())
    gather_bits(table.errors, codes, x.rows, r.errors);
}

/// For batches that use a small part of a large dictionary.
void interpret_rows(execution& x, const instruction& i, const view& a) {
  auto& r = x.registers[i.target];
  clear(r, i.type);
  column_writer writer{r.values, r.errors, x.rows};
  one_value source;
  for (std::size_t row = 0; row < x.rows; ++row) {
    source.current = test(a.nulls, row) ? value{} : text_value(a.type, (*a.dict)[a.codes[row]]);
    write(x, writer, interpret(*i.tree, source));
  }
  writer.finish();
}

} // namespace

void by_dictionary(execution& x, const instruction& i) {
  const auto& a = x.views[i.in[0]];
  if (a.dict->size() > x.rows) {
    interpret_rows(x, i, a);
  } else {
    thread_local storage table;
    fill_table(x, i, a, table);
    look_up(x, i, a, table);
  }
  publish(x, i);
}

void by_row(execution& x, const instruction& i) {
  auto& r = x.registers[i.target];
  clear(r, i.type);
  row_source source{x.in};
  column_writer writer{r.values, r.errors, x.rows};
  for (std::size_t row = 0; row < x.rows; ++row) {
    source.move_to(row);
    write(x, writer, interpret(*i.tree, source));
  }
  writer.finish();
  publish(x, i);
}

void concatenate(execution& x, const instruction& i) {
  thread_local std::string text;
  const auto& a = x.views[i.in[0]];
  const auto& b = x.views[i.in[1]];
  auto& out = x.registers[i.target].values;
  out.codes.resize(x.rows);
  dictionary_builder texts;
  for (std::size_t row = 0; row < x.rows; ++row) {
    const auto ca = a.codes[a.scalar ? 0 : row];
    const auto cb = b.codes[b.scalar ? 0 : row];
    out.codes[row] = 0;
    if (ca >= a.dict->size() || cb >= b.dict->size())
      continue;
    const auto left = (*a.dict)[ca];
    const auto right = (*b.dict)[cb];
    if (left.size() + right.size() > max_result_bytes) {
      set_error(x, i, row);
      continue;
    }
    text.assign(left).append(right);
    out.codes[row] = texts.code(text);
  }
  out.dict = texts.finish();
  inherit_errors(x, i, 2, true);
  publish(x, i);
}

namespace {

/// Applies a test that never fails to every text: to the distinct ones if there are fewer of them than rows.
template <class F>
void by_text(execution& x, const instruction& i, F f) {
  const auto& a = x.views[i.in[0]];
  auto* out = room<std::uint8_t>(x, i);
  const auto size = a.dict->size();
  if (size > x.rows) {
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = a.codes[row] < size && f((*a.dict)[a.codes[row]]) ? 1 : 0;
  } else {
    thread_local std::vector<std::uint8_t> table;
    table.assign(std::max<std::size_t>(size, 1), 0);
    for (std::uint32_t code = 0; code < size; ++code)
      table[code] = f((*a.dict)[code]) ? 1 : 0;
    const auto* t = table.data();
    const auto* codes = a.codes;
    for (std::size_t row = 0; row < x.rows; ++row)
      out[row] = t[codes[row]];
  }
}

std::string_view constant(const instruction& i) { return i.tree->constant.s; }

template <class F>
void text_predicate(execution& x, const instruction& i, F f) {
  by_text(x, i, f);
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

template <bool Equal>
void text_equality(execution& x, const instruction& i) {
  by_text(x, i, [c = constant(i)](std::string_view t) { return (t == c) == Equal; });
  if (const auto* nulls = x.views[i.in[0]].nulls)
    for (std::size_t row = 0; row < x.rows; ++row)
      if (test(nulls, row))
        x.registers[i.target].values.b8[row] = Equal ? 0 : 1;
  inherit_errors(x, i, 1, false);
  publish(x, i);
}

void text_starts(execution& x, const instruction& i) {
  text_predicate(x, i, [c = constant(i)](std::string_view t) { return t.starts_with(c); });
}
void text_ends(execution& x, const instruction& i) {
  text_predicate(x, i, [c = constant(i)](std::string_view t) { return t.ends_with(c); });
}
void text_contains(execution& x, const instruction& i) {
  text_predicate(x, i, [c = constant(i)](std::string_view t) { return t.find(c) != std::string_view::npos; });
}

} // namespace

kernel text_test(std::string_view name) {
  if (name == "_==_")
    return text_equality<true>;
  if (name == "_!=_")
    return text_equality<false>;
  if (name == "startsWith")
    return text_starts;
  return name == "endsWith" ? text_ends : name == "contains" ? text_contains : nullptr;
}

} // namespace millrace::expressions::kernels
