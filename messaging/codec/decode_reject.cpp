// SPDX-License-Identifier: Apache-2.0
// Rejects and their texts: off the hot path.
#include "messaging/codec/decode_core.hpp"

#include <algorithm>
#include <array>
#include <xxhash.h>

namespace millrace::codec {
namespace {

constexpr std::size_t oversize_body = 4096;
constexpr std::size_t quoted_bytes = 60;

std::string_view remedy(const field_spec& f) noexcept {
  switch (f.field.type) {
  case data_type::boolean: return "send true or false";
  case data_type::int64: return "send a whole number of 64 bits, without fraction or exponent";
  case data_type::uint64: return "send a whole number from 0 to 18446744073709551615";
  case data_type::float64: return "send a number within the range of double";
  case data_type::string: return "send a string in quotes";
  case data_type::bytes: return "send a string of base64";
  case data_type::duration: return "send a string such as \"1.5s\"";
  case data_type::json: return "send valid JSON";
  case data_type::timestamp: break;
  }
  switch (f.unit) {
  case timestamp_unit::rfc3339: return "send RFC 3339 text, or declare a unit (timestamp_ms) or a format";
  case timestamp_unit::pattern: return "send text of the declared format";
  default: return "send a number in the declared unit (timestamp_s, _ms, _us, _ns), within the years 1678 to 2261";
  }
}

std::string hex(std::uint64_t value) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4)
    text[i] = digits[value & 15U];
  return text;
}

} // namespace

std::string quote_start(std::string_view text) {
  std::size_t size = std::min(text.size(), quoted_bytes);
  // Not in the middle of a character.
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U)
    --size;
  std::string quoted = "\"";
  quoted += text.substr(0, size);
  quoted += size < text.size() ? "...\"" : "\"";
  return quoted;
}

std::string describe_json(std::string_view token) {
  switch (token.empty() ? '\0' : token.front()) {
  case '{': return "object";
  case '[': return "array";
  case '"': return "string " + quote_start(token.substr(1, token.size() < 2 ? 0 : token.size() - 2));
  case 't':
  case 'f':
  case 'n': return std::string{token.substr(0, quoted_bytes)};
  default: return "number " + std::string{token.substr(0, quoted_bytes)};
  }
}

std::string decode_core::where(std::size_t offset) const {
  if (lines_)
    return "(byte " + std::to_string(place_ + offset) + ")";
  return "(event " + std::to_string(current_index_) + ", byte " + std::to_string(offset) + ")";
}

void decode_core::reject(const event_place& e, std::string_view reason, std::string detail, bool is_json) {
  sink_.discard();
  decode_reject r;
  r.reason = reason;
  r.detail = std::move(detail);
  r.body = e.text;
  if (is_json) {
    // Records are lines; outside of strings a line end means what a space means, and inside there is none.
    std::replace(r.body.begin(), r.body.end(), '\n', ' ');
    std::replace(r.body.begin(), r.body.end(), '\r', ' ');
  }
  r.is_json = is_json;
  r.position = e.position;
  r.shard = shard_;
  r.before_row = sink_.row();
  rejects_.push_back(std::move(r));
}

void decode_core::reject_oversize(const event_place& e) {
  event_place cut = e;
  cut.text = e.text.substr(0, oversize_body);
  reject(cut, "oversize",
         "the event has " + std::to_string(e.text.size()) + " bytes, more than the " +
           std::to_string(options_.max_event_bytes) + " allowed " + where(e.offset) + "; xxh3 " +
           hex(XXH3_64bits(e.text.data(), e.text.size())) + "; send smaller events",
         false);
}

void decode_core::reject_malformed(const event_place& e, std::string_view what, std::size_t offset) {
  const std::string_view format = options_.format == event_format::csv ? "CSV" : "JSON";
  std::string detail = "malformed ";
  detail += format;
  detail += ": ";
  detail += what;
  detail += ' ';
  detail += where(offset);
  detail += "; mend the event and send it again";
  reject(e, "malformed", std::move(detail), false);
}

void decode_core::reject_field(const event_place& e, const field_plan& f, std::string_view found, std::size_t offset,
                               bool is_json) {
  std::string detail = f.spec.source == field_source::attribute ? "attribute \"" : "field \"";
  detail += f.spec.source == field_source::attribute ? f.spec.path.front() : f.spec.field.name;
  detail += '"';
  const bool missing = found.empty() || found == "null";
  const bool time = f.is_time;
  if (missing) {
    detail += found.empty() ? " is missing " : " is null ";
    detail += where(offset);
    if (time)
      detail += "; every event needs its event time: send it, or leave out event.time to use the arrival";
    else
      detail += "; send it, or declare the field optional (\"" + std::string{to_string(f.spec.field.type)} + "?\")";
  } else {
    detail += ": expected " + std::string{to_string(f.spec.field.type)} + ", found ";
    detail += found;
    detail += ' ';
    detail += where(offset);
    detail += "; ";
    detail += remedy(f.spec);
  }
  reject(e, missing ? "missing" : "type", std::move(detail), is_json);
}

} // namespace millrace::codec
