// SPDX-License-Identifier: Apache-2.0
/// @file
/// Deterministic example events as NDJSON: same options, same bytes, on every machine. What `millrace generate` does.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

namespace millrace::generate {

struct options {
  /// `trades`, `sensors` or `ysb`.
  std::string kind;
  /// Lines written, repeated ones included.
  std::uint64_t events = 10'000;
  std::uint64_t seed = 1;
  /// Events per second of event time (not of the clock); 0: the default of the kind.
  double rate = 0;
  /// How far back an event's time may lie behind that of events written before it, ns.
  std::int64_t disorder = 0;
  /// Fraction of events, 0 to 1, whose time lies 5 to 15 minutes further back than `disorder`.
  double late = 0;
  /// Fraction of lines, 0 to 1, that repeat one of the eight lines before them.
  double duplicates = 0;
  /// File that the lookup table is written to; empty: none.
  std::string table;
};

/// The kinds that `run` knows.
std::span<const std::string_view> kinds() noexcept;

/// Events per second of event time when `options::rate` is 0; 0 for an unknown kind.
double default_rate(std::string_view kind) noexcept;

/// The lookup table (CSV with header) that goes with a kind; it depends on nothing else. Empty for unknown kinds.
std::string table(std::string_view kind);

/// Writes the events to `out`. Returns the exit code: 0, 2 for wrong options, 3 when a write fails; messages go to
/// `err` (without: to standard error).
int run(const options& o, std::ostream& out, std::ostream& err);
int run(const options& o, std::ostream& out);

} // namespace millrace::generate
