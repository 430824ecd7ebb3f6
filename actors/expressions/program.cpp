// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/program.hpp"

#include "actors/expressions/column_writer.hpp"

#include <algorithm>

namespace millrace::expressions {

namespace {

/// What a thread's evaluations share, so that they do not allocate.
struct scratch {
  std::vector<view> views;
  std::vector<storage> registers;
};

scratch& thread_scratch() {
  thread_local scratch s;
  return s;
}

void show(view& v, const column& c, bool scalar) {
  v.type = c.type;
  v.scalar = scalar;
  v.b8 = c.b8.data();
  v.i64 = c.i64.data();
  v.f64 = c.f64.data();
  v.codes = c.codes.data();
  v.dict = c.dict;
  v.nulls = c.nulls.empty() ? nullptr : c.nulls.data();
  v.errors = nullptr;
}

void broadcast(const column& c, std::size_t rows, column& out) {
  out.type = c.type;
  if (!c.b8.empty())
    out.b8.assign(rows, c.b8[0]);
  if (!c.i64.empty())
    out.i64.assign(rows, c.i64[0]);
  if (!c.f64.empty())
    out.f64.assign(rows, c.f64[0]);
  if (!c.codes.empty())
    out.codes.assign(rows, c.codes[0]);
  out.dict = c.dict;
}

/// A column has values of its type only; a register keeps those of its earlier uses.
void keep_only(column& c) {
  const bool integers = c.type == data_type::int64 || c.type == data_type::uint64 || c.type == data_type::timestamp ||
                        c.type == data_type::duration;
  if (c.type != data_type::boolean)
    c.b8.clear();
  if (!integers)
    c.i64.clear();
  if (c.type != data_type::float64)
    c.f64.clear();
  if (!is_text(c.type)) {
    c.codes.clear();
    c.dict.reset();
  }
}

/// Clears the bits beyond the last row, and bitmaps without a bit.
void tidy(std::vector<std::uint64_t>& bits, std::size_t rows) {
  if (bits.empty())
    return;
  if (rows % 64 != 0)
    bits.back() &= (std::uint64_t{1} << (rows % 64)) - 1;
  if (std::all_of(bits.begin(), bits.end(), [](std::uint64_t w) { return w == 0; }))
    bits.clear();
}

} // namespace

bool program::run(const event_batch& in, evaluation& out) const {
  if (in.rows == 0)
    return false;
  auto& s = thread_scratch();
  if (s.views.size() < views_)
    s.views.resize(views_);
  if (s.registers.size() < registers_)
    s.registers.resize(registers_);
  for (const auto& from : sources_)
    show(s.views[from.view], in.columns[from.column], false);
  for (std::size_t k = 0; k < constants_.size(); ++k)
    show(s.views[constant_views_[k]], constants_[k], true);
  execution x{in, s.views, s.registers, in.rows, (in.rows + 63) / 64, false};
  for (const auto& i : code_) {
    auto& r = s.registers[i.target];
    r.values.nulls.clear();
    r.errors.clear();
    i.run(x, i);
  }

  reset(out, s.views[result_].type);
  const auto made = std::find_if(code_.rbegin(), code_.rend(), [&](const auto& i) { return i.out == result_; });
  if (made != code_.rend()) {
    auto& r = s.registers[made->target];
    std::swap(out.values, r.values);
    std::swap(out.errors, r.errors);
    keep_only(out.values);
  } else if (s.views[result_].scalar) {
    const auto k = std::find(constant_views_.begin(), constant_views_.end(), result_) - constant_views_.begin();
    broadcast(constants_[static_cast<std::size_t>(k)], in.rows, out.values);
  } else {
    for (const auto& from : sources_)
      if (from.view == result_)
        out.values = in.columns[from.column];
  }
  tidy(out.errors, in.rows);
  tidy(out.values.nulls, in.rows);
  // Dictionaries are large; the scratch space must not keep them alive.
  for (std::size_t k = 0; k < views_; ++k)
    s.views[k].dict.reset();
  for (std::size_t k = 0; k < registers_; ++k)
    s.registers[k].values.dict.reset();
  return !x.inexact;
}

} // namespace millrace::expressions
