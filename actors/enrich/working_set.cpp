// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/working_set.hpp"

namespace millrace::enrich {

working_set::working_set(const compiled_plan& p, const event_batch& in)
  : plan_{p}, in_{in}, rows_{in.rows}, filled_(in.columns.size()) {
  work_.layout = p.input;
  work_.columns.reserve(p.needed_until.size());
  for (const auto& c : in.columns)
    work_.columns.emplace_back(c.type).dict = c.dict;
}

void working_set::fill(std::size_t slot) {
  if (!is_input(slot) || filled_[slot])
    return;
  work_.columns[slot] = selected_ ? take(in_.columns[slot], selection_) : in_.columns[slot];
  filled_[slot] = true;
}

const event_batch& working_set::view(std::span<const std::size_t> uses) {
  if (!selected_ && work_.columns.size() == in_.columns.size())
    return in_;
  for (const auto slot : uses)
    fill(slot);
  work_.rows = rows_;
  return work_;
}

const column& working_set::values(std::size_t slot) {
  if (is_input(slot) && !selected_)
    return in_.columns[slot];
  fill(slot);
  return work_.columns[slot];
}

void working_set::append(column c) { work_.columns.push_back(std::move(c)); }

void working_set::keep(std::span<const std::uint32_t> rows) {
  if (selected_) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      selection_[i] = selection_[rows[i]]; // rows ascend, so what is read was not written yet
    selection_.resize(rows.size());
  } else {
    selection_.assign(rows.begin(), rows.end());
    selected_ = true;
  }
  rows_ = rows.size();
  for (std::size_t slot = 0; slot < work_.columns.size(); ++slot) {
    auto& c = work_.columns[slot];
    if (is_input(slot)) {
      // Gathered again from the input if somebody needs it.
      if (filled_[slot]) {
        auto dict = c.dict;
        c = column{c.type};
        c.dict = std::move(dict);
        filled_[slot] = false;
      }
    } else if (plan_.needed_until[slot] > at_ + 1) {
      c = take(c, rows);
    } else {
      c = column{c.type};
    }
  }
}

event_batch working_set::finish() {
  event_batch out;
  out.layout = plan_.output;
  out.rows = rows_;
  out.columns.reserve(plan_.output_slots.size());
  for (const auto slot : plan_.output_slots) {
    fill(slot);
    out.columns.push_back(std::move(work_.columns[slot]));
  }
  const auto envelope = [&](const auto& from, auto& to) {
    if (!selected_) {
      to = from;
      return;
    }
    to.resize(rows_);
    for (std::size_t i = 0; i < rows_; ++i)
      to[i] = from[selection_[i]];
  };
  envelope(in_.time, out.time);
  envelope(in_.watermark, out.watermark);
  envelope(in_.position, out.position);
  envelope(in_.shard, out.shard);
  return out;
}

} // namespace millrace::enrich
