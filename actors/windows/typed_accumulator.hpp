// SPDX-License-Identifier: Apache-2.0
/// @file
/// The accumulator whose cells are plain structs described by a traits class: loops over rows are compiled per
/// aggregate and type, so that an event costs a few instructions and no virtual call.
///
/// Traits: `cell` (default constructed: empty), `add(cell&, const column*, const event_batch&, row)`,
/// `merge(cell&, const cell&)`, `write(const cell&, batch_builder&, index, reason)`, `save`, `load`, and
/// `text_size(const cell&)` where `has_text`.
#pragma once

#include "actors/windows/aggregate.hpp"

#include <vector>

namespace millrace::windows {

template <class Traits>
class typed_accumulator final : public accumulator {
public:
  using cell = typename Traits::cell;

  void resize(std::size_t cells) override { cells_.resize(cells); }

  void reset(cell_id id) override {
    forget(cells_[id]);
    cells_[id] = cell{};
  }

  void add(const argument_view& argument, const cell_rows& in) override {
    const auto n = in.rows.size();
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = in.rows[i];
      if (argument.skip != nullptr && argument.skips(row))
        continue;
      auto& c = cells_[in.cells[i]];
      forget(c);
      Traits::add(c, argument.values, in.batch, row);
      remember(c);
    }
  }

  void merge(cell_id into, cell_id from) override {
    auto& c = cells_[into];
    forget(c);
    Traits::merge(c, cells_[from]);
    remember(c);
  }

  void write(cell_id id, const window_span& /*span*/, batch_builder& out, std::size_t index,
             std::string& reason) const override {
    Traits::write(cells_[id], out, index, reason);
  }
  void save(cell_id id, binary_writer& out) const override { Traits::save(cells_[id], out); }
  void load(cell_id id, binary_reader& in) override {
    forget(cells_[id]);
    Traits::load(cells_[id], in);
    remember(cells_[id]);
  }

  std::size_t cell_bytes() const noexcept override { return sizeof(cell); }
  std::size_t text_bytes() const noexcept override { return text_bytes_; }

private:
  void forget(const cell& c) {
    if constexpr (Traits::has_text)
      text_bytes_ -= Traits::text_size(c);
  }
  void remember(const cell& c) {
    if constexpr (Traits::has_text)
      text_bytes_ += Traits::text_size(c);
  }

  std::vector<cell> cells_;
  std::size_t text_bytes_ = 0;
};

} // namespace millrace::windows
