// SPDX-License-Identifier: Apache-2.0
/// @file
/// The first thing that an event meets in the stage: whether its (key, id) was seen before. Internal to the folder.
#pragma once

#include "actors/enrich/plan.hpp"
#include "actors/enrich/seen_ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::enrich {

/// What `duplicates` needs, by columns of the input.
struct compiled_duplicates {
  nanoseconds_t within = 0;
  state_limits limits;
  /// The event key and then the id: what makes an event the same.
  std::vector<std::size_t> columns;
  std::size_t id = 0;
};

/// Not thread-safe.
class duplicates_filter {
public:
  explicit duplicates_filter(const compiled_duplicates& o) : options_{o}, seen_{o.within} {}

  struct refusal {
    std::uint32_t row = 0;
    /// `late` or `limit`.
    std::string_view reason;
    std::string detail;
  };

  /// Judges every row of `in`: `kept()` and `refused()` tell which go on and which are rejected; the others are
  /// duplicates.
  void judge(const event_batch& in);
  /// Ascending.
  const std::vector<std::uint32_t>& kept() const noexcept { return kept_; }
  std::vector<refusal>& refused() noexcept { return refused_; }

  /// Every later row has at least this watermark.
  void advance(nanoseconds_t watermark) { seen_.forget(watermark); }

  const seen_ids& seen() const noexcept { return seen_; }
  void save(std::string& out) const { seen_.save(out); }
  result<void> load(std::string_view& in) { return seen_.load(in); }

private:
  void collect(const event_batch& in);
  void judge_row(const event_batch& in, std::uint32_t row);
  void refuse_late(const event_batch& in, std::uint32_t row);
  void refuse_limit(std::uint32_t row);

  const compiled_duplicates& options_;
  seen_ids seen_;
  std::vector<std::uint32_t> kept_;
  std::vector<refusal> refused_;
  /// Canonical ids of a batch, one after the other, and their hashes.
  std::string ids_;
  std::vector<std::size_t> ends_;
  std::vector<std::uint64_t> hashes_;
};

} // namespace millrace::enrich
