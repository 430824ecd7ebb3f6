// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_kernel.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/json_members.hpp"
#include "services/cli/rejected.hpp"
#include "services/cli/rejected_original.hpp"
#include "services/ingest/intake.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

namespace millrace::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::chrono::milliseconds ack_deadline{5000};
constexpr std::chrono::milliseconds full_pause{200};
/// A source stream that stays full for so long is a failure, not back pressure.
constexpr unsigned max_full_pauses = 150;
/// Messages on their way at once.
constexpr std::size_t window = 16;

/// Subjects that the pipeline's sources read, wildcards and all.
std::vector<std::string> source_subjects(const pipeline::definition& d) {
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < d.sources.size(); ++i) {
    const auto& s = d.sources[i];
    if (s.what == pipeline::source::kind::nats)
      out.push_back(s.nats.subject);
    else if (s.what == pipeline::source::kind::http)
      out.push_back(services::intake_subject(d.name, i));
  }
  return out;
}

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& x : all)
    out += (out.empty() ? "" : ", ") + x;
  return out;
}

error unfit(std::string message, std::string hint) { return {ec::invalid, std::move(message), std::move(hint)}; }

/// A time as the source sends it.
result<ordered_json> source_time(const codec::field_spec& f, const ordered_json& value) {
  if (f.unit == codec::timestamp_unit::rfc3339 || !value.is_string())
    return value;
  if (f.unit == codec::timestamp_unit::pattern)
    return unfit("field " + f.field.name + " has a format of its own, in which it cannot be written",
                 "give it with --set");
  const auto ns = codec::parse_rfc3339(value.get_ref<const std::string&>());
  if (!ns)
    return unfit("field " + f.field.name + " is not a timestamp", "give it with --set");
  const auto unit = codec::unit_nanoseconds(f.unit);
  if (*ns % unit == 0)
    return ordered_json(*ns / unit);
  return ordered_json(static_cast<double>(*ns) / static_cast<double>(unit));
}

bool is_set(const retry_options& o, const std::string& member) {
  return std::any_of(o.set.begin(), o.set.end(), [&](const auto& s) { return s.first == member; });
}

/// An event that ingest has read, in the shape of the source: other names, nesting and units of time.
result<std::string> source_shape(const pipeline::definition& d, const rejected_entry& e, const retry_options& o) {
  const auto event = ordered_json::parse(e.body, nullptr, false);
  if (!event.is_object())
    return unfit("the event itself was not kept", "send it from its origin " + e.origin);
  if (d.decode.format != codec::event_format::json)
    return unfit("its text is gone: stage " + e.stage + " rejected what ingest had made of it",
                 "send it from its origin " + e.origin);
  const auto written = e.stage == "ingest" || e.stage == "enrich" ? std::set<std::string>{} : written_fields(d);
  auto out = ordered_json::object();
  for (const auto& f : d.decode.fields) {
    if (f.source != codec::field_source::body || is_set(o, f.path.front()))
      continue;
    const auto remedy =
      "give it with --set '" + f.path.front() + "=...', or send the event from its origin " + e.origin;
    if (written.count(f.field.name) != 0)
      return unfit("field " + f.field.name + " was changed by a step of enrich", remedy);
    const auto found = event.find(f.field.name);
    if (found == event.end() || found->is_null()) {
      if (!f.field.nullable)
        return unfit("field " + f.field.name + " was not kept up to stage " + e.stage +
                       ", and its source message is gone",
                     remedy);
      continue;
    }
    auto value = f.field.type == data_type::timestamp ? source_time(f, *found) : result<ordered_json>{*found};
    if (!value)
      return std::move(value).error();
    auto* at = &out;
    for (const auto& name : f.path)
      at = &(*at)[name];
    *at = std::move(*value);
  }
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

result<std::string> shape(const pipeline::definition& d, const rejected_entry& e, const retry_options& o,
                          const std::optional<std::string>& original) {
  if (e.reason == "oversize" || e.detail.ends_with("bytes are kept"))
    return unfit("only the start of the event was kept", "send it from its origin " + e.origin);
  if (e.reason == "unknown")
    return unfit(e.detail, "leave it out with --reason or --sequence");
  if (was_read(e))
    return original ? result<std::string>{*original} : source_shape(d, e, o);
  if (d.decode.format == codec::event_format::cloudevents) {
    static const std::string version = "specversion";
    const auto places = find_members(e.body, {&version, 1});
    if (places && !places->front())
      return unfit("its attributes came as headers, which were not kept", "send it from its origin " + e.origin);
  }
  if (d.decode.format != codec::event_format::csv)
    return e.body;
  if (o.csv_header.empty())
    return unfit("a CSV record is kept without the header of its message", "give it: --csv-header 'a,b,c'");
  return o.csv_header + "\n" + e.body;
}

} // namespace

std::set<std::string> written_fields(const pipeline::definition& d) {
  std::set<std::string> out;
  for (const auto& s : d.enrich_options.steps) {
    if (const auto* set = std::get_if<enrich::set_step>(&s))
      for (const auto& [name, expression] : set->fields)
        out.insert(name);
    if (const auto* look = std::get_if<enrich::lookup_step>(&s))
      out.insert(look->add.begin(), look->add.end());
  }
  return out;
}

bool was_read(const rejected_entry& e) { return e.stage != "ingest" || e.reason == "future"; }

result<std::pair<std::string, std::string>> parse_set(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return error{ec::config, "--set " + std::string{text} + " has no `field=`", "e.g. --set 'venue=\"XNYS\"'"};
  std::pair<std::string, std::string> out{text.substr(0, equals), text.substr(equals + 1)};
  constexpr std::size_t depth = 1024;
  if (!codec::json_checker{depth}(out.second))
    return error{ec::config, "--set " + out.first + ": `" + out.second + "` is not JSON",
                 "text needs its quotes: --set '" + out.first + "=\"...\"'"};
  return out;
}

result<std::string> retry_subject(const pipeline::definition& d, const std::string& wanted) {
  const auto known = source_subjects(d);
  if (known.empty())
    return error{ec::config, "pipeline " + d.name + " reads no subject: files cannot be sent to",
                 "append the events to the file"};
  if (wanted.empty()) {
    if (valid_subject(known.front()))
      return known.front();
    return error{ec::config, "the first source reads " + known.front() + ", which is no single subject",
                 "say where to send with --subject"};
  }
  if (!valid_subject(wanted))
    return error{ec::config, "--subject '" + wanted + "' is not a subject without wildcards", ""};
  if (std::none_of(known.begin(), known.end(), [&](const auto& s) { return subject_covers(s, wanted); }))
    return error{ec::config, "no source of pipeline " + d.name + " reads " + wanted,
                 "its sources read " + joined(known)};
  return wanted;
}

result<std::string> mend(const pipeline::definition& d, const rejected_entry& e, const retry_options& o,
                         const std::optional<std::string>& original) {
  auto text = shape(d, e, o, original);
  if (!text)
    return text;
  for (const auto& [name, json] : o.set)
    if (!set_member(*text, name, json))
      return unfit("it is not a JSON object, so --set cannot mend it", "send the mended event with `millrace publish`");
  return text;
}

result<retry_plan> plan_retry(bus& b, const pipeline::definition& d, const retry_options& o) {
  retry_plan out;
  std::optional<error> failed;
  original_finder originals{b, d};
  auto read = each_rejected(b, d.name, o.filter, [&](rejected_entry&& e) {
    if (!o.again) {
      auto known = was_retried(b, d.name, e);
      if (!known) {
        failed = std::move(known).error();
        return false;
      }
      if (*known) {
        ++out.already;
        return true;
      }
    }
    if (auto text = mend(d, e, o, was_read(e) ? originals.find(e) : std::nullopt))
      out.ready.push_back({e.sequence, e.stored, std::move(*text)});
    else
      out.refused.emplace_back(e.sequence, std::move(text).error());
    return o.limit == 0 || out.ready.size() < o.limit;
  });
  if (!read)
    return read.error();
  if (failed)
    return std::move(*failed);
  return out;
}

result<void> send_again(bus& b, const std::string& pipeline, const std::string& subject, const retry_plan& p,
                        std::uint64_t& sent) {
  sent = 0;
  const auto log = b.log_of(subject);
  if (!log && log.error().code == ec::not_found)
    return error{ec::not_found, "no stream covers subject '" + subject + "'",
                 "start the pipeline first: its ingest service creates the stream"};
  if (!log)
    return log.error();
  const auto bucket = retried_bucket(pipeline);
  if (auto made = b.kv_open(bucket, std::chrono::nanoseconds{0}); !made)
    return made;
  std::vector<const retry_item*> waiting;
  unsigned pauses = 0;
  for (std::size_t next = 0; next < p.ready.size() || !waiting.empty();) {
    while (waiting.size() < window && next < p.ready.size())
      waiting.push_back(&p.ready[next++]);
    std::vector<append_request> requests;
    for (const auto* i : waiting)
      requests.push_back({*log,
                          subject,
                          i->payload,
                          {{std::string{retry_header}, std::to_string(i->sequence)}},
                          expectation::nothing()});
    const auto outcomes = b.append(requests, ack_deadline);
    std::vector<const retry_item*> rest;
    std::optional<error> failed;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i]) {
        if (outcomes[i].error().code == ec::full)
          rest.push_back(waiting[i]);
        else
          failed = outcomes[i].error();
        continue;
      }
      ++sent;
      if (auto kept = b.kv_put(bucket, std::to_string(waiting[i]->sequence), std::to_string(waiting[i]->stored)); !kept)
        failed = error{kept.error().code,
                       "sequence " + std::to_string(waiting[i]->sequence) +
                         " was sent again, but that could not be remembered: " + kept.error().message,
                       "the next retry would send it once more; leave it out with --sequence"};
    }
    if (failed)
      return std::move(*failed);
    pauses = rest.size() == waiting.size() ? pauses + 1 : 0;
    if (pauses > max_full_pauses)
      return error{ec::full, "stream " + *log + " stays full", "is the pipeline running?"};
    waiting = std::move(rest);
    if (!waiting.empty())
      std::this_thread::sleep_for(full_pause);
  }
  return {};
}

} // namespace millrace::cli
