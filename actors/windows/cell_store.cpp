// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/cell_store.hpp"

#include <algorithm>

namespace millrace::windows {

namespace {

/// Errors quote values; one long text per cell must not fill the state.
constexpr std::size_t longest_reason = 256;

} // namespace

cell_store::cell_store(const window_plan& w) : plan_{w}, reasons_(w.hidden.size()) {
  for (const auto& h : w.hidden) {
    accumulators_.push_back(h.kind->make(h.argument_type, h.parameters));
    cell_bytes_ += accumulators_.back()->cell_bytes();
  }
}

cell_id cell_store::make() {
  if (!free_.empty()) {
    const auto cell = free_.back();
    free_.pop_back();
    return cell;
  }
  if (used_ == size_) {
    // By doubling while that is cheap, then by an eighth: the spare part of a large state is memory lost.
    size_ += std::max<std::size_t>(64, size_ < 65536 ? size_ : size_ / 8);
    for (auto& a : accumulators_)
      a->resize(size_);
  }
  return static_cast<cell_id>(used_++);
}

void cell_store::release(cell_id cell) {
  reset(cell);
  free_.push_back(cell);
}

void cell_store::reset(cell_id cell) {
  text_bytes_.reset();
  for (auto& a : accumulators_)
    a->reset(cell);
  for (auto& r : reasons_) {
    if (r.empty())
      continue;
    if (const auto it = r.find(cell); it != r.end()) {
      reason_bytes_ -= it->second.size();
      r.erase(it);
    }
  }
}

/// Rows that are partial accumulators: each is merged into its cell.
void cell_store::add_partials(const cell_rows& in) {
  const auto& states = in.batch.columns[*plan_.partial_column];
  const auto part = make();
  for (std::size_t i = 0; i < in.rows.size(); ++i) {
    binary_reader bytes{states.text(in.rows[i])};
    load(part, bytes);
    if (bytes.at_end())
      merge(in.cells[i], part);
    else
      for (std::size_t k = 0; k < accumulators_.size(); ++k)
        note(k, in.cells[i], "a partial result is damaged");
    reset(part);
  }
  free_.push_back(part);
}

void cell_store::add(std::span<const argument_view> arguments, const cell_rows& in) {
  if (plan_.partial_column)
    return add_partials(in);
  text_bytes_.reset();
  for (std::size_t k = 0; k < accumulators_.size(); ++k) {
    const auto& index = plan_.hidden[k].argument;
    const auto argument = index ? arguments[*index] : argument_view{};
    accumulators_[k]->add(argument, in);
    if (argument.failed != nullptr)
      note_failures(k, argument, in);
  }
}

void cell_store::note_failures(std::size_t accumulator, const argument_view& argument, const cell_rows& in) {
  for (std::size_t i = 0; i < in.rows.size(); ++i)
    if (argument.failed->is_error(in.rows[i]))
      note(accumulator, in.cells[i], argument.failed->reason(in.rows[i]));
}

void cell_store::note(std::size_t accumulator, cell_id cell, std::string_view reason) {
  reason = reason.substr(0, longest_reason);
  auto [it, fresh] = reasons_[accumulator].try_emplace(cell, reason);
  if (fresh) {
    reason_bytes_ += reason.size();
  } else if (reason < it->second) {
    reason_bytes_ = reason_bytes_ - it->second.size() + reason.size();
    it->second = reason;
  }
}

void cell_store::merge(cell_id into, cell_id from) {
  text_bytes_.reset();
  for (std::size_t k = 0; k < accumulators_.size(); ++k) {
    accumulators_[k]->merge(into, from);
    if (reasons_[k].empty())
      continue;
    if (const auto it = reasons_[k].find(from); it != reasons_[k].end())
      note(k, into, std::string{it->second});
  }
}

void cell_store::write(cell_id cell, const window_span& span, batch_builder& out,
                       std::vector<std::pair<std::uint32_t, std::string>>& reasons) const {
  std::string reason;
  for (std::size_t k = 0; k < accumulators_.size(); ++k) {
    if (!reasons_[k].empty()) {
      if (const auto it = reasons_[k].find(cell); it != reasons_[k].end()) {
        reasons.emplace_back(static_cast<std::uint32_t>(k), plan_.hidden[k].text + ": " + it->second);
        continue;
      }
    }
    reason.clear();
    accumulators_[k]->write(cell, span, out, k, reason);
    if (!reason.empty())
      reasons.emplace_back(static_cast<std::uint32_t>(k), plan_.hidden[k].text + ": " + reason);
  }
}

void cell_store::save(cell_id cell, binary_writer& out) const {
  for (std::size_t k = 0; k < accumulators_.size(); ++k) {
    accumulators_[k]->save(cell, out);
    const auto it = reasons_[k].find(cell);
    out.u8(it != reasons_[k].end() ? 1 : 0);
    if (it != reasons_[k].end())
      out.text(it->second);
  }
}

void cell_store::load(cell_id cell, binary_reader& in) {
  text_bytes_.reset();
  for (std::size_t k = 0; k < accumulators_.size() && in.ok(); ++k) {
    accumulators_[k]->load(cell, in);
    if (in.flag())
      note(k, cell, in.text());
  }
}

std::size_t cell_store::bytes(std::size_t cells) const noexcept {
  if (!text_bytes_) {
    text_bytes_ = 0;
    for (const auto& a : accumulators_)
      *text_bytes_ += a->text_bytes();
  }
  // A sixteenth is to spare on average.
  return cells * cell_bytes_ + cells * cell_bytes_ / 16 + reason_bytes_ + *text_bytes_;
}

} // namespace millrace::windows
