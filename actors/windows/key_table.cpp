// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/key_table.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace millrace::windows {

namespace {

/// One field of a canonical key (see messaging/event_batch_key.cpp).
struct key_field {
  bool null = false;
  /// Bits of a number, 0 or 1.
  std::int64_t number = 0;
  std::string_view text;
};

/// Takes a field of the type, or null, from the front; none when the bytes are something else.
std::optional<key_field> take_field(std::string_view& in, data_type type) {
  key_field f;
  if (in.empty())
    return std::nullopt;
  const auto tag = static_cast<unsigned char>(in.front());
  in.remove_prefix(1);
  if (tag == 0) {
    f.null = true;
    return f;
  }
  if (tag != static_cast<unsigned>(type) + 1)
    return std::nullopt;
  const bool text = is_text(type);
  const std::size_t width = text ? 4 : type == data_type::boolean ? 1 : 8;
  if (in.size() < width)
    return std::nullopt;
  std::uint64_t bits = 0;
  std::memcpy(&bits, in.data(), width);
  in.remove_prefix(width);
  f.number = static_cast<std::int64_t>(bits);
  if (!text)
    return type == data_type::boolean && bits > 1 ? std::nullopt : std::optional{f};
  if (in.size() < bits)
    return std::nullopt;
  f.text = in.substr(0, bits);
  in.remove_prefix(bits);
  return f;
}

void append_field(std::string& out, data_type type, const key_field& f) {
  if (f.null) {
    out += "null";
    return;
  }
  switch (type) {
  case data_type::boolean: out += f.number != 0 ? "true" : "false"; return;
  case data_type::int64: codec::append_int(out, f.number); return;
  case data_type::uint64: codec::append_uint(out, static_cast<std::uint64_t>(f.number)); return;
  case data_type::float64: codec::append_double(out, std::bit_cast<double>(f.number)); return;
  case data_type::string: codec::append_string(out, f.text); return;
  case data_type::bytes: codec::append_base64(out, f.text); return;
  case data_type::timestamp: codec::append_timestamp(out, f.number); return;
  case data_type::duration: codec::append_duration(out, f.number); return;
  case data_type::json: out += f.text; return;
  }
}

} // namespace

key_table::key_table(const window_plan& w, const schema& input)
  : plan_{w}, input_{input}, ids_{0, hash_of{this}, equal_to{this}} {
  keyless_ = w.key_columns.empty();
}

key_table::~key_table() {
  for (const auto& e : entries_)
    if (e.size > sizeof e.near)
      delete[] e.far();
}

void key_table::begin(const event_batch& batch) {
  batch_ = &batch;
  memo_column_ = nullptr;
  number_column_ = nullptr;
  keyless_key_ = no_key;
  if (plan_.key_columns.size() != 1)
    return;
  const auto& c = batch.columns[plan_.key_columns[0]];
  if (!is_text(c.type) && c.type != data_type::boolean && c.type != data_type::float64) {
    number_column_ = &c;
    numbers_.resize(std::size_t{1} << number_bits);
  }
  // A dictionary larger than the batch (a slice of a larger one) is not worth a memo.
  if (!is_text(c.type) || !c.dict || c.dict->size() > 4 * batch.rows + 1024)
    return;
  memo_column_ = &c;
  memo_.assign(c.dict->size(), no_key);
}

key_id key_table::find_or_add(std::uint32_t row) {
  scratch_.clear();
  append_key(scratch_, *batch_, plan_.key_columns, row);
  const auto it = ids_.find(std::string_view{scratch_});
  return it != ids_.end() ? *it : add(scratch_);
}

key_id key_table::add(std::string_view canonical) {
  key_entry e;
  e.size = static_cast<std::uint32_t>(canonical.size());
  if (canonical.size() <= sizeof e.near) {
    canonical.copy(e.near, canonical.size());
  } else {
    auto* const text = new char[canonical.size()];
    canonical.copy(text, canonical.size());
    std::memcpy(e.near, &text, sizeof text);
  }
  key_id id = 0;
  if (free_.empty()) {
    id = static_cast<key_id>(entries_.size());
    grow_to(entries_, entries_.size() + 1);
    entries_.push_back(e);
  } else {
    id = free_.back();
    free_.pop_back();
    entries_[id] = e;
  }
  ids_.insert(id);
  idle_.push_back(id);
  return id;
}

void key_table::sweep() {
  const auto before = free_.size();
  for (const auto id : idle_) {
    auto& e = entries_[id];
    // A key may stand in the list twice; freed ones are not in the index any more.
    const auto it = e.cells == 0 ? ids_.find(e.canonical()) : ids_.end();
    if (it == ids_.end() || *it != id)
      continue;
    ids_.erase(it);
    if (e.size > sizeof e.near)
      delete[] e.far();
    e = key_entry{};
    free_.push_back(id);
  }
  if (free_.size() != before)
    std::fill(numbers_.begin(), numbers_.end(), known_number{});
  if (idle_.capacity() > 65536)
    idle_ = std::vector<key_id>{};
  idle_.clear();
}

std::size_t key_table::bytes_of(const key_entry& e) noexcept {
  // The list of keys has a sixteenth to spare on average, the index between an eighth and more than half.
  constexpr std::size_t index_bytes = 8;
  return sizeof(key_entry) + sizeof(key_entry) / 16 + index_bytes + (e.size > sizeof e.near ? block_bytes(e.size) : 0);
}

void key_table::add_cell(key_id id) {
  auto& e = entries_[id];
  if (e.cells++ == 0) {
    ++live_;
    bytes_ += bytes_of(e);
  }
}

void key_table::remove_cell(key_id id) {
  auto& e = entries_[id];
  if (--e.cells == 0) {
    --live_;
    bytes_ -= bytes_of(e);
    idle_.push_back(id);
  }
}

void key_table::write(key_id id, batch_builder& out, std::size_t first) const {
  auto rest = entries_[id].canonical();
  for (std::size_t i = 0; i < plan_.key_columns.size(); ++i) {
    const auto type = input_[plan_.key_columns[i]].type;
    const auto f = take_field(rest, type);
    if (!f || f->null)
      continue;
    if (is_text(type))
      out.set_text(first + i, f->text);
    else if (type == data_type::boolean)
      out.set_bool(first + i, f->number != 0);
    else if (type == data_type::uint64)
      out.set_uint(first + i, static_cast<std::uint64_t>(f->number));
    else if (type == data_type::float64)
      out.set_double(first + i, std::bit_cast<double>(f->number));
    else
      out.set_int(first + i, f->number);
  }
}

void key_table::append_json(key_id id, std::string& out) const {
  auto rest = entries_[id].canonical();
  out += '{';
  for (std::size_t i = 0; i < plan_.key_columns.size(); ++i) {
    const auto& column = input_[plan_.key_columns[i]];
    if (i != 0)
      out += ',';
    codec::append_string(out, column.name);
    out += ':';
    if (const auto f = take_field(rest, column.type))
      append_field(out, column.type, *f);
  }
  out += '}';
}

std::vector<key_id> key_table::sorted() const {
  std::vector<key_id> ids;
  ids.reserve(live_);
  for (key_id id = 0; id < entries_.size(); ++id)
    if (entries_[id].cells != 0)
      ids.push_back(id);
  std::sort(ids.begin(), ids.end(),
            [&](key_id a, key_id b) { return entries_[a].canonical() < entries_[b].canonical(); });
  return ids;
}

void key_table::save(key_id id, binary_writer& out) const { out.text(entries_[id].canonical()); }

bool key_table::fits(std::string_view canonical) const {
  for (const auto c : plan_.key_columns) {
    const auto f = take_field(canonical, input_[c].type);
    if (!f || (f->null && !input_[c].nullable))
      return false;
  }
  return canonical.empty();
}

key_id key_table::load(binary_reader& in) {
  const auto canonical = in.text();
  if (!in.ok() || !fits(canonical) || ids_.contains(canonical)) {
    in.fail();
    return no_key;
  }
  return add(canonical);
}

} // namespace millrace::windows
