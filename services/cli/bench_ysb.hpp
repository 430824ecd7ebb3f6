// SPDX-License-Identifier: Apache-2.0
/// @file
/// The work that `millrace bench` and bench/ysb.bench.cpp measure: generated ysb events in memory and in a file, and
/// each step of the pipeline over all of them, on the calling thread.
#pragma once

#include "messaging/errors.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::cli {

/// Not thread-safe. Its files live in a temporary folder as long as it does.
class ysb_work {
public:
  /// Errors: ec::io, ec::config.
  static result<std::unique_ptr<ysb_work>> make(std::uint64_t events);
  virtual ~ysb_work() = default;

  virtual std::uint64_t events() const = 0;
  /// The events, NDJSON; 64 bytes behind it are readable.
  virtual std::string_view text() const = 0;

  /// Each returns the number of events that it took in, which must be `events()`.
  /// All seven fields to columns.
  virtual std::size_t decode_all() = 0;
  /// All seven fields checked, those that the pipeline reads to columns.
  virtual std::size_t decode_needed() = 0;
  /// `decode_needed`, filter, lookup, count per campaign in tumbling windows of ten seconds.
  virtual std::size_t pipeline() = 0;
  /// The command `millrace batch` on the file, its output to nowhere. 0: it failed.
  virtual std::size_t batch() = 0;
};

} // namespace millrace::cli
