// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the decoders of all formats share: the plan of the fields, conversion of a value by its type, the row under
/// construction, and rejects with their details.
///
/// Decided here, and the same in every format: int and uint take whole numbers without fraction or exponent (3.0 is
/// a `type` reject), double takes every number within its range, bool and string are strict in JSON; of equal names
/// in one object the last counts; `malformed` goes before `type` and `missing`, and those go by the order of fields;
/// a required field that is null is `missing`; the event time is always required.
#pragma once

#include "messaging/codec/decode_columns.hpp"
#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/decoder.hpp"
#include "messaging/codec/json_kernel.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::codec {

/// What became of a value.
enum class put { done, null, wrong };

/// What a plain token is tried as first.
enum class quick_way : std::uint8_t { none, text, whole_number };

struct field_plan {
  field_spec spec;
  quick_way quick = quick_way::none;
  /// Of a whole number.
  std::int64_t scale = 1;
  std::size_t index = 0;
  /// Column in the batch; meaningless unless `spec.kept`.
  std::size_t column = 0;
  bool is_time = false;
};

/// Where an event stands, for positions and details.
struct event_place {
  /// Offset of the event in the message.
  std::size_t offset = 0;
  std::string_view text;
  std::int64_t position = 0;
};

class decode_core : public event_decoder {
public:
  explicit decode_core(const decode_options& options);

  schema_ptr layout() const final { return sink_.layout(); }
  std::size_t rows() const final { return sink_.row(); }
  event_batch finish() final { return sink_.finish(); }
  std::vector<decode_reject> take_rejects() final;

protected:
  /// Takes over what the rows of `m` share. `lines`: places are byte offsets, indexes 0.
  void begin_message(const source_message& m, bool lines);
  /// The position of the event at `offset` and counts it.
  std::int64_t next_position(std::size_t offset) noexcept {
    current_index_ = index_++;
    if (lines_)
      return make_position(place_ + offset, 0);
    return make_position(place_, static_cast<std::uint32_t>(current_index_ < last_index ? current_index_ : last_index));
  }
  /// Takes an event back, its position and what was set of its row.
  void undo() {
    sink_.discard();
    --index_;
  }
  /// False when the message holds more events than a position can count: then rejected.
  bool within_index(const event_place& e) {
    if (lines_ || current_index_ <= last_index)
      return true;
    reject_beyond_index(e);
    return false;
  }

  /// A token of JSON (trailing white space allowed) as the value of `f`.
  put put_token(const field_plan& f, const char* base, std::uint32_t begin, std::uint32_t end, bool may_escape);
  /// The same for a token without white space around it, escapes and half strings; `text_slack` bytes are readable
  /// behind it.
  put put_plain_token(const field_plan& f, const char* begin, const char* end);
  /// A text (CSV cell, attribute) as the value of `f`. `text_slack` bytes are readable behind it.
  put put_text(const field_plan& f, std::string_view text);
  /// `null` when `f` must have a value.
  put put_null(const field_plan& f);
  /// Sources other than body and (in JSON) attributes.
  put put_envelope(const field_plan& f);
  /// The attribute of a message in CloudEvents binary mode.
  put put_attribute(const field_plan& f);

  void commit(const event_place& e) { sink_.commit(uses_time_ ? time_ : arrival_, e.position, shard_); }
  void reject(const event_place& e, std::string_view reason, std::string detail, bool is_json);
  void reject_oversize(const event_place& e);
  void reject_malformed(const event_place& e, std::string_view what, std::size_t offset);
  /// `found`: what stands there, for people; empty: nothing (missing).
  void reject_field(const event_place& e, const field_plan& f, std::string_view found, std::size_t offset,
                    bool is_json);
  /// `(event 3, byte 812)`.
  std::string where(std::size_t offset) const;

  const decode_options& options() const noexcept { return options_; }
  const std::vector<field_plan>& plan() const noexcept { return plan_; }
  bool has_attributes() const noexcept { return attributes_ != nullptr; }

private:
  static constexpr std::uint64_t last_index = (std::uint64_t{1} << position_index_bits) - 1;

  void reject_beyond_index(const event_place& e);
  put put_string_token(const field_plan& f, std::string_view inside, bool escaped);
  put put_time(const field_plan& f, std::optional<std::int64_t> ns);
  put put_bytes(const field_plan& f, std::string_view text);
  put put_json_text(const field_plan& f, std::string_view text);
  put put_json_token(const field_plan& f, std::string_view text);
  put put_unsigned(const field_plan& f, std::optional<std::uint64_t> v);
  put put_integer(const field_plan& f, std::optional<std::int64_t> v);
  put put_float(const field_plan& f, std::optional<double> v);
  put put_bool(const field_plan& f, std::string_view text, bool any_case);

  decode_options options_;
  std::vector<field_plan> plan_;
  row_sink sink_;
  std::vector<decode_reject> rejects_;
  json_checker check_json_;
  /// One text per field that had to be rewritten (escapes, base64), alive until the row is committed.
  std::vector<std::string> arena_;

  bool uses_time_ = false;
  nanoseconds_t time_ = 0;
  bool lines_ = false;
  std::uint64_t place_ = 0;
  std::uint32_t shard_ = 0;
  nanoseconds_t arrival_ = 0;
  std::uint64_t index_ = 0;
  std::uint64_t current_index_ = 0;
  std::string subject_;
  std::string file_;
  std::size_t subject_size_ = 0;
  std::size_t file_size_ = 0;
  const std::vector<std::pair<std::string, std::string>>* attributes_ = nullptr;
};

/// A short description of a piece of JSON: `string "abc"`, `number 12`, `object`.
std::string describe_json(std::string_view token);
/// The start of `text` in quotes, at most about 60 bytes, never half a character.
std::string quote_start(std::string_view text);

inline put decode_core::put_token(const field_plan& f, const char* base, std::uint32_t begin, std::uint32_t end,
                                  bool may_escape) {
  std::string_view text = trimmed_token(base, begin, end);
  if (text.front() == '"') {
    if (text.size() < 2 || text.back() != '"')
      return put::wrong;
    text = text.substr(1, text.size() - 2);
    const bool escaped = may_escape && text.find('\\') != std::string_view::npos;
    if (f.spec.field.type != data_type::string || escaped)
      return put_string_token(f, text, escaped);
    if (f.spec.kept)
      sink_.set_text(f.column, text);
    return put::done;
  }
  if (text == "null")
    return put_null(f);
  switch (f.spec.field.type) {
  case data_type::boolean: return put_bool(f, text, false);
  case data_type::int64: return put_integer(f, parse_int(text));
  case data_type::uint64: return put_unsigned(f, parse_uint(text));
  case data_type::float64: return put_float(f, parse_double(text));
  case data_type::timestamp:
    return f.spec.unit == timestamp_unit::rfc3339 || f.spec.unit == timestamp_unit::pattern
             ? put::wrong
             : put_time(f, parse_epoch(text, f.spec.unit));
  case data_type::json: return put_json_token(f, text);
  default: return put::wrong;
  }
}

inline put decode_core::put_plain_token(const field_plan& f, const char* begin, const char* end) {
  if (f.quick == quick_way::text && *begin == '"') {
    if (f.spec.kept)
      sink_.set_text(f.column, {begin + 1, static_cast<std::size_t>(end - begin - 2)});
    return put::done;
  }
  if (f.quick == quick_way::whole_number) {
    std::uint64_t digits = 0;
    std::int64_t value = 0;
    if (short_digits(begin, static_cast<std::size_t>(end - begin), digits) &&
        !__builtin_mul_overflow(static_cast<std::int64_t>(digits), f.scale, &value) && value != end_watermark) {
      if (f.is_time)
        time_ = value;
      if (f.spec.kept)
        sink_.set_int(f.column, value);
      return put::done;
    }
  }
  return put_token(f, begin, 0, static_cast<std::uint32_t>(end - begin), false);
}

result<std::unique_ptr<event_decoder>> make_json_decoder(const decode_options& options);
result<std::unique_ptr<event_decoder>> make_csv_decoder(const decode_options& options);

} // namespace millrace::codec
