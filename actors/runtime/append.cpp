// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/append.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

enum class verdict { stored, again };

bool retryable(ec code) {
  return code == ec::full || code == ec::unavailable || code == ec::timeout || code == ec::conflict;
}

/// Rule 2.4: what does the tail say about an append without a clear answer?
result<verdict> resolve(bus& b, lane_append& r, ec why) {
  auto& l = *r.to;
  auto tail = b.tail(l.log, l.subject);
  if (!tail)
    return std::move(tail).error();
  const std::uint64_t seen = *tail ? (*tail)->sequence : 0;
  if (*tail && seen != l.last && (*tail)->payload == r.payload) {
    l.last = l.expected = seen;
    return verdict::stored;
  }
  if (seen == l.last) {
    if (why == ec::conflict && l.scope == expectation::scope::log) {
      // The subject is as we left it, so somebody wrote elsewhere on a log that has one writer.
      auto i = b.info(l.log);
      if (!i)
        return std::move(i).error();
      if (i->last_sequence != l.expected)
        return error{ec::fenced,
                     "log " + l.log + " moved to sequence " + std::to_string(i->last_sequence) +
                       " without this owner (expected " + std::to_string(l.expected) + ")",
                     "another replica owns it now; this one stops writing"};
    }
    return verdict::again;
  }
  return error{ec::fenced,
               "sequence " + std::to_string(seen) + " on " + l.subject + " was written by somebody else (expected " +
                 std::to_string(l.last) + ")",
               "another replica owns it now; this one stops writing"};
}

result<void> pause(const append_policy& policy, std::chrono::milliseconds& delay) {
  if (policy.stop && policy.stop->load())
    return error{ec::unavailable, "stopped while waiting for the log", ""};
  policy.sleep(delay);
  delay = std::min(delay * 2, policy.retry_cap);
  return {};
}

} // namespace

result<void> append_all(bus& b, std::span<lane_append> requests, const append_policy& policy) {
  std::vector<lane_append*> open;
  for (auto& r : requests)
    open.push_back(&r);
  std::vector<append_request> wire;
  auto delay = policy.retry;
  while (!open.empty()) {
    wire.clear();
    for (auto* r : open)
      wire.push_back({r->to->log, r->to->subject, r->payload, r->headers,
                      r->to->scope == expectation::scope::log ? expectation::of_log(r->to->expected)
                                                              : expectation::of_subject(r->to->expected)});
    auto outcomes = b.append(wire, policy.deadline);
    std::vector<lane_append*> rest;
    for (std::size_t i = 0; i < open.size(); ++i) {
      auto* r = open[i];
      if (outcomes[i]) {
        r->to->last = r->to->expected = *outcomes[i];
        continue;
      }
      const auto& e = outcomes[i].error();
      if (!retryable(e.code))
        return e;
      if (e.code == ec::full) {
        // Refused for room, but an earlier try of ours may be the one that filled it: only the tail knows.
        if (policy.on_wait)
          policy.on_wait(e, *r->to);
      }
      auto v = resolve(b, *r, e.code);
      if (!v) {
        if (v.error().code == ec::fenced)
          return v.error();
        if (policy.on_wait)
          policy.on_wait(v.error(), *r->to);
        rest.push_back(r);
      } else if (*v == verdict::again) {
        if (policy.on_wait && e.code != ec::full)
          policy.on_wait(e, *r->to);
        rest.push_back(r);
      }
    }
    open = std::move(rest);
    if (!open.empty())
      if (auto p = pause(policy, delay); !p)
        return p;
  }
  return {};
}

result<void> ensure_fitting_log(bus& b, log_spec spec) {
  for (;;) {
    auto r = b.ensure_log(spec);
    if (r)
      return {};
    if (r.error().code != ec::full || spec.max_bytes <= min_log_bytes)
      return std::move(r).error();
    spec.max_bytes = std::max(spec.max_bytes / 8, min_log_bytes);
  }
}

result<void> read_lane(bus& b, lane& l) {
  // The end of the log first: whatever is appended between the two questions then makes the claim's expectation stale,
  // and the claim is refused instead of standing on an old checkpoint.
  std::uint64_t end = 0;
  if (l.scope == expectation::scope::log) {
    auto i = b.info(l.log);
    if (!i)
      return std::move(i).error();
    end = i->last_sequence;
  }
  auto tail = b.tail(l.log, l.subject);
  if (!tail)
    return std::move(tail).error();
  l.last = l.expected = 0;
  if (*tail) {
    auto f = decode_frame((*tail)->payload);
    if (!f)
      return error{f.error().code, "the last message of " + l.subject + " is not a frame: " + f.error().message,
                   "something else publishes on this subject"};
    l.epoch = f->epoch;
    l.number = f->number;
    l.checksum = frame_checksum((*tail)->payload);
    l.last = l.expected = (*tail)->sequence;
    l.covered = f->origin;
    l.watermark = f->watermark;
    l.origin_watermark = f->origin_watermark;
    l.high_time = f->high_time;
    l.counters = f->counters;
    l.note = f->kind == frame_kind::manifest ? std::to_string((*tail)->sequence) : std::move(f->note);
  }
  if (l.scope == expectation::scope::log)
    l.expected = end;
  return {};
}

result<void> claim_lanes(bus& b, std::span<lane*> lanes, std::string_view writer, std::uint64_t definition,
                         const append_policy& policy) {
  std::uint64_t epoch = 0;
  for (auto* l : lanes) {
    if (auto r = read_lane(b, *l); !r)
      return r;
    epoch = std::max(epoch, l->epoch);
  }
  ++epoch;
  frame_encoder encoder;
  for (auto* l : lanes) {
    l->epoch = epoch;
    frame f;
    f.kind = frame_kind::claim;
    f.origin = l->covered;
    f.watermark = l->watermark;
    f.origin_watermark = l->origin_watermark;
    f.high_time = l->high_time;
    f.counters = l->counters;
    f.note = l->note;
    f.definition = definition;
    auto request = next_frame(*l, f, encoder, writer);
    if (auto r = append_all(b, {&request, 1}, policy); !r)
      return r;
  }
  return {};
}

lane_append next_frame(lane& l, frame& f, frame_encoder& encoder, std::string_view writer) {
  f.writer = writer;
  f.epoch = l.epoch;
  f.number = l.number + 1;
  f.previous = l.checksum;
  lane_append r{&l, encoder.encode(f), {}};
  l.number = f.number;
  l.checksum = frame_checksum(r.payload);
  l.covered = f.origin;
  l.watermark = f.watermark;
  l.origin_watermark = f.origin_watermark;
  l.high_time = f.high_time;
  l.counters = f.counters;
  l.note = f.note;
  return r;
}

} // namespace millrace::runtime
