// SPDX-License-Identifier: Apache-2.0
/// @file
/// Traits for cells whose state is too big for a struct: a pointer, null until the first value.
///
/// Sketch: made from its `config`; `add(const column&, const event_batch&, row)`, `merge(const Sketch&)`,
/// `write(batch_builder&, index, reason)`, `save`, `load` (fails the reader on bytes that no `save` wrote), and
/// `heap() noexcept`, constant time: what it holds beside itself.
#pragma once

#include "actors/windows/typed_accumulator.hpp"

#include <memory>

namespace millrace::windows {

template <class Sketch>
struct sketch_traits {
  using cell = std::unique_ptr<Sketch>;
  static constexpr bool has_text = true;

  typename Sketch::config options;

  Sketch& made(cell& c) const {
    if (!c)
      c = std::make_unique<Sketch>(options);
    return *c;
  }
  void add(cell& c, const column* values, const event_batch& in, std::uint32_t row) const {
    made(c).add(*values, in, row);
  }
  void merge(cell& c, const cell& from) const {
    if (from)
      made(c).merge(*from);
  }
  void write(const cell& c, batch_builder& out, std::size_t index, std::string& reason) const {
    if (c)
      c->write(out, index, reason);
  }
  void save(const cell& c, binary_writer& out) const {
    out.u8(c ? 1 : 0);
    if (c)
      c->save(out);
  }
  void load(cell& c, binary_reader& in) const {
    c.reset();
    if (!in.flag())
      return;
    made(c).load(in);
    if (!in.ok())
      c.reset();
  }
  std::size_t text_size(const cell& c) const noexcept { return c ? sizeof(Sketch) + allocation_bytes + c->heap() : 0; }
};

/// An accumulator of sketches with these options.
template <class Sketch>
std::unique_ptr<accumulator> make_sketches(typename Sketch::config options) {
  return std::make_unique<typed_accumulator<sketch_traits<Sketch>>>(sketch_traits<Sketch>{std::move(options)});
}

} // namespace millrace::windows
