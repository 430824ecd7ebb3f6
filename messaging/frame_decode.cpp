// SPDX-License-Identifier: Apache-2.0
// Frames from bytes that nobody vouches for: everything is checked before it is used.
#include "messaging/frame.hpp"
#include "messaging/frame_envelope.hpp"
#include "messaging/frame_pack.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "messaging/frame_generated.h"

namespace millrace {
namespace {

error corrupt(std::string what) { return {ec::corrupt, "frame: " + std::move(what), {}}; }

/// Bounds what a frame may expand to: constant columns cost no bytes, and offsets may share a vector.
class budget {
public:
  explicit budget(std::size_t frame_bytes) : left_{16 * frame_bytes + (std::size_t{64} << 20)} {}
  bool take(std::size_t bytes) noexcept {
    if (bytes > left_)
      return false;
    left_ -= bytes;
    return true;
  }

private:
  std::size_t left_;
};

std::string to_text(const flatbuffers::String* s) { return s == nullptr ? std::string{} : s->str(); }

bool same_fields(const schema& s, const flatbuffers::Vector<flatbuffers::Offset<wire::Field>>& fields) noexcept {
  if (s.size() != fields.size())
    return false;
  for (flatbuffers::uoffset_t i = 0; i < fields.size(); ++i) {
    const wire::Field& f = *fields[i];
    if (static_cast<std::uint8_t>(s[i].type) != f.type() || s[i].nullable != f.nullable() || f.name() == nullptr ||
        s[i].name != f.name()->string_view())
      return false;
  }
  return true;
}

result<schema_ptr> make_layout(const flatbuffers::Vector<flatbuffers::Offset<wire::Field>>& fields, budget& limit) {
  std::vector<field> made;
  std::vector<std::string_view> names;
  for (const wire::Field* f : fields) {
    if (f->name() == nullptr || f->type() > static_cast<std::uint8_t>(data_type::json))
      return corrupt("a field has no name or an unknown type");
    if (!limit.take(f->name()->size()))
      return corrupt("field names expand to too many bytes");
    made.push_back({f->name()->str(), static_cast<data_type>(f->type()), f->nullable()});
    names.push_back(f->name()->string_view());
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end())
    return corrupt("two fields have the same name");
  return schema_ptr{std::make_shared<const schema>(std::move(made))};
}

/// The frames of a log share few layouts: the last ones seen by this thread are handed out again, so that frames
/// cost no allocation per field and readers can compare pointers first.
result<schema_ptr> layout_of(const flatbuffers::Vector<flatbuffers::Offset<wire::Field>>& fields, budget& limit) {
  thread_local std::array<schema_ptr, 8> recent;
  thread_local std::size_t oldest = 0;
  for (const schema_ptr& s : recent)
    if (s && same_fields(*s, fields))
      return s;
  auto made = make_layout(fields, limit);
  if (made) {
    recent[oldest] = *made;
    oldest = (oldest + 1) % recent.size();
  }
  return made;
}

class section_decoder {
public:
  section_decoder(const wire::Section& in, budget& limit) : in_{in}, rows_{in.rows()}, limit_{limit} {}

  result<section> decode();

private:
  /// A packing and its data, of the right length.
  struct packed {
    pack::packing how;
    const std::uint8_t* data = nullptr;
  };

  result<void> decode_columns(event_batch& b);
  bool decode_column(const wire::Column& in, const event_batch& b, column& out);
  bool decode_values(const wire::Column& in, const event_batch& b, column& out);
  bool decode_text(const wire::Column& in, column& out);
  bool decode_dictionary(const wire::Column& in, column& out);
  bool decode_nulls(const wire::Column& in, column& out);
  template <class T, class... Limit>
  bool decode_packed(const wire::Packing* p, const flatbuffers::Vector<std::uint8_t>* data, std::size_t count,
                     std::vector<T>& out, Limit... limit);
  template <class T, class... Limit>
  bool decode_envelope(const wire::Column* in, const char* name, std::vector<T>& out, Limit... limit);
  bool fail(std::string what) {
    wrong_ = std::move(what);
    return false;
  }

  const wire::Section& in_;
  std::size_t rows_;
  budget& limit_;
  std::string wrong_;
};

template <class T, class... Limit>
bool section_decoder::decode_packed(const wire::Packing* p, const flatbuffers::Vector<std::uint8_t>* data,
                                    std::size_t count, std::vector<T>& out, Limit... limit) {
  if (p == nullptr)
    return fail("values are missing");
  const pack::packing how{p->base(), p->scale(), static_cast<pack::encoding>(p->encoding()), p->width()};
  const std::size_t have = data == nullptr ? 0 : data->size();
  if (have != pack::data_bytes(how, count))
    return fail("column data has " + std::to_string(have) + " bytes for " + std::to_string(count) + " values");
  if (!limit_.take(count * sizeof(T)))
    return fail("expands to too many bytes");
  out.resize(count);
  if (!pack::unpack(how, have == 0 ? nullptr : data->data(), std::span<T>{out}, limit...))
    return fail("unknown encoding, or a value out of range");
  return true;
}

template <class T, class... Limit>
bool section_decoder::decode_envelope(const wire::Column* in, const char* name, std::vector<T>& out, Limit... limit) {
  if (in == nullptr)
    return fail(std::string{name} + " is missing");
  if (!decode_packed(in->values(), in->data(), rows_, out, limit...))
    return fail(std::string{name} + ": " + wrong_);
  return true;
}

bool section_decoder::decode_nulls(const wire::Column& in, column& out) {
  const auto* words = in.nulls();
  if (words == nullptr)
    return true;
  if (words->size() != (rows_ + 63) / 64 || words->size() == 0)
    return fail("null bitmap has " + std::to_string(words->size()) + " words");
  if (!limit_.take(words->size() * sizeof(std::uint64_t)))
    return fail("expands to too many bytes");
  out.nulls.resize(words->size());
  std::memcpy(out.nulls.data(), words->Data(), out.nulls.size() * sizeof(std::uint64_t));
  if (rows_ % 64 != 0 && (out.nulls.back() >> (rows_ % 64)) != 0)
    return fail("null bitmap names rows beyond the last");
  return true;
}

bool section_decoder::decode_dictionary(const wire::Column& in, column& out) {
  const std::size_t entries = in.entries();
  const std::size_t bytes = in.text() == nullptr ? 0 : in.text()->size();
  if (entries > envelope::max_rows)
    return fail("dictionary has " + std::to_string(entries) + " entries");
  if (!limit_.take(bytes))
    return fail("expands to too many bytes");
  std::vector<std::uint32_t> offsets;
  if (!decode_packed(in.lengths(), in.length_data(), entries, offsets, static_cast<std::uint32_t>(bytes)))
    return fail("dictionary lengths: " + wrong_);
  // Lengths become offsets in place, each moving one place on; the last one is the sum.
  offsets.push_back(0);
  std::uint64_t sum = 0;
  for (std::uint32_t& offset : offsets) {
    const std::uint32_t length = offset;
    offset = static_cast<std::uint32_t>(sum);
    sum += length;
  }
  if (sum != bytes)
    return fail("dictionary lengths and bytes disagree");
  std::string text;
  if (bytes != 0)
    text.assign(reinterpret_cast<const char*>(in.text()->data()), bytes);
  out.dict = std::make_shared<const dictionary>(std::move(text), std::move(offsets), in.unique());
  return true;
}

bool section_decoder::decode_text(const wire::Column& in, column& out) {
  if (!decode_dictionary(in, out))
    return false;
  const auto entries = static_cast<std::uint32_t>(out.dict->size());
  if (entries == 0) {
    // Without texts every row has to be null.
    for (std::size_t row = 0; row < rows_; ++row)
      if (!out.is_null(row))
        return fail("a row has no text and is not null");
  }
  return decode_packed(in.values(), in.data(), rows_, out.codes, entries == 0 ? 0 : entries - 1);
}

bool section_decoder::decode_values(const wire::Column& in, const event_batch& b, column& out) {
  if (is_text(out.type))
    return decode_text(in, out);
  if (out.type == data_type::boolean)
    return decode_packed(in.values(), in.data(), rows_, out.b8);
  if (out.type == data_type::float64)
    return decode_packed(in.values(), in.data(), rows_, out.f64);
  const bool same =
    in.values() != nullptr && in.values()->encoding() == static_cast<std::uint8_t>(pack::encoding::event_time);
  if (!same)
    return decode_packed(in.values(), in.data(), rows_, out.i64);
  if (!limit_.take(rows_ * sizeof(std::int64_t)))
    return fail("expands to too many bytes");
  out.i64 = b.time;
  return true;
}

bool section_decoder::decode_column(const wire::Column& in, const event_batch& b, column& out) {
  return decode_nulls(in, out) && decode_values(in, b, out);
}

result<void> section_decoder::decode_columns(event_batch& b) {
  const auto& columns = *in_.columns();
  b.columns.reserve(columns.size());
  for (flatbuffers::uoffset_t i = 0; i < columns.size(); ++i) {
    const field& f = (*b.layout)[i];
    if (!decode_column(*columns[i], b, b.columns.emplace_back(f.type)))
      return corrupt("field " + f.name + ": " + wrong_);
  }
  return {};
}

result<section> section_decoder::decode() {
  if (rows_ > envelope::max_rows)
    return corrupt("a section has " + std::to_string(rows_) + " rows");
  if (in_.fields() == nullptr || in_.columns() == nullptr || in_.fields()->size() != in_.columns()->size() ||
      in_.fields()->size() > envelope::max_columns)
    return corrupt("fields and columns disagree");
  auto layout = layout_of(*in_.fields(), limit_);
  if (!layout)
    return std::move(layout).error();
  section out;
  if (in_.name() != nullptr && !limit_.take(in_.name()->size()))
    return corrupt("section names expand to too many bytes");
  out.name = to_text(in_.name());
  event_batch& b = out.batch;
  b.layout = *std::move(layout);
  b.rows = rows_;
  constexpr std::uint32_t any_shard = std::numeric_limits<std::uint32_t>::max();
  if (!decode_envelope(in_.time(), "time", b.time) || !decode_envelope(in_.watermark(), "watermark", b.watermark) ||
      !decode_envelope(in_.position(), "position", b.position) ||
      !decode_envelope(in_.shard(), "shard", b.shard, any_shard))
    return corrupt(wrong_);
  if (auto done = decode_columns(b); !done)
    return std::move(done).error();
  return out;
}

ledger to_ledger(const wire::Ledger* l) {
  if (l == nullptr)
    return {};
  ledger out;
  out.in = l->in();
  out.forwarded = l->forwarded();
  out.absorbed = l->absorbed();
  out.retired = l->retired();
  out.filtered = l->filtered();
  out.duplicate = l->duplicate();
  out.late = l->late();
  out.rejected = l->rejected();
  out.skipped = l->skipped();
  return out;
}

frame to_frame(const wire::Frame& in) {
  frame out;
  out.kind = static_cast<frame_kind>(in.kind());
  out.writer = to_text(in.writer());
  out.epoch = in.epoch();
  out.number = in.number();
  out.previous = in.previous();
  out.origin = {in.origin_sequence(), in.origin_checksum(), in.origin_rows()};
  out.watermark = in.watermark();
  out.origin_watermark = in.origin_rows() > 0 ? in.origin_watermark() : in.watermark();
  out.high_time = in.high_time();
  out.idle = in.idle();
  out.source_stamp = in.source_stamp();
  out.definition = in.definition();
  out.counters = to_ledger(in.counters());
  out.note = to_text(in.note());
  if (in.blob() != nullptr && in.blob()->size() != 0)
    out.blob.assign(reinterpret_cast<const char*>(in.blob()->data()), in.blob()->size());
  return out;
}

result<frame> decode_body(const std::uint8_t* body, std::size_t size) {
  constexpr flatbuffers::uoffset_t max_depth = 8;
  constexpr flatbuffers::uoffset_t max_tables = 100'000;
  flatbuffers::Verifier verifier{body, size, max_depth, max_tables};
  if (!verifier.VerifyBuffer<wire::Frame>(nullptr))
    return corrupt("the FlatBuffers verifier refuses it");
  const wire::Frame& in = *flatbuffers::GetRoot<wire::Frame>(body);
  if (in.kind() > static_cast<std::uint8_t>(frame_kind::manifest))
    return corrupt("unknown kind " + std::to_string(in.kind()));
  frame out = to_frame(in);
  if (in.sections() == nullptr)
    return out;
  budget limit{size};
  for (const wire::Section* s : *in.sections()) {
    auto decoded = section_decoder{*s, limit}.decode();
    if (!decoded)
      return std::move(decoded).error();
    out.sections.push_back(*std::move(decoded));
  }
  return out;
}

} // namespace

result<frame> decode_frame(std::string_view bytes) {
  if (bytes.size() < envelope::size || bytes.substr(0, envelope::magic.size()) != envelope::magic)
    return corrupt("no Millrace frame (" + std::to_string(bytes.size()) + " bytes)");
  std::uint32_t version = 0;
  std::memcpy(&version, bytes.data() + envelope::version_at, sizeof version);
  if (version != envelope::version)
    return corrupt("version " + std::to_string(version) + " is not known here, only " +
                   std::to_string(envelope::version));
  const std::string_view body = bytes.substr(envelope::size);
  if (envelope::checksum_of(body.data(), body.size()) != frame_checksum(bytes))
    return corrupt("checksum of " + std::to_string(bytes.size()) + " bytes is wrong");
  constexpr std::size_t alignment = alignof(std::uint64_t);
  if (reinterpret_cast<std::uintptr_t>(body.data()) % alignment == 0)
    return decode_body(reinterpret_cast<const std::uint8_t*>(body.data()), body.size());
  // FlatBuffers reads words where they stand.
  std::vector<std::uint64_t> aligned(body.size() / alignment + 1);
  std::memcpy(aligned.data(), body.data(), body.size());
  return decode_body(reinterpret_cast<const std::uint8_t*>(aligned.data()), body.size());
}

} // namespace millrace
