// SPDX-License-Identifier: Apache-2.0
/// @file
/// Windows of so many events of a key, in position order.
#pragma once

#include "actors/windows/window_state.hpp"

namespace millrace::windows {

/// Not thread-safe.
class count_state final : public window_state {
public:
  count_state(const window_plan& w, const schema& input, std::uint32_t index, const state_budget& budget)
    : window_state{w, index, budget}, keys_{w, input}, cells_{w} {}

  void absorb(batch_pass& pass, result_rows& out) override { (void)pass, (void)out; }
  void advance(nanoseconds_t p, result_rows& out) override { (void)p, (void)out; }
  void end_step() override { keys_.sweep(); }
  event_batch results(result_rows& out) const override { return out.finish(keys_); }
  std::size_t keys() const noexcept override { return keys_.live(); }
  std::size_t bytes() const noexcept override { return keys_.bytes() + cells_.bytes(); }
  void save(binary_writer& out) const override { (void)out; }
  void load(binary_reader& in, nanoseconds_t p) override { (void)in, (void)p; }

private:
  key_table keys_;
  cell_store cells_;
};

} // namespace millrace::windows
