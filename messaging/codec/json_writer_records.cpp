// SPDX-License-Identifier: Apache-2.0
// Whole rows as JSON: events, window results and alert transitions.
#include "messaging/codec/json_writer.hpp"

#include <array>

namespace millrace::codec {
namespace {

/// Appends `"name":value` of columns [first, last), separated by commas.
void append_members(std::string& out, const event_batch& b, std::size_t row, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    if (i != first)
      out += ',';
    append_string(out, (*b.layout)[i].name);
    out += ':';
    append_value(out, b.columns[i], row);
  }
}

/// Appends `,"name":value` of the column named `name`; a missing column is null.
void append_named(std::string& out, const event_batch& b, std::string_view column_name, std::size_t row) {
  out += ",\"";
  out += column_name.front() == '$' ? column_name.substr(1) : column_name;
  out += "\":";
  if (const column* c = b.find(column_name))
    append_value(out, *c, row);
  else
    out += "null";
}

bool is_true(const event_batch& b, std::string_view name, std::size_t row) {
  const column* c = b.find(name);
  return c != nullptr && c->type == data_type::boolean && !c->is_null(row) && c->b8[row] != 0;
}

std::size_t index_or(const event_batch& b, std::string_view name, std::size_t otherwise) {
  return b.layout->index_of(name).value_or(otherwise);
}

} // namespace

void append_event(std::string& out, const event_batch& b, std::size_t row) {
  out += '{';
  append_members(out, b, row, 0, b.columns.size());
  out += '}';
}

void append_window_key(std::string& out, const event_batch& b, std::size_t row) {
  out += '{';
  append_members(out, b, row, 0, index_or(b, column_start, 0));
  out += '}';
}

void append_window_values(std::string& out, const event_batch& b, std::size_t row) {
  out += '{';
  // A retracted window has no values, rather than null ones.
  if (!is_true(b, column_retracted, row)) {
    const std::size_t last = index_or(b, column_errors, b.columns.size());
    append_members(out, b, row, index_or(b, column_retracted, last - 1) + 1, last);
  }
  out += '}';
}

void append_window_record(std::string& out, std::string_view window, const event_batch& b, std::size_t row) {
  out += R"({"kind":"window","window":)";
  append_string(out, window);
  out += ",\"key\":";
  append_window_key(out, b, row);
  append_named(out, b, column_start, row);
  append_named(out, b, column_end, row);
  if (b.find(column_seq) != nullptr)
    append_named(out, b, column_seq, row);
  append_named(out, b, column_version, row);
  append_named(out, b, column_final, row);
  if (is_true(b, column_retracted, row))
    append_named(out, b, column_retracted, row);
  out += ",\"values\":";
  append_window_values(out, b, row);
  if (const column* errors = b.find(column_errors); errors != nullptr && !errors->is_null(row))
    append_named(out, b, column_errors, row);
  out += '}';
}

void append_alert_record(std::string& out, const event_batch& b, std::size_t row) {
  constexpr std::array<std::string_view, 10> names{"rule",  "id",       "key",    "state",   "at",
                                                   "since", "severity", "labels", "summary", "values"};
  out += R"({"kind":"alert")";
  for (const std::string_view name : names)
    append_named(out, b, name, row);
  out += '}';
}

} // namespace millrace::codec
