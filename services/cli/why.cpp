// SPDX-License-Identifier: Apache-2.0
#include "services/cli/why.hpp"

#include "messaging/frame.hpp"
#include "messaging/subjects.hpp"
#include "services/process/context.hpp"

#include <algorithm>

namespace millrace::cli {

namespace {

/// A writer that lives says something at least so often beyond what it waits for.
constexpr nanoseconds_t patience = 5'000'000'000;

/// a + b for b ≥ 0, short of `end_watermark`.
nanoseconds_t plus(nanoseconds_t a, nanoseconds_t b) noexcept {
  nanoseconds_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) || sum == end_watermark ? end_watermark - 1 : sum;
}

nanoseconds_t floor_to(nanoseconds_t t, nanoseconds_t step) noexcept { return t - ((t % step) + step) % step; }

std::string_view stage_state(const tail_view& t) {
  if (!t.present)
    return "unclaimed";
  return t.released ? "released" : "behind";
}

/// Of those that have one, none if one that counts has not.
std::optional<nanoseconds_t> lowest_watermark(const std::vector<tail_view>& all) {
  std::optional<nanoseconds_t> low;
  for (const auto& t : all) {
    if (t.absent)
      continue;
    if (t.watermark == no_watermark)
      return std::nullopt;
    low = std::min(low.value_or(t.watermark), t.watermark);
  }
  return low;
}

class asker {
public:
  asker(bus& b, const pipeline::definition& d, const why_question& q, nanoseconds_t now)
    : bus_{b}, d_{d}, window_{d.windows->window(q.window)}, question_{q}, now_{now} {}

  result<why_answer> ask();

private:
  result<tail_view> tail(std::string_view stage, std::uint32_t partition, std::string_view writer = {});
  result<std::vector<tail_view>> shards(std::uint32_t partition);
  std::optional<nanoseconds_t> target(nanoseconds_t watermark, nanoseconds_t high) const;
  result<why_partition> ask_partition(std::uint32_t p);
  result<why_partition> ask_merge(std::uint32_t q);
  result<void> find_holder(std::uint32_t p, std::string_view last_stage, const tail_view& last, why_partition& out);
  std::optional<holder> lowest_shard(const std::vector<tail_view>& all, std::optional<nanoseconds_t> target) const;
  std::string_view state_of(const tail_view& t) const;
  bool speaks(const tail_view& t) const { return t.present && !t.released && now_ - t.stamp <= patience; }

  bus& bus_;
  const pipeline::definition& d_;
  const windows::window_options& window_;
  const why_question& question_;
  nanoseconds_t now_;
};

result<tail_view> asker::tail(std::string_view stage, std::uint32_t partition, std::string_view writer) {
  const auto name = writer.empty() ? subject(d_.name, stage, partition) : subject(d_.name, stage, partition, writer);
  auto m = bus_.tail(stream_name(d_.name, stage, partition), name);
  if (!m)
    return m.error().code == ec::not_found ? result<tail_view>{tail_view{}} : std::move(m).error();
  tail_view out;
  if (!*m)
    return out;
  const auto f = decode_frame((*m)->payload);
  if (!f)
    return error{ec::corrupt, "the last message of " + name + " is not a frame: " + f.error().message,
                 "something else publishes on this subject"};
  out.present = true;
  out.released = f->kind == frame_kind::release;
  out.idle = f->idle;
  out.watermark = f->watermark;
  out.high_time = f->high_time;
  out.stamp = (*m)->stamp;
  return out;
}

result<std::vector<tail_view>> asker::shards(std::uint32_t partition) {
  std::vector<tail_view> out;
  for (const auto& s : d_.sources) {
    auto t = tail("events", partition, s.shard);
    if (!t)
      return std::move(t).error();
    out.push_back(*t);
  }
  const auto enriched = tail("enriched", partition);
  if (!enriched)
    return enriched.error();
  // A partition has a watermark only when every writer has one or said that it is idle; claims and releases do not
  // repeat that.
  const bool settled = enriched->watermark != no_watermark;
  const bool any_event = std::any_of(out.begin(), out.end(), [](const auto& t) { return t.watermark != no_watermark; });
  for (auto& t : out)
    t.absent = t.present && t.watermark == no_watermark && any_event && (t.idle || settled);
  return out;
}

/// The watermark at which the window in question closes.
std::optional<nanoseconds_t> asker::target(nanoseconds_t watermark, nanoseconds_t high) const {
  const auto& w = window_;
  if (w.kind == windows::window_kind::session)
    return high == no_watermark ? std::nullopt : std::optional{plus(high, w.gap)};
  if (w.kind == windows::window_kind::count || w.every <= 0)
    return std::nullopt;
  if (question_.at)
    return plus(floor_to(*question_.at, w.every), w.kind == windows::window_kind::global ? w.every : w.size);
  if (watermark == no_watermark || watermark == end_watermark) {
    // Nothing has closed yet: the first window to close is that of the oldest event, which is not known here.
    return std::nullopt;
  }
  // Ends are those multiples of `every` that are `size` after a start.
  const auto shift = w.kind == windows::window_kind::global ? 0 : w.size % w.every;
  return plus(floor_to(watermark - shift, w.every) + shift, w.every);
}

std::string_view asker::state_of(const tail_view& t) const {
  if (!t.present)
    return "unclaimed";
  if (t.released)
    return "released";
  const auto quiet = now_ - t.stamp;
  if (t.idle && t.watermark == no_watermark)
    return "idle"; // without an event it has nothing more to say
  if (t.idle)
    return quiet > patience ? "silent" : "idle";
  return quiet > d_.idle_timeout + patience ? "silent" : "active";
}

/// The shard with the smallest watermark below the target. A shard that is idle without ever having had an event
/// holds nothing (rule 4.2), one that has not claimed holds everything.
std::optional<holder> asker::lowest_shard(const std::vector<tail_view>& all, std::optional<nanoseconds_t> to) const {
  std::optional<holder> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& t = all[i];
    if (t.absent || t.watermark == end_watermark || (to && t.present && t.watermark >= *to))
      continue;
    const auto rank = [](const tail_view& x) { return std::pair{x.present, x.watermark}; };
    if (!out || rank(t) < rank(out->tail))
      out = holder{hold_kind::shard, d_.sources[i].shard, state_of(t), t, 0};
  }
  return out;
}

/// Walks from the window stage back to the sources: the first step that lacks what the one before it has.
result<void> asker::find_holder(std::uint32_t p, std::string_view last_stage, const tail_view& last,
                                why_partition& out) {
  auto sources = shards(p);
  if (!sources)
    return std::move(sources).error();
  const auto enriched = tail("enriched", p);
  if (!enriched)
    return enriched.error();
  auto to = out.closes_at;
  // What the sources have said already must come through; a stage that speaks now just has not said so yet.
  if (!to && (last.watermark == no_watermark || enriched->watermark == no_watermark)) {
    to = lowest_watermark(*sources);
    if (to && speaks(*enriched) && speaks(last))
      to = out.closes_at = target(*to, out.watermark);
  }
  const auto reached = [&](const tail_view& t) { return t.present && to && t.watermark >= *to; };
  out.held_by = lowest_shard(*sources, to);
  if (!out.held_by && !reached(*enriched))
    out.held_by = holder{hold_kind::stage, "enrich", stage_state(*enriched), *enriched, p};
  else if (!out.held_by && !reached(last))
    out.held_by = holder{hold_kind::stage, std::string{last_stage}, stage_state(last), last, p};
  else if (!out.held_by)
    out.held_by = lowest_shard(*sources, out.closes_at);
  return {};
}

result<why_partition> asker::ask_partition(std::uint32_t p) {
  const auto last = tail("windows", p);
  if (!last)
    return last.error();
  auto sources = shards(p);
  if (!sources)
    return std::move(sources).error();
  auto high = last->high_time;
  for (const auto& s : *sources)
    high = std::max(high, s.high_time);
  why_partition out;
  out.partition = p;
  out.watermark = last->watermark;
  out.ended = last->watermark == end_watermark;
  out.closes_at = target(last->watermark, high);
  if (out.ended || (out.closes_at && last->watermark >= *out.closes_at))
    return out;
  if (auto r = find_holder(p, "window", *last, out); !r)
    return r.error();
  return out;
}

/// A window that is merged over partitions: held by the partition whose partial results lag most.
result<why_partition> asker::ask_merge(std::uint32_t q) {
  const auto own = process::merge_partition(d_, q);
  const auto last = tail("windows", own);
  if (!last)
    return last.error();
  why_partition out;
  out.partition = q;
  out.watermark = last->watermark;
  out.ended = last->watermark == end_watermark;
  out.closes_at = target(last->watermark, last->high_time);
  if (out.ended || (out.closes_at && last->watermark >= *out.closes_at))
    return out;
  std::optional<std::pair<std::uint32_t, tail_view>> low;
  for (std::uint32_t p = 0; p < d_.partitions; ++p) {
    const auto t = tail("partials", q, std::to_string(p));
    if (!t)
      return t.error();
    const bool enough =
      t->present && (t->watermark == end_watermark || (out.closes_at && t->watermark >= *out.closes_at));
    const auto rank = [](const tail_view& x) { return std::pair{x.present, x.watermark}; };
    if (!enough && (!low || rank(*t) < rank(low->second)))
      low = std::pair{p, *t};
  }
  if (low) {
    if (auto r = find_holder(low->first, "window", low->second, out); !r)
      return r.error();
  } else {
    out.held_by = holder{hold_kind::stage, "window-merge", stage_state(*last), *last, own};
  }
  return out;
}

result<why_answer> asker::ask() {
  if (auto i = bus_.info(stream_name(d_.name, "events", 0)); !i) {
    if (i.error().code != ec::not_found)
      return std::move(i).error();
    return error{ec::not_found, "pipeline " + d_.name + " has no logs on this server: it has never run here",
                 "check --nats and MILLRACE_NATS_URL, or start the services"};
  }
  why_answer out;
  out.window = question_.window;
  out.now = now_;
  const bool merged = window_.merged && d_.partitions > 1;
  for (std::uint32_t p = 0; p < d_.partitions; ++p) {
    auto x = merged ? ask_merge(p) : ask_partition(p);
    if (!x)
      return std::move(x).error();
    out.partitions.push_back(std::move(*x));
  }
  return out;
}

} // namespace

result<why_answer> ask_why(bus& b, const pipeline::definition& d, const why_question& q, nanoseconds_t now) {
  return asker{b, d, q, now}.ask();
}

} // namespace millrace::cli
