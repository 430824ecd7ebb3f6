// SPDX-License-Identifier: Apache-2.0
#include "messaging/frame.hpp"
#include "messaging/frame_envelope.hpp"
#include "messaging/frame_pack.hpp"

#include <cassert>
#include <cstring>
#include <limits>

#include "messaging/frame_generated.h"

namespace millrace {
namespace {

using bytes_offset = flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>>;
using words_offset = flatbuffers::Offset<flatbuffers::Vector<std::uint64_t>>;

wire::Packing to_wire(const pack::packing& p) { return {p.base, p.scale, static_cast<std::uint8_t>(p.enc), p.width}; }

std::size_t first_valid(const column& c, std::size_t rows) noexcept {
  std::size_t row = 0;
  while (row < rows && c.is_null(row))
    ++row;
  return row;
}

/// Null rows hold arbitrary values. Giving them a value of the column keeps the range small and makes equal rows
/// equal bytes.
template <class T>
std::span<const T> without_nulls(const column& c, const std::vector<T>& values, std::vector<T>& scratch) {
  if (!c.has_nulls())
    return values;
  const std::size_t first = first_valid(c, values.size());
  scratch.assign(values.begin(), values.end());
  T last = first < values.size() ? values[first] : T{};
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (c.is_null(row))
      scratch[row] = last;
    else
      last = scratch[row];
  }
  return scratch;
}

/// Texts of a column that rows really use, numbered in the order of first use.
struct used_entries {
  std::vector<std::uint32_t> codes;
  std::vector<std::uint32_t> entries;
};

} // namespace

struct frame_encoder::impl {
  std::string encode(const frame& f);

private:
  using builder = flatbuffers::FlatBufferBuilder;

  flatbuffers::Offset<wire::Section> encode_section(const section& s);
  flatbuffers::Offset<wire::Column> encode_column(const column& c, const event_batch& b);
  flatbuffers::Offset<wire::Column> encode_text(const column& c, std::size_t rows);
  flatbuffers::Offset<wire::Ledger> encode_ledger(const ledger& l);
  template <class T>
  flatbuffers::Offset<wire::Column> encode_envelope(const std::vector<T>& values);

  bytes_offset data(const pack::packing& p, std::size_t rows);
  words_offset nulls(const column& c, std::size_t rows);
  void use_entries(const dictionary& d, std::span<const std::uint32_t> codes);
  std::span<const std::uint32_t> text_entries(const dictionary& d);
  flatbuffers::Offset<wire::Column> finish_text(const dictionary& d, std::span<const std::uint32_t> codes,
                                                bool all_entries, words_offset null_bits);
  std::uint8_t* room(std::size_t values);

  builder builder_{64 * 1024};
  std::vector<std::uint8_t> packed_;
  std::vector<std::uint8_t> b8_;
  std::vector<std::int64_t> i64_;
  std::vector<double> f64_;
  std::vector<std::uint32_t> u32_;
  std::vector<std::uint32_t> lengths_;
  used_entries used_;
  /// For every entry of the dictionary at hand: the pass that saw it, and its new code.
  struct mark {
    std::uint32_t pass = 0;
    std::uint32_t code = 0;
  };
  std::vector<mark> marks_;
  std::uint32_t pass_ = 0;
};

std::uint8_t* frame_encoder::impl::room(std::size_t values) {
  if (packed_.size() < values * 8)
    packed_.resize(values * 8);
  return packed_.data();
}

bytes_offset frame_encoder::impl::data(const pack::packing& p, std::size_t rows) {
  const std::size_t size = pack::data_bytes(p, rows);
  return size == 0 ? bytes_offset{} : builder_.CreateVector(packed_.data(), size);
}

words_offset frame_encoder::impl::nulls(const column& c, std::size_t rows) {
  std::uint64_t any = 0;
  for (const std::uint64_t word : c.nulls)
    any |= word;
  if (any == 0)
    return {};
  std::uint64_t* words = nullptr;
  const std::size_t count = (rows + 63) / 64;
  const auto offset = builder_.CreateUninitializedVector(count, &words);
  std::memcpy(words, c.nulls.data(), count * sizeof *words);
  if (rows % 64 != 0) // bits beyond the rows are nobody's
    words[count - 1] &= (std::uint64_t{1} << (rows % 64)) - 1;
  return offset;
}

template <class T>
flatbuffers::Offset<wire::Column> frame_encoder::impl::encode_envelope(const std::vector<T>& values) {
  const auto p = pack::pack_integers(std::span<const T>{values}, room(values.size()));
  const auto bytes = data(p, values.size());
  const wire::Packing packing = to_wire(p);
  return wire::CreateColumn(builder_, &packing, bytes);
}

flatbuffers::Offset<wire::Column> frame_encoder::impl::encode_column(const column& c, const event_batch& b) {
  assert(c.size() == b.rows);
  if (is_text(c.type))
    return encode_text(c, b.rows);
  std::uint8_t* out = room(b.rows);
  pack::packing p;
  if (c.type == data_type::boolean)
    p = pack::pack_bools(without_nulls(c, c.b8, b8_), out);
  else if (c.type == data_type::float64)
    p = pack::pack_doubles(without_nulls(c, c.f64, f64_), out);
  else if (c.type == data_type::timestamp && !c.has_nulls() && b.rows != 0 && c.i64 == b.time)
    p.enc = pack::encoding::event_time;
  else
    p = pack::pack_integers(without_nulls(c, c.i64, i64_), out);
  const auto bytes = data(p, b.rows);
  const auto null_bits = nulls(c, b.rows);
  const wire::Packing packing = to_wire(p);
  return wire::CreateColumn(builder_, &packing, bytes, null_bits);
}

/// Renumbers the entries that `codes` use, into `used_`.
void frame_encoder::impl::use_entries(const dictionary& d, std::span<const std::uint32_t> codes) {
  if (marks_.size() < d.size())
    marks_.resize(d.size());
  if (++pass_ == 0) {
    marks_.assign(marks_.size(), mark{});
    pass_ = 1;
  }
  used_.entries.clear();
  used_.codes.resize(codes.size());
  for (std::size_t row = 0; row < codes.size(); ++row) {
    mark& m = marks_[codes[row]];
    if (m.pass != pass_) {
      m = {pass_, static_cast<std::uint32_t>(used_.entries.size())};
      used_.entries.push_back(codes[row]);
    }
    used_.codes[row] = m.code;
  }
}

flatbuffers::Offset<wire::Column> frame_encoder::impl::encode_text(const column& c, std::size_t rows) {
  const auto null_bits = nulls(c, rows);
  if (!c.dict || c.dict->size() == 0 || first_valid(c, rows) == rows) {
    const wire::Packing nothing = to_wire({});
    return wire::CreateColumn(builder_, &nothing, 0, null_bits, 0, true, &nothing);
  }
  const dictionary& d = *c.dict;
  const std::span<const std::uint32_t> codes = without_nulls(c, c.codes, u32_);
  // Looking for entries out of use takes a pass; a small dictionary has little to save. A column of nothing but
  // different texts in order uses them all.
  const bool small = d.bytes().size() + d.size() <= rows;
  const bool sequence = d.size() == rows && codes[0] == 0 && codes[rows / 2] == rows / 2 && codes[rows - 1] == rows - 1;
  if (small || sequence)
    return finish_text(d, codes, true, null_bits);
  use_entries(d, codes);
  if (used_.entries.size() == d.size())
    return finish_text(d, codes, true, null_bits);
  return finish_text(d, used_.codes, false, null_bits);
}

/// The lengths of the entries to write, in `lengths_`.
std::span<const std::uint32_t> frame_encoder::impl::text_entries(const dictionary& d) {
  lengths_.resize(used_.entries.size());
  for (std::size_t i = 0; i < lengths_.size(); ++i)
    lengths_[i] = d.offsets()[used_.entries[i] + 1] - d.offsets()[used_.entries[i]];
  return lengths_;
}

flatbuffers::Offset<wire::Column> frame_encoder::impl::finish_text(const dictionary& d,
                                                                   std::span<const std::uint32_t> codes,
                                                                   bool all_entries, words_offset null_bits) {
  bytes_offset text;
  if (all_entries) {
    lengths_.resize(d.size());
    for (std::size_t i = 0; i < d.size(); ++i)
      lengths_[i] = d.offsets()[i + 1] - d.offsets()[i];
    text = builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(d.bytes().data()), d.bytes().size());
  } else {
    std::size_t total = 0;
    for (const std::uint32_t length : text_entries(d))
      total += length;
    std::uint8_t* to = nullptr;
    text = builder_.CreateUninitializedVector(total, &to);
    for (std::size_t i = 0; i < lengths_.size(); ++i) {
      if (lengths_[i] != 0)
        std::memcpy(to, d[used_.entries[i]].data(), lengths_[i]);
      to += lengths_[i];
    }
  }
  const pack::packing lengths = pack::pack_integers(std::span<const std::uint32_t>{lengths_}, room(lengths_.size()));
  const auto length_data = data(lengths, lengths_.size());
  const pack::packing values = pack::pack_integers(codes, room(codes.size()));
  const auto code_data = data(values, codes.size());
  const wire::Packing value_packing = to_wire(values);
  const wire::Packing length_packing = to_wire(lengths);
  return wire::CreateColumn(builder_, &value_packing, code_data, null_bits, static_cast<std::uint32_t>(lengths_.size()),
                            d.unique(), &length_packing, length_data, text);
}

flatbuffers::Offset<wire::Section> frame_encoder::impl::encode_section(const section& s) {
  const event_batch& b = s.batch;
  assert(b.rows <= envelope::max_rows);
  std::vector<flatbuffers::Offset<wire::Field>> fields;
  std::vector<flatbuffers::Offset<wire::Column>> columns;
  fields.reserve(b.columns.size());
  columns.reserve(b.columns.size());
  for (std::size_t i = 0; i < b.columns.size(); ++i) {
    const field& f = (*b.layout)[i];
    const auto field_name = builder_.CreateString(f.name);
    fields.push_back(wire::CreateField(builder_, field_name, static_cast<std::uint8_t>(f.type), f.nullable));
    columns.push_back(encode_column(b.columns[i], b));
  }
  const auto field_list = builder_.CreateVector(fields);
  const auto column_list = builder_.CreateVector(columns);
  const auto time = encode_envelope(b.time);
  const auto watermark = encode_envelope(b.watermark);
  const auto position = encode_envelope(b.position);
  const auto shard = encode_envelope(b.shard);
  const auto name = builder_.CreateString(s.name);
  return wire::CreateSection(builder_, name, static_cast<std::uint32_t>(b.rows), field_list, column_list, time,
                             watermark, position, shard);
}

flatbuffers::Offset<wire::Ledger> frame_encoder::impl::encode_ledger(const ledger& l) {
  return wire::CreateLedger(builder_, l.in, l.forwarded, l.absorbed, l.retired, l.filtered, l.duplicate, l.late,
                            l.rejected, l.skipped);
}

std::string frame_encoder::impl::encode(const frame& f) {
  builder_.Clear();
  std::vector<flatbuffers::Offset<wire::Section>> sections;
  sections.reserve(f.sections.size());
  for (const section& s : f.sections)
    sections.push_back(encode_section(s));
  const auto section_list = builder_.CreateVector(sections);
  const auto writer = builder_.CreateString(f.writer);
  const auto note = builder_.CreateString(f.note);
  const auto blob = builder_.CreateVector(reinterpret_cast<const std::uint8_t*>(f.blob.data()), f.blob.size());
  const auto counters = encode_ledger(f.counters);
  builder_.Finish(wire::CreateFrame(builder_, static_cast<std::uint8_t>(f.kind), writer, f.epoch, f.number, f.previous,
                                    f.origin.sequence, f.origin.checksum, f.origin.rows, f.watermark, f.high_time,
                                    f.idle, f.source_stamp, f.definition, counters, note, blob, section_list,
                                    f.origin.rows > 0 ? f.origin_watermark : 0));
  const auto append_raw = [](std::string& out, auto value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof raw);
  };
  std::string out;
  out.reserve(envelope::size + builder_.GetSize());
  out.append(envelope::magic);
  append_raw(out, envelope::version);
  append_raw(out, envelope::checksum_of(builder_.GetBufferPointer(), builder_.GetSize()));
  out.append(reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize());
  return out;
}

frame_encoder::frame_encoder() : impl_{std::make_unique<impl>()} {}
frame_encoder::~frame_encoder() = default;

std::string frame_encoder::encode(const frame& f) { return impl_->encode(f); }

} // namespace millrace
