// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/stage_writer.hpp"

#include "messaging/codec/json_writer.hpp"
#include "messaging/subjects.hpp"

#include <charconv>

namespace millrace::runtime {

namespace {

/// A header must not carry line breaks; reasons and stages are words of ours, origins digits and colons.
header_list reject_headers(const partition_names& names, const marked_reject& r, std::uint64_t epoch) {
  return {{"Content-Type", "application/cloudevents+json"},
          {"Millrace-Reason", r.event.reason},
          {"Millrace-Stage", names.stage},
          {"Millrace-Origin", r.event.origin},
          {"Millrace-Checkpoint", to_string(r.mark)},
          {"Millrace-Epoch", std::to_string(epoch)}};
}

/// Longer bodies are truncated: with base64 and envelope a message stays below the broker's 1 MiB.
constexpr std::size_t max_reject_body = 512 * 1024;

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  codec::append_string(out, value);
}

} // namespace

std::string to_string(const reject_mark& m) { return std::to_string(m.sequence) + ":" + std::to_string(m.count); }

reject_mark parse_reject_mark(std::string_view text) {
  reject_mark m;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return m;
  std::from_chars(text.data(), text.data() + colon, m.sequence);
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), m.count);
  return m;
}

std::string reject_body(const partition_names& names, const marked_reject& r) {
  const bool cut = r.event.body.size() > max_reject_body;
  const auto body = std::string_view{r.event.body}.substr(0, max_reject_body);
  const auto place = names.stage + "/" + std::to_string(names.partition);
  std::string out = "{\"specversion\":\"1.0\"";
  append_member(out, "id", names.pipeline + "/" + place + "/" + to_string(r.mark));
  append_member(out, "source", "/millrace/" + names.pipeline + "/" + place);
  append_member(out, "type", "millrace.rejected");
  append_member(out, "subject", r.event.reason);
  append_member(out, "stage", r.event.stage);
  append_member(out, "reason", r.event.reason);
  append_member(out, "origin", r.event.origin);
  append_member(out, "detail",
                cut ? r.event.detail + "; only the first " + std::to_string(max_reject_body) + " of " +
                        std::to_string(r.event.body.size()) + " bytes are kept"
                    : r.event.detail);
  if (r.event.is_json && !cut) {
    append_member(out, "datacontenttype", "application/json");
    out += ",\"data\":";
    out += body;
  } else {
    append_member(out, "datacontenttype", "application/octet-stream");
    out += ",\"data_base64\":";
    codec::append_base64(out, body);
  }
  out += '}';
  return out;
}

stage_writer::stage_writer(std::shared_ptr<bus> b, partition_names names, append_policy policy, bool publish,
                           std::function<std::int64_t()> steady)
  : bus_{std::move(b)}, names_{std::move(names)}, policy_{std::move(policy)}, publish_{publish}, steady_{
                                                                                                   std::move(steady)} {
  if (!names_.state_log.empty())
    state_.emplace(*bus_, names_.state_log, names_.state_prefix, names_.instance, names_.definition);
  rejected_.log = names_.rejected_log;
  rejected_.subject = names_.rejected_subject;
}

result<opened> stage_writer::open() {
  for (const auto& spec : names_.logs)
    if (auto r = ensure_fitting_log(*bus_, spec); !r)
      return r.error();
  std::vector<lane*> lanes;
  if (state_)
    lanes.push_back(&state_->owner());
  for (auto& l : names_.outputs)
    lanes.push_back(&l);
  if (auto r = claim_lanes(*bus_, lanes, names_.instance, names_.definition, policy_); !r)
    return r.error();
  opened out;
  out.epoch = lanes.front()->epoch;
  for (const auto& l : names_.outputs)
    out.outputs.push_back({l.covered, l.origin_watermark, l.high_time, l.counters, l.watermark});
  if (state_) {
    auto s = state_->newest();
    if (!s)
      return std::move(s).error();
    out.snapshot = std::move(*s);
    auto controls = state_->controls();
    if (!controls)
      return std::move(controls).error();
    out.controls = std::move(*controls);
  }
  auto mark = read_rejected();
  if (!mark)
    return std::move(mark).error();
  out.rejected = *mark;
  return out;
}

/// The rejected subject is shared with nobody, but has no claims, so that subscribers see events only: a new owner's
/// first append expects the tail read here, which refuses whatever an old owner could still send.
result<reject_mark> stage_writer::read_rejected() {
  auto tail = bus_->tail(rejected_.log, rejected_.subject);
  if (!tail)
    return std::move(tail).error();
  rejected_.last = rejected_.expected = *tail ? (*tail)->sequence : 0;
  return *tail ? parse_reject_mark((*tail)->header("Millrace-Checkpoint")) : reject_mark{};
}

result<void> stage_writer::write_rejects(const std::vector<marked_reject>& rejects) {
  const auto epoch = names_.outputs.front().epoch;
  for (const auto& r : rejects) {
    lane_append request{&rejected_, reject_body(names_, r), reject_headers(names_, r, epoch)};
    if (auto done = append_all(*bus_, {&request, 1}, policy_); !done)
      return done;
  }
  return {};
}

result<void> stage_writer::publish(const frame& f) {
  std::string text;
  for (const auto& s : f.sections) {
    const bool alerts = s.name == codec::section_alerts;
    const auto* rules = alerts ? s.batch.find("rule") : nullptr;
    const auto* ids = alerts ? s.batch.find("id") : nullptr;
    const auto* states = alerts ? s.batch.find("state") : nullptr;
    for (std::size_t row = 0; row < s.batch.rows; ++row) {
      text.clear();
      result<void> sent;
      if (alerts) {
        codec::append_alert_record(text, s.batch, row);
        sent = bus_->publish(alert_subject(names_.pipeline, rules->text(row)), text,
                             {{"Millrace-Id", std::string{ids->text(row)} + "/" + std::string{states->text(row)}}});
      } else {
        codec::append_window_record(text, s.name, s.batch, row);
        sent = bus_->publish(results_subject(names_.pipeline, s.name), text, {});
      }
      if (!sent)
        return sent;
    }
  }
  return {};
}

result<void> stage_writer::write_frames(std::vector<lane_frame>& frames, written& out) {
  std::vector<lane_append> requests;
  requests.reserve(frames.size());
  for (auto& f : frames) {
    requests.push_back(next_frame(names_.outputs[f.lane], f.content, encoder_, names_.instance));
    out.frames.push_back({f.content.rows(), requests.back().payload.size(), f.content.source_stamp});
  }
  return append_all(*bus_, requests, policy_);
}

result<written> stage_writer::execute(write_job& job) {
  written out;
  out.input_stamp = job.input_stamp;
  out.rejects = job.rejects.size();
  if (job.control && state_) {
    if (auto r = state_->record(*job.control, policy_); !r)
      return r.error();
    out.control = true;
  }
  if (auto r = write_rejects(job.rejects); !r)
    return r.error();
  if (publish_) {
    for (const auto& f : job.frames) {
      if (f.lane != 0)
        continue; // partial results on their way to the next step
      // Before the frame: a crash in between publishes again, never not at all.
      for (auto r = publish(f.content); !r; r = publish(f.content)) {
        if (policy_.stop && policy_.stop->load())
          return r.error();
        if (policy_.on_wait)
          policy_.on_wait(r.error(), names_.outputs[f.lane]);
        policy_.sleep(policy_.retry_cap);
      }
    }
  }
  if (!job.frames.empty())
    if (auto r = write_frames(job.frames, out); !r)
      return r.error();
  if (job.snapshot && state_) {
    const auto begin = steady_();
    if (auto r = state_->write(job.snapshot->bytes, job.snapshot->position, job.snapshot->controls, policy_); !r)
      return r.error();
    out.snapshot = true;
    out.snapshot_bytes = job.snapshot->bytes.size();
    out.snapshot_ns = steady_() - begin;
  }
  if (state_)
    out.trim_position = state_->trim_position();
  if (job.release) {
    if (state_)
      if (auto r = state_->release(policy_); !r)
        return r.error();
    std::vector<lane_append> requests;
    for (auto& l : names_.outputs) {
      frame f;
      f.kind = frame_kind::release;
      f.origin = l.covered;
      f.watermark = l.watermark;
      f.origin_watermark = l.origin_watermark;
      f.high_time = l.high_time;
      f.counters = l.counters;
      f.definition = names_.definition;
      requests.push_back(next_frame(l, f, encoder_, names_.instance));
    }
    if (auto r = append_all(*bus_, requests, policy_); !r)
      return r.error();
    out.released = true;
  }
  return out;
}

} // namespace millrace::runtime
