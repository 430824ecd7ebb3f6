// SPDX-License-Identifier: Apache-2.0
/// @file
/// The accumulator whose cells are plain structs described by a traits class: loops over rows are compiled per
/// aggregate and type, so that an event costs a few instructions and no virtual call.
///
/// Traits (an object, which may hold parameters): `cell` (default constructed: empty),
/// `add(cell&, const column*, const event_batch&, row)`, `merge(cell&, const cell&)`,
/// `write(const cell&, batch_builder&, index, reason)`, with a `const window_span&` after the cell where the result
/// depends on it, `save`, `load`, and `text_size(const cell&)` where `has_text`: what the cell holds elsewhere.
#pragma once

#include "actors/windows/aggregate.hpp"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::windows {

/// What an allocation costs beside its bytes, on average: header and rounding.
inline constexpr std::size_t allocation_bytes = 12;

/// Bytes of an array of `n` elements that grows by doubling.
template <class T>
constexpr std::size_t grown_bytes(std::size_t n) noexcept {
  return n == 0 ? 0 : std::bit_ceil(n) * sizeof(T) + allocation_bytes;
}

/// Room for `n` elements as `grown_bytes` counts it, for arrays that do not grow one by one.
template <class T>
void reserve_grown(std::vector<T>& array, std::size_t n) {
  if (n != 0)
    array.reserve(std::bit_ceil(n));
}

template <class Traits>
class typed_accumulator final : public accumulator {
public:
  using cell = typename Traits::cell;

  explicit typed_accumulator(Traits traits = {}) : traits_{std::move(traits)} {}

  void resize(std::size_t cells) override {
    cells_.reserve(cells); // else it doubles, whatever the owner asked for
    cells_.resize(cells);
  }

  void reset(cell_id id) override {
    auto& c = cells_[id];
    forget(c);
    // Not by assignment: a text keeps its memory when an empty one is assigned.
    std::destroy_at(&c);
    std::construct_at(&c);
  }

  void add(const argument_view& argument, const cell_rows& in) override {
    const auto n = in.rows.size();
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = in.rows[i];
      if (argument.skip != nullptr && argument.skips(row))
        continue;
      auto& c = cells_[in.cells[i]];
      forget(c);
      traits_.add(c, argument.values, in.batch, row);
      remember(c);
    }
  }

  void merge(cell_id into, cell_id from) override {
    auto& c = cells_[into];
    forget(c);
    traits_.merge(c, cells_[from]);
    remember(c);
  }

  void write(cell_id id, const window_span& span, batch_builder& out, std::size_t index,
             std::string& reason) const override {
    if constexpr (requires { traits_.write(cells_[id], span, out, index, reason); })
      traits_.write(cells_[id], span, out, index, reason);
    else
      traits_.write(cells_[id], out, index, reason);
  }
  void save(cell_id id, binary_writer& out) const override { traits_.save(cells_[id], out); }
  void load(cell_id id, binary_reader& in) override {
    forget(cells_[id]);
    traits_.load(cells_[id], in);
    remember(cells_[id]);
  }

  std::size_t cell_bytes() const noexcept override { return sizeof(cell); }
  std::size_t text_bytes() const noexcept override { return text_bytes_; }

private:
  void forget(const cell& c) {
    if constexpr (Traits::has_text)
      text_bytes_ -= traits_.text_size(c);
  }
  void remember(const cell& c) {
    if constexpr (Traits::has_text)
      text_bytes_ += traits_.text_size(c);
  }

  [[no_unique_address]] Traits traits_;
  std::vector<cell> cells_;
  std::size_t text_bytes_ = 0;
};

} // namespace millrace::windows
