// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a processor with lookup tables tells the metrics, so that the runtime need not know which processor it is:
/// `dynamic_cast<const lookup_totals*>(&processor)`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace {

class lookup_totals {
public:
  virtual ~lookup_totals() = default;

  struct totals {
    /// Lives as long as the processor.
    std::string_view name;
    /// Totals; part of the processor's state.
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    /// Of the contents in use.
    std::size_t rows = 0;
  };
  /// By name. For use once in a while, on the processor's own thread.
  virtual std::vector<totals> lookup_tables() const = 0;
};

} // namespace millrace
