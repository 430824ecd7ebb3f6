// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/trimmer.hpp"

#include "actors/runtime/log.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace millrace::runtime {

namespace {

std::string bucket_of(const std::string& pipeline) { return "MILLRACE_" + pipeline + "_positions"; }

} // namespace

void trim_log(bus& b, const std::string& log, std::uint64_t below) {
  auto tails = b.tails(log, ">");
  if (!tails)
    return; // the next advance tries again
  for (const auto& m : *tails)
    if (auto r = b.trim(log, m.subject, below); !r)
      log::debug("cannot trim", {{"log", log}, {"subject", m.subject}, {"why", to_string(r.error())}});
}

std::uint64_t trimmer::smallest() {
  auto low = said_;
  for (const auto& r : spec_.readers) {
    if (r == spec_.reader)
      continue;
    auto e = bus_->kv_get(bucket_of(spec_.pipeline), spec_.log + "." + r);
    if (!e || !*e)
      return 0; // not known: nothing may go
    std::uint64_t n = 0;
    const auto& text = (*e)->value;
    std::from_chars(text.data(), text.data() + text.size(), n);
    low = std::min(low, n);
  }
  return low;
}

void trimmer::advance(std::uint64_t position, std::int64_t now) {
  if (spec_.readers.empty())
    return;
  held_.emplace_back(position, now);
  auto free = said_;
  while (!held_.empty() && now - held_.front().second >= spec_.replay) {
    free = std::max(free, held_.front().first);
    held_.pop_front();
  }
  if (free <= said_)
    return;
  if (spec_.readers.size() > 1) {
    const auto bucket = bucket_of(spec_.pipeline);
    if (!opened_ && !bus_->kv_open(bucket, std::chrono::nanoseconds{0}))
      return;
    opened_ = true;
    if (!bus_->kv_put(bucket, spec_.log + "." + spec_.reader, std::to_string(free)))
      return;
  }
  said_ = free;
  const auto below = smallest();
  if (below > trimmed_) {
    trimmed_ = below;
    if (spec_.source)
      (void)bus_->purge(spec_.log, below);
    else
      trim_log(*bus_, spec_.log, below);
  }
}

} // namespace millrace::runtime
