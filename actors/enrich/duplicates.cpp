// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/duplicates.hpp"

#include "messaging/codec/json_writer.hpp"

#include <limits>

namespace millrace::enrich {

namespace {

/// How many rows before its turn an id's place is loaded.
constexpr std::size_t ahead = 8;

std::string time_text(nanoseconds_t t) {
  std::string out;
  codec::append_timestamp(out, t);
  return out.substr(1, out.size() - 2);
}

std::string duration_text(nanoseconds_t d) {
  std::string out;
  codec::append_duration(out, d);
  return out.substr(1, out.size() - 2);
}

bool older(nanoseconds_t time, nanoseconds_t watermark, nanoseconds_t within) noexcept {
  constexpr auto lowest = std::numeric_limits<nanoseconds_t>::min();
  return watermark >= lowest + within && time < watermark - within;
}

} // namespace

void duplicates_filter::collect(const event_batch& in) {
  ids_.clear();
  ends_.resize(in.rows);
  hashes_.resize(in.rows);
  std::size_t begin = 0;
  for (std::size_t row = 0; row < in.rows; ++row) {
    append_key(ids_, in, options_.columns, row);
    ends_[row] = ids_.size();
    hashes_[row] = seen_ids::hash_of({ids_.data() + begin, ids_.size() - begin});
    begin = ids_.size();
  }
}

void duplicates_filter::judge(const event_batch& in) {
  kept_.clear();
  refused_.clear();
  collect(in);
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    if (row + ahead < in.rows)
      seen_.prefetch({{}, hashes_[row + ahead]}, in.time[row + ahead]);
    judge_row(in, row);
  }
}

void duplicates_filter::judge_row(const event_batch& in, std::uint32_t row) {
  if (in.columns[options_.id].is_null(row)) {
    kept_.push_back(row);
    return;
  }
  const auto time = in.time[row];
  // Its like may be forgotten by now, so nothing can be said about it.
  if (older(time, in.watermark[row], options_.within)) {
    refuse_late(in, row);
    return;
  }
  const auto begin = row == 0 ? 0 : ends_[row - 1];
  const seen_ids::probe id{{ids_.data() + begin, ends_[row] - begin}, hashes_[row]};
  if (seen_.contains(id, time))
    return;
  if (seen_.keys() >= options_.limits.keys || seen_.bytes() + seen_ids::bytes_of(id.bytes) > options_.limits.bytes ||
      !seen_.insert(id, time))
    refuse_limit(row);
  else
    kept_.push_back(row);
}

void duplicates_filter::refuse_late(const event_batch& in, std::uint32_t row) {
  refused_.push_back({row, "late",
                      "the event time " + time_text(in.time[row]) + " is more than `within` (" +
                        duration_text(options_.within) + ") older than the watermark " + time_text(in.watermark[row]) +
                        ", so whether the event is a duplicate is no longer known; raise `enrich.duplicates.within` "
                        "or `event.max_delay`"});
}

void duplicates_filter::refuse_limit(std::uint32_t row) {
  refused_.push_back({row, "limit",
                      std::to_string(seen_.keys()) + " ids in " + std::to_string(seen_.bytes()) +
                        " bytes are kept already, and `limits` allows " + std::to_string(options_.limits.keys) +
                        " keys and " + std::to_string(options_.limits.bytes) +
                        " bytes; raise `limits`, or shorten `enrich.duplicates.within`"});
}

} // namespace millrace::enrich
