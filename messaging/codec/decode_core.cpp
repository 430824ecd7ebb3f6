// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_core.hpp"

#include <algorithm>

namespace millrace::codec {
namespace {

schema_ptr kept_layout(const decode_options& options) {
  std::vector<field> fields;
  for (const field_spec& s : options.fields) {
    if (s.kept)
      fields.push_back(s.field);
  }
  return std::make_shared<const schema>(std::move(fields));
}

void choose_quick_way(field_plan& f) {
  switch (f.spec.field.type) {
  case data_type::string: f.quick = quick_way::text; break;
  case data_type::int64:
  case data_type::uint64: f.quick = quick_way::whole_number; break;
  case data_type::timestamp:
    if (f.spec.unit == timestamp_unit::rfc3339 || f.spec.unit == timestamp_unit::pattern)
      break;
    f.quick = quick_way::whole_number;
    f.scale = unit_nanoseconds(f.spec.unit);
    break;
  default: break;
  }
}

std::vector<field_plan> make_plan(const decode_options& options) {
  std::vector<field_plan> plan;
  std::size_t column = 0;
  for (std::size_t i = 0; i < options.fields.size(); ++i) {
    field_plan f;
    f.spec = options.fields[i];
    f.column = f.spec.kept ? column++ : 0;
    f.is_time = options.time == i;
    choose_quick_way(f);
    plan.push_back(std::move(f));
  }
  if (!options.time && options.time_from_attribute) {
    // No field of the schema, but read like one.
    field_plan f;
    f.spec.field = field{"$ce.time", data_type::timestamp, false};
    f.spec.source = field_source::attribute;
    f.spec.path = {"time"};
    f.spec.kept = false;
    f.is_time = true;
    plan.push_back(std::move(f));
  }
  for (std::size_t i = 0; i < plan.size(); ++i)
    plan[i].index = i;
  return plan;
}

/// Copies with slack behind, so that the text may go to a column.
void keep_with_slack(std::string& to, std::size_t& size, std::string_view from) {
  if (size == from.size() && !to.empty() && std::string_view{to.data(), size} == from)
    return;
  to.assign(from);
  size = from.size();
  to.append(text_slack, '\0');
}

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_any_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

} // namespace

decode_core::decode_core(const decode_options& options)
  : options_{options}, plan_{make_plan(options)}, sink_{kept_layout(options)}, check_json_{options.max_depth},
    arena_(plan_.size()) {
  uses_time_ = std::any_of(plan_.begin(), plan_.end(), [](const field_plan& f) { return f.is_time; });
}

std::vector<decode_reject> decode_core::take_rejects() {
  std::vector<decode_reject> taken;
  taken.swap(rejects_);
  return taken;
}

void decode_core::begin_message(const source_message& m, bool lines) {
  lines_ = lines;
  place_ = m.place;
  shard_ = m.shard;
  arrival_ = m.arrival;
  index_ = 0;
  keep_with_slack(subject_, subject_size_, m.subject);
  keep_with_slack(file_, file_size_, m.file);
  attributes_ = options_.format == event_format::cloudevents && m.attributes != nullptr && !m.attributes->empty()
                  ? m.attributes
                  : nullptr;
}

void decode_core::reject_beyond_index(const event_place& e) {
  reject(e, "oversize",
         "the message holds more than " + std::to_string(last_index + 1) + " events " + where(e.offset) +
           "; send fewer events in one message",
         false);
}

put decode_core::put_null(const field_plan& f) {
  if (!f.spec.field.nullable || f.is_time)
    return put::null;
  if (f.spec.kept)
    sink_.set_null(f.column);
  return put::done;
}

put decode_core::put_integer(const field_plan& f, std::optional<std::int64_t> v) {
  if (!v)
    return put::wrong;
  if (f.spec.kept)
    sink_.set_int(f.column, *v);
  return put::done;
}

put decode_core::put_unsigned(const field_plan& f, std::optional<std::uint64_t> v) {
  return put_integer(f, v ? std::optional{static_cast<std::int64_t>(*v)} : std::nullopt);
}

put decode_core::put_time(const field_plan& f, std::optional<std::int64_t> ns) {
  if (f.is_time && ns)
    time_ = *ns;
  return put_integer(f, ns);
}

put decode_core::put_float(const field_plan& f, std::optional<double> v) {
  if (!v)
    return put::wrong;
  if (f.spec.kept)
    sink_.set_double(f.column, *v);
  return put::done;
}

put decode_core::put_bool(const field_plan& f, std::string_view text, bool any_case) {
  const bool yes = any_case ? equal_any_case(text, "true") : text == "true";
  if (!yes && !(any_case ? equal_any_case(text, "false") : text == "false"))
    return put::wrong;
  if (f.spec.kept)
    sink_.set_bool(f.column, yes);
  return put::done;
}

put decode_core::put_bytes(const field_plan& f, std::string_view text) {
  std::string& copy = arena_[f.index];
  copy.clear();
  if (!append_decoded_base64(copy, text))
    return put::wrong;
  const std::size_t size = copy.size();
  copy.append(text_slack, '\0');
  if (f.spec.kept)
    sink_.set_text(f.column, {copy.data(), size});
  return put::done;
}

put decode_core::put_json_token(const field_plan& f, std::string_view text) {
  const bool container = text.front() == '{' || text.front() == '[';
  // Containers were checked when they were walked over.
  if (!container && text != "true" && text != "false" && !is_json_number(text))
    return put::wrong;
  if (f.spec.kept)
    sink_.set_text(f.column, text);
  return put::done;
}

put decode_core::put_json_text(const field_plan& f, std::string_view text) {
  if (!check_json_(text))
    return put::wrong;
  if (f.spec.kept)
    sink_.set_text(f.column, text);
  return put::done;
}

put decode_core::put_string_token(const field_plan& f, std::string_view inside, bool escaped) {
  if (f.spec.field.type == data_type::json) {
    // The quotes belong to the value.
    if (escaped && !has_valid_escapes(inside))
      return put::wrong;
    if (f.spec.kept)
      sink_.set_text(f.column, {inside.data() - 1, inside.size() + 2});
    return put::done;
  }
  if (escaped) {
    std::string& copy = arena_[f.index];
    copy.clear();
    if (!append_unescaped(copy, inside))
      return put::wrong;
    const std::size_t size = copy.size();
    copy.append(text_slack, '\0');
    inside = {copy.data(), size};
  }
  switch (f.spec.field.type) {
  case data_type::string:
    if (f.spec.kept)
      sink_.set_text(f.column, inside);
    return put::done;
  case data_type::timestamp: return put_time(f, parse_time(inside, f.spec.unit, f.spec.pattern));
  case data_type::duration: return put_integer(f, parse_duration(inside));
  case data_type::bytes: {
    const std::string encoded{inside};
    return put_bytes(f, escaped ? std::string_view{encoded} : inside);
  }
  default: return put::wrong;
  }
}

put decode_core::put_text(const field_plan& f, std::string_view text) {
  switch (f.spec.field.type) {
  case data_type::boolean: return put_bool(f, text, true);
  case data_type::int64: return put_integer(f, parse_int(text));
  case data_type::uint64: return put_unsigned(f, parse_uint(text));
  case data_type::float64: return put_float(f, parse_double(text));
  case data_type::string:
    if (f.spec.kept)
      sink_.set_text(f.column, text);
    return put::done;
  case data_type::bytes: return put_bytes(f, text);
  case data_type::timestamp: return put_time(f, parse_time(text, f.spec.unit, f.spec.pattern));
  case data_type::duration: return put_integer(f, parse_duration(text));
  case data_type::json: return put_json_text(f, text);
  }
  return put::wrong;
}

put decode_core::put_envelope(const field_plan& f) {
  switch (f.spec.source) {
  case field_source::file: return file_size_ == 0 ? put_null(f) : put_text(f, {file_.data(), file_size_});
  case field_source::subject: return subject_size_ == 0 ? put_null(f) : put_text(f, {subject_.data(), subject_size_});
  case field_source::arrival: return put_time(f, arrival_);
  default: return put::wrong;
  }
}

put decode_core::put_attribute(const field_plan& f) {
  for (const auto& [name, value] : *attributes_) {
    if (!equal_any_case(name, f.spec.path.front()))
      continue;
    std::string& copy = arena_[f.index];
    copy.assign(value);
    copy.append(text_slack, '\0');
    if (!is_utf8(value))
      return put::wrong;
    if (f.spec.field.type != data_type::bytes)
      return put_text(f, {copy.data(), value.size()});
    return put_bytes(f, value);
  }
  return put_null(f);
}

} // namespace millrace::codec
