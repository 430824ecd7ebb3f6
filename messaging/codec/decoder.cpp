// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decoder.hpp"

#include "messaging/codec/decode_core.hpp"

#include <algorithm>
#include <set>

namespace millrace::codec {
namespace {

error bad(const field_spec& f, std::string_view what, std::string_view hint) {
  return error{ec::config, "field \"" + f.field.name + "\": " + std::string{what}, std::string{hint}};
}

result<void> check_source(const field_spec& f, event_format format) {
  const bool named = f.source == field_source::body || f.source == field_source::attribute;
  if (named && (f.path.empty() || std::any_of(f.path.begin(), f.path.end(), [](const auto& p) { return p.empty(); })))
    return bad(f, "empty path", "name the member, or members with dots between");
  if (f.source == field_source::body && format == event_format::csv && f.path.size() != 1)
    return bad(f, "a CSV column has one name", "give the column's name as path");
  if (f.source == field_source::attribute && format != event_format::cloudevents)
    return bad(f, "$ce attributes need event.format: cloudevents", "change the format or the path");
  if (f.source == field_source::attribute && f.path.size() != 1)
    return bad(f, "a CloudEvents attribute has one name", "write $ce.name");
  const bool text = f.source == field_source::file || f.source == field_source::subject;
  if (text && f.field.type != data_type::string)
    return bad(f, "$file and $subject are strings", "declare it as string");
  if (f.source == field_source::arrival && f.field.type != data_type::timestamp)
    return bad(f, "$arrival is a timestamp", "declare it as timestamp");
  return {};
}

result<void> check_unit(const field_spec& f) {
  if (f.unit != timestamp_unit::rfc3339 && f.field.type != data_type::timestamp)
    return bad(f, "only a timestamp has a unit or format", "declare it as timestamp");
  if (f.unit != timestamp_unit::pattern)
    return {};
  if (f.pattern.empty())
    return bad(f, "empty timestamp format", "for example \"%Y-%m-%d %H:%M:%S\"");
  if (const auto unknown = unknown_specifier(f.pattern); !unknown.empty())
    return bad(f, "unknown \"" + std::string{unknown} + "\" in the timestamp format",
               "known are %Y %m %d %H %M %S %f %F %T %z %%");
  return {};
}

result<void> check(const decode_options& o) {
  std::set<std::string_view> names;
  for (const field_spec& f : o.fields) {
    if (f.field.name.empty())
      return error{ec::config, "a field has no name", "name every field"};
    if (!names.insert(f.field.name).second)
      return bad(f, "declared twice", "give every field its own name");
    if (auto ok = check_source(f, o.format); !ok)
      return ok;
    if (auto ok = check_unit(f); !ok)
      return ok;
  }
  if (o.time && *o.time >= o.fields.size())
    return error{ec::config, "event.time names no field", "name a declared field"};
  if (o.time && o.fields[*o.time].field.type != data_type::timestamp)
    return bad(o.fields[*o.time], "the event time must be a timestamp", "declare it as timestamp");
  if (o.time_from_attribute && o.format != event_format::cloudevents)
    return error{ec::config, "event time from $ce.time needs event.format: cloudevents", "name a field as event.time"};
  if (o.max_event_bytes == 0 || o.max_event_bytes > (std::size_t{1} << 30))
    return error{ec::config, "max_event_bytes must be between 1 and 1 GiB", ""};
  if (o.max_depth == 0)
    return error{ec::config, "max_depth must be at least 1", ""};
  return {};
}

} // namespace

result<std::unique_ptr<event_decoder>> make_decoder(const decode_options& options) {
  if (auto ok = check(options); !ok)
    return ok.error();
  return options.format == event_format::csv ? make_csv_decoder(options) : make_json_decoder(options);
}

} // namespace millrace::codec
