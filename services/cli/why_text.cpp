// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/json_writer.hpp"
#include "services/cli/why.hpp"

#include <algorithm>

namespace millrace::cli {

namespace {

std::string unquoted(std::string text) { return text.size() >= 2 ? text.substr(1, text.size() - 2) : text; }

std::string time_text(nanoseconds_t t) {
  if (t == no_watermark)
    return "none yet";
  if (t == end_watermark)
    return "the end";
  std::string out;
  codec::append_timestamp(out, t);
  return unquoted(std::move(out));
}

std::string duration_text(nanoseconds_t ns) {
  std::string out;
  codec::append_duration(out, ns);
  return unquoted(std::move(out));
}

/// Whole tenths of a second: broker and reader may have different clocks anyway.
std::string age_text(nanoseconds_t ns) {
  return duration_text(std::max<nanoseconds_t>(ns, 0) / 100'000'000 * 100'000'000);
}

std::string source_text(const pipeline::definition& d, const std::string& shard) {
  for (const auto& s : d.sources) {
    if (s.shard != shard)
      continue;
    switch (s.what) {
    case pipeline::source::kind::nats: return "source " + shard + " (subject " + s.nats.subject + ")";
    case pipeline::source::kind::http: return "source " + shard + " (HTTP " + s.http.path + ")";
    case pipeline::source::kind::file: return "source " + shard + " (file " + s.file.path + ")";
    }
  }
  return "source " + shard;
}

std::string service_of(const holder& h) {
  if (h.kind == hold_kind::shard)
    return "millrace-ingest";
  return h.name == "enrich" ? "millrace-enrich" : "millrace-window-aggregate";
}

std::string holder_text(const pipeline::definition& d, const holder& h) {
  return h.kind == hold_kind::shard ? source_text(d, h.name)
                                    : "stage " + h.name + ", partition " + std::to_string(h.partition);
}

std::string kind_text(const windows::window_options& w) {
  switch (w.kind) {
  case windows::window_kind::tumbling: return "tumbling " + duration_text(w.size);
  case windows::window_kind::sliding: return "sliding " + duration_text(w.size) + " every " + duration_text(w.every);
  case windows::window_kind::session: return "session, gap " + duration_text(w.gap);
  case windows::window_kind::count: return "count " + std::to_string(w.count);
  case windows::window_kind::global: return "global, every " + duration_text(w.every);
  }
  return {};
}

/// The event time that a shard's next event needs.
std::string needed_event(const pipeline::definition& d, const why_partition& p) {
  if (!p.closes_at)
    return "an event";
  nanoseconds_t t = 0;
  if (__builtin_add_overflow(*p.closes_at, d.max_delay, &t))
    t = *p.closes_at;
  return "an event of " + time_text(t) + " or later" +
         (d.max_delay > 0 ? " (max_delay is " + duration_text(d.max_delay) + ")" : "");
}

bool same_holder(const why_partition& a, const why_partition& b) {
  if (a.held_by.has_value() != b.held_by.has_value() || a.ended != b.ended)
    return false;
  if (!a.held_by)
    return true;
  return a.held_by->kind == b.held_by->kind && a.held_by->name == b.held_by->name &&
         a.held_by->state == b.held_by->state &&
         (a.held_by->kind == hold_kind::shard || a.held_by->partition == b.held_by->partition);
}

void append_time_member(std::string& out, std::string_view name, nanoseconds_t t) {
  out += ",\"";
  out += name;
  out += "\":";
  if (t == no_watermark)
    out += "null";
  else if (t == end_watermark)
    out += "\"end\"";
  else
    codec::append_timestamp(out, t);
}

void append_text_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  codec::append_string(out, value);
}

} // namespace

std::string reason_of(const pipeline::definition& d, const why_partition& p, nanoseconds_t now) {
  const auto& h = *p.held_by;
  const auto quiet = age_text(now - h.tail.stamp);
  if (h.state == "unclaimed")
    return h.kind == hold_kind::shard ? "it has not been claimed yet: no ingest service has ever read it"
                                      : "it has not been claimed yet: no " + service_of(h) + " has ever run";
  if (h.state == "released")
    return "its owner stopped in order and no other has taken over";
  if (h.state == "behind")
    return "its input is further than its output: it has not come so far, waits for a full log, or does not run";
  if (h.state == "silent")
    return "silent for " + quiet +
           ", and it has not said that it is idle: its ingest service is down, waits for a full "
           "log, or cannot read the source";
  if (h.state == "idle")
    return "idle: its watermark follows the time that passes";
  return "it runs; its last frame is " + quiet + " old, and " + duration_text(d.idle_timeout) +
         " of silence (idle_timeout) make it idle";
}

std::string release_of(const pipeline::definition& d, const why_partition& p, nanoseconds_t) {
  const auto& h = *p.held_by;
  if (h.kind == hold_kind::stage)
    return h.state == "behind" ? service_of(h) + " catching up; see its log and millrace_lag_events if it does not"
                               : "starting " + service_of(h);
  if (h.state == "unclaimed" || h.state == "released")
    return "starting millrace-ingest";
  if (h.state == "silent")
    return "millrace-ingest running again (its log says what it waits for); it then goes on, or says that it is idle";
  if (h.state == "idle") {
    if (!p.closes_at || h.tail.watermark == no_watermark)
      return needed_event(d, p) + ", or the source's end";
    return "time: about " + age_text(*p.closes_at - h.tail.watermark) + " more without an event, or " +
           needed_event(d, p);
  }
  return needed_event(d, p) + " on this source, its silence for idle_timeout, or its end (`millrace publish --end`)";
}

std::string to_text(const pipeline::definition& d, const why_answer& a) {
  const auto& w = d.windows->window(a.window);
  std::string out = "window " + w.name + " (" + kind_text(w) + ") of pipeline " + d.name + "\n";
  if (w.kind == windows::window_kind::count)
    out += "a count window closes by its number of events, not by time; what is left is emitted at the end of input\n";
  std::vector<bool> told(a.partitions.size());
  for (std::size_t i = 0; i < a.partitions.size(); ++i) {
    if (told[i])
      continue;
    const auto& p = a.partitions[i];
    std::string list;
    std::size_t n = 0;
    for (auto k = i; k < a.partitions.size(); ++k)
      if (same_holder(p, a.partitions[k])) {
        told[k] = true;
        ++n;
        list += (list.empty() ? "" : ", ") + std::to_string(a.partitions[k].partition);
      }
    out += "\n" + std::string{n == 1 ? "partition " : "partitions "} + list + ": ";
    if (p.ended) {
      out += "input has ended, nothing is open\n";
      continue;
    }
    if (!p.held_by) {
      out += "nothing is held: the watermark is " + time_text(p.watermark) + "\n";
      continue;
    }
    const auto& h = *p.held_by;
    out += "held open by " + holder_text(d, h) + "\n";
    if (p.closes_at)
      out += "  closes at watermark   " + time_text(*p.closes_at) + "\n";
    out += "  window's watermark    " + time_text(p.watermark) + "\n";
    out += "  the holder's          " + time_text(h.tail.watermark) +
           (h.kind == hold_kind::shard && h.tail.high_time != no_watermark
              ? " (newest event " + time_text(h.tail.high_time) + ")"
              : "") +
           "\n";
    if (h.tail.present)
      out += "  since                 " + time_text(h.tail.stamp) + " (" + age_text(a.now - h.tail.stamp) + " ago)\n";
    out += "  why                   " + reason_of(d, p, a.now) + "\n";
    out += "  released by           " + release_of(d, p, a.now) + "\n";
  }
  return out;
}

std::string to_json(const pipeline::definition& d, const why_answer& a) {
  std::string out = "{\"pipeline\":";
  codec::append_string(out, d.name);
  append_text_member(out, "window", d.windows->window(a.window).name);
  append_time_member(out, "now", a.now);
  out += ",\"partitions\":[";
  for (const auto& p : a.partitions) {
    out += (out.back() == '[' ? "" : ",");
    out += "{\"partition\":" + std::to_string(p.partition);
    append_time_member(out, "watermark", p.watermark);
    append_time_member(out, "closes_at", p.closes_at.value_or(no_watermark));
    out += ",\"held_by\":";
    if (const auto& h = p.held_by) {
      out += h->kind == hold_kind::shard ? "{\"kind\":\"source\"" : "{\"kind\":\"stage\"";
      append_text_member(out, "name", h->name);
      if (h->kind == hold_kind::stage)
        out += ",\"partition\":" + std::to_string(h->partition);
      append_text_member(out, "state", h->state);
      append_time_member(out, "watermark", h->tail.watermark);
      append_time_member(out, "newest_event", h->tail.high_time);
      append_time_member(out, "since", h->tail.present ? h->tail.stamp : no_watermark);
      append_text_member(out, "why", reason_of(d, p, a.now));
      append_text_member(out, "released_by", release_of(d, p, a.now));
      out += '}';
    } else {
      out += "null";
    }
    out += '}';
  }
  return out + "]}";
}

} // namespace millrace::cli
