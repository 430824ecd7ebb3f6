// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/key_table.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>

namespace millrace::windows {

namespace {

key_value value_of(const column& c, std::uint32_t row) {
  if (c.is_null(row))
    return std::monostate{};
  switch (c.type) {
  case data_type::boolean: return c.b8[row] != 0;
  case data_type::uint64: return c.u64(row);
  case data_type::float64: return c.f64[row];
  case data_type::string:
  case data_type::bytes:
  case data_type::json: return std::string{c.text(row)};
  case data_type::int64:
  case data_type::timestamp:
  case data_type::duration: break;
  }
  return c.i64[row];
}

/// Whether a value read from a snapshot can stand in a column of this type.
bool fits(const key_value& v, const field& f) {
  if (std::holds_alternative<std::monostate>(v))
    return f.nullable;
  switch (f.type) {
  case data_type::boolean: return std::holds_alternative<bool>(v);
  case data_type::uint64: return std::holds_alternative<std::uint64_t>(v);
  case data_type::float64: return std::holds_alternative<double>(v);
  case data_type::string:
  case data_type::bytes:
  case data_type::json: return std::holds_alternative<std::string>(v);
  case data_type::int64:
  case data_type::timestamp:
  case data_type::duration: break;
  }
  return std::holds_alternative<std::int64_t>(v);
}

} // namespace

key_table::key_table(const window_plan& w, const schema& input) : plan_{w}, input_{input} {
  keyless_ = w.key_columns.empty();
}

void key_table::begin(const event_batch& batch) {
  batch_ = &batch;
  memo_column_ = nullptr;
  keyless_key_ = no_key;
  if (plan_.key_columns.size() != 1)
    return;
  const auto& c = batch.columns[plan_.key_columns[0]];
  // A dictionary larger than the batch (a slice of a larger one) is not worth a memo.
  if (!is_text(c.type) || !c.dict || c.dict->size() > 4 * batch.rows + 1024)
    return;
  memo_column_ = &c;
  memo_.assign(c.dict->size(), no_key);
}

key_id key_table::find_or_add(std::uint32_t row) {
  scratch_.clear();
  append_key(scratch_, *batch_, plan_.key_columns, row);
  if (const auto it = ids_.find(scratch_); it != ids_.end())
    return it->second;
  key_entry e;
  e.canonical = scratch_;
  e.json = "{";
  for (const auto c : plan_.key_columns) {
    if (e.json.size() > 1)
      e.json += ',';
    codec::append_string(e.json, input_[c].name);
    e.json += ':';
    codec::append_value(e.json, batch_->columns[c], row);
    e.values.push_back(value_of(batch_->columns[c], row));
  }
  e.json += '}';
  return add(std::move(e));
}

key_id key_table::add(key_entry entry) {
  key_id id = 0;
  if (free_.empty()) {
    id = static_cast<key_id>(entries_.size());
    entries_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  ids_.emplace(entry.canonical, id);
  entries_[id] = std::move(entry);
  idle_.push_back(id);
  return id;
}

void key_table::sweep() {
  for (const auto id : idle_) {
    auto& e = entries_[id];
    // A key may stand in the list twice; freed ones are not in the map any more.
    const auto it = ids_.find(e.canonical);
    if (e.cells != 0 || it == ids_.end() || it->second != id)
      continue;
    ids_.erase(it);
    e = key_entry{};
    free_.push_back(id);
  }
  idle_.clear();
}

std::size_t key_table::bytes_of(const key_entry& e) noexcept {
  auto bytes = sizeof(key_entry) + 64 + 2 * e.canonical.size() + e.json.size() + e.values.size() * sizeof(key_value);
  for (const auto& v : e.values)
    if (const auto* text = std::get_if<std::string>(&v))
      bytes += text->size();
  return bytes;
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
  const auto& values = entries_[id].values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& v = values[i];
    if (const auto* b = std::get_if<bool>(&v))
      out.set_bool(first + i, *b);
    else if (const auto* n = std::get_if<std::int64_t>(&v))
      out.set_int(first + i, *n);
    else if (const auto* u = std::get_if<std::uint64_t>(&v))
      out.set_uint(first + i, *u);
    else if (const auto* d = std::get_if<double>(&v))
      out.set_double(first + i, *d);
    else if (const auto* t = std::get_if<std::string>(&v))
      out.set_text(first + i, *t);
  }
}

std::vector<key_id> key_table::sorted() const {
  std::vector<key_id> ids;
  for (key_id id = 0; id < entries_.size(); ++id)
    if (entries_[id].cells != 0)
      ids.push_back(id);
  std::sort(ids.begin(), ids.end(), [&](key_id a, key_id b) { return entries_[a].canonical < entries_[b].canonical; });
  return ids;
}

void key_table::save(key_id id, binary_writer& out) const {
  const auto& e = entries_[id];
  out.text(e.canonical);
  out.text(e.json);
  for (const auto& v : e.values) {
    out.u8(static_cast<std::uint8_t>(v.index()));
    if (const auto* b = std::get_if<bool>(&v))
      out.u8(*b ? 1 : 0);
    else if (const auto* n = std::get_if<std::int64_t>(&v))
      out.i64(*n);
    else if (const auto* u = std::get_if<std::uint64_t>(&v))
      out.u64(*u);
    else if (const auto* d = std::get_if<double>(&v))
      out.f64(*d);
    else if (const auto* t = std::get_if<std::string>(&v))
      out.text(*t);
  }
}

key_id key_table::load(binary_reader& in) {
  key_entry e;
  e.canonical = in.text();
  e.json = in.text();
  for (const auto c : plan_.key_columns) {
    key_value v;
    switch (in.u8()) {
    case 0: break;
    case 1: v = in.flag(); break;
    case 2: v = in.i64(); break;
    case 3: v = in.u64(); break;
    case 4: v = in.f64(); break;
    case 5: v = std::string{in.text()}; break;
    default: in.fail(); break;
    }
    if (!fits(v, input_[c]))
      in.fail();
    e.values.push_back(std::move(v));
  }
  if (!in.ok() || ids_.contains(e.canonical)) {
    in.fail();
    return no_key;
  }
  return add(std::move(e));
}

} // namespace millrace::windows
