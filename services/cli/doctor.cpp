// SPDX-License-Identifier: Apache-2.0
#include "services/cli/doctor.hpp"

#include "messaging/frame.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/doctor_text.hpp"
#include "services/process/context.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace millrace::cli {

namespace {

/// Clocks that differ by more make `future`, idle times and the age of heartbeats wrong to a person's eye.
constexpr nanoseconds_t tolerated_skew = 1'000'000'000;
/// What the services reserve for a log unless told otherwise.
constexpr std::uint64_t default_log_bytes = 256ULL * 1024 * 1024;
constexpr std::uint64_t tight_percent = 80;
constexpr std::uint64_t full_percent = 95;
constexpr std::uint64_t notable_lag = 1000;

class pipeline_doctor {
public:
  explicit pipeline_doctor(doctor_input& in) : in_{in}, d_{*in.definition}, logs_{expected_logs(d_)} {}
  std::vector<check> examine();

private:
  struct seen_log {
    log_info info;
    log_settings settings;
    /// By subject.
    std::map<std::string, frame> tails;
    nanoseconds_t newest = 0;
  };

  void add(std::string name, health h, std::string seen, std::string remedy = {}) {
    out_.push_back({std::move(name), h, std::move(seen), std::move(remedy)});
  }
  bool look_at_logs();
  bool read_tails(const expected_log& l, seen_log& s);
  void check_settings();
  void check_room();
  void check_storage_for_missing();
  void check_clock();
  void check_writers();
  void check_definition();
  void check_positions();
  void check_lag();
  void check_sources();

  doctor_input& in_;
  const pipeline::definition& d_;
  std::vector<expected_log> logs_;
  std::map<std::string, seen_log> seen_;
  std::vector<std::string> missing_;
  std::vector<std::string> broken_;
  nanoseconds_t asked_ = 0;
  std::optional<nanoseconds_t> skew_;
  std::vector<check> out_;
};

/// False when the broker stopped answering.
bool pipeline_doctor::look_at_logs() {
  for (const auto& l : logs_) {
    auto info = in_.b.info(l.name);
    if (!info && info.error().code == ec::not_found) {
      missing_.push_back(l.name);
      continue;
    }
    const auto before = in_.now();
    auto settings = info ? in_.broker.settings(l.name) : result<log_settings>{info.error()};
    asked_ = in_.now();
    if (!settings) {
      add("logs", health::fail, "log " + l.name + " cannot be looked at: " + settings.error().message,
          settings.error().hint);
      return false;
    }
    if (settings->now)
      skew_ = *settings->now - (before + asked_) / 2;
    auto& s = seen_[l.name];
    s.info = std::move(*info);
    s.settings = *settings;
    if (!read_tails(l, s))
      return false;
  }
  return true;
}

bool pipeline_doctor::read_tails(const expected_log& l, seen_log& s) {
  for (const auto& subject : l.subjects) {
    const auto m = in_.b.tail(l.name, subject);
    if (!m) {
      add("tails", health::fail, "the tail of " + subject + " cannot be read: " + m.error().message, m.error().hint);
      return false;
    }
    if (!*m)
      continue;
    s.newest = std::max(s.newest, (*m)->stamp);
    auto f = decode_frame((*m)->payload);
    if (f)
      s.tails.emplace(subject, std::move(*f));
    else
      broken_.push_back(subject + " (sequence " + std::to_string((*m)->sequence) + "): " + f.error().message);
  }
  return true;
}

void pipeline_doctor::check_settings() {
  std::vector<std::string> wrong;
  std::vector<std::string> small;
  for (const auto& entry : seen_) {
    const auto& name = entry.first;
    const auto& s = entry.second;
    const auto& x = s.settings;
    const auto say = [&](bool bad, const char* what) {
      if (bad)
        wrong.push_back(name + " " + what);
    };
    say(!x.discard_new, "discards old messages instead of refusing new ones");
    say(!x.by_limits, "deletes messages by interest or acknowledgement");
    say(!x.on_disk, "is kept in memory");
    say(x.max_age.count() > 0, "deletes messages by age");
    say(x.max_messages.has_value(), "is bounded by a number of messages");
    say(x.max_messages_per_subject.has_value(), "keeps a bounded number of messages per subject");
    say(x.max_message_bytes && *x.max_message_bytes < max_frame_bytes, "refuses messages as large as a frame");
    if (!x.max_bytes)
      small.push_back(name + " has no max_bytes");
    if (!x.deny_delete)
      small.push_back(name + " lets single messages be deleted");
  }
  if (!wrong.empty())
    add("log settings", health::fail, some_of(wrong),
        "give the stream discard new, limits retention, file storage, max_age 0 and no bound but max_bytes "
        "(`nats stream edit`); what was deleted already may be lost");
  if (!small.empty())
    add("log settings", health::warn, some_of(small), "streams that the services create have both");
  if (wrong.empty() && small.empty())
    add("log settings", health::ok,
        plural(seen_.size(), "log", "logs") + " refuse when full and delete nothing by themselves");
}

void pipeline_doctor::check_room() {
  std::vector<std::string> tight;
  std::vector<std::string> full;
  std::uint64_t most = 0;
  std::string fullest;
  for (const auto& [name, s] : seen_) {
    if (!s.settings.max_bytes)
      continue;
    const auto percent = s.info.bytes * 100 / *s.settings.max_bytes;
    const auto text = name + " " + std::to_string(percent) + " % of " + size_text(*s.settings.max_bytes);
    if (percent >= full_percent)
      full.push_back(text);
    else if (percent >= tight_percent)
      tight.push_back(text);
    if (fullest.empty() || percent > most) {
      most = percent;
      fullest = text;
    }
  }
  if (!full.empty())
    add("room", health::fail, "full: " + some_of(full),
        "writers wait: see which reader lags below and start it, shorten `replay`, or raise max_bytes (`nats stream "
        "edit`)");
  if (!tight.empty())
    add("room", health::warn, "nearly full: " + some_of(tight), "see which reader lags below, or shorten `replay`");
  if (full.empty() && tight.empty() && !fullest.empty())
    add("room", health::ok, "the fullest log is " + fullest);
}

void pipeline_doctor::check_storage_for_missing() {
  const auto account = in_.broker.account();
  if (!account || !account->storage_limit || missing_.empty())
    return;
  const auto taken = std::max(account->storage, account->reserved);
  const auto left = *account->storage_limit > taken ? *account->storage_limit - taken : 0;
  const auto needed = missing_.size() * default_log_bytes;
  if (needed <= left)
    return;
  add("storage for logs", health::warn,
      plural(missing_.size(), "log", "logs") + " to be created reserve " + size_text(needed) + ", " + size_text(left) +
        " are left",
      "they are made smaller then; raise the account's storage, or set the services' log size");
}

void pipeline_doctor::check_clock() {
  auto skew = skew_;
  bool exact = skew.has_value();
  if (!exact)
    // An old server does not tell its time; a message from the future still shows that it is ahead.
    for (const auto& [name, s] : seen_)
      if (s.newest > asked_ && s.newest - asked_ > skew.value_or(0))
        skew = s.newest - asked_;
  if (!skew && !exact) {
    add("clock", health::ok, "no message of the broker is from the future (this server does not tell its time)");
    return;
  }
  const auto size = *skew < 0 ? -*skew : *skew;
  const auto seen = "the broker's clock is " + span_text(size) + (*skew < 0 ? " behind" : " ahead of") + " this one's";
  if (size > tolerated_skew)
    add("clock", health::warn, seen,
        "synchronise both (NTP): `max_ahead`, idle sources and ages go by the broker's time");
  else
    add("clock", health::ok, "the broker's clock and this one agree within a second");
}

void pipeline_doctor::check_writers() {
  std::vector<std::string> released;
  std::vector<std::string> unclaimed;
  std::size_t good = 0;
  nanoseconds_t oldest = asked_;
  for (const auto& l : logs_) {
    const auto found = seen_.find(l.name);
    if (found == seen_.end())
      continue;
    for (const auto& subject : l.subjects) {
      const auto t = found->second.tails.find(subject);
      if (t == found->second.tails.end())
        unclaimed.push_back(subject);
      else if (t->second.kind == frame_kind::release && t->second.watermark != end_watermark)
        released.push_back(subject + " (epoch " + std::to_string(t->second.epoch) + ", by " + t->second.writer + ")");
      else
        ++good;
    }
    if (!l.subjects.empty() && found->second.newest > 0)
      oldest = std::min(oldest, found->second.newest);
  }
  if (!broken_.empty())
    add("tails", health::fail, "not a frame: " + some_of(broken_),
        "something else publishes there, or the store is damaged; the writers of these subjects cannot start");
  // A pair that an idle fan-out never wrote to has no tail and lacks nothing, but each writer claims all its subjects.
  if (!unclaimed.empty())
    add("writers", health::warn, "never claimed: " + some_of(unclaimed), "start the services that write them");
  if (!released.empty())
    add("writers", health::warn, "left in order, and nobody took over: " + some_of(released),
        "start the services that write them");
  if (broken_.empty() && unclaimed.empty() && released.empty())
    add("writers", health::ok,
        plural(good, "subject is", "subjects are") + " claimed; the quietest log said something " +
          span_text(std::max<nanoseconds_t>(0, asked_ - oldest)) + " ago");
}

void pipeline_doctor::check_definition() {
  std::vector<std::string> other;
  std::size_t same = 0;
  for (const auto& [name, s] : seen_)
    for (const auto& [subject, f] : s.tails)
      if (f.definition != 0 && f.definition != d_.fingerprint)
        other.push_back(subject);
      else
        ++same;
  if (!other.empty())
    add("definition", health::fail, "written under another definition: " + some_of(other),
        "the services run, or ran, a different pipeline file; give them this one, or this definition a new name");
  else if (same > 0)
    add("definition", health::ok, "what the logs hold was computed from this file");
}

void pipeline_doctor::check_positions() {
  const auto bucket = "MILLRACE_" + d_.name + "_positions";
  std::vector<std::string> silent;
  std::vector<std::string> behind;
  std::size_t readers = 0;
  for (const auto& l : logs_) {
    const auto found = seen_.find(l.name);
    // A log with one reader is trimmed by it alone: no position is written down.
    if (found == seen_.end() || l.readers.size() < 2)
      continue;
    for (const auto& r : l.readers) {
      ++readers;
      const auto e = in_.b.kv_get(bucket, l.name + "." + r);
      if (!e && e.error().code != ec::not_found) {
        add("positions", health::warn, "cannot be read: " + e.error().message, e.error().hint);
        return;
      }
      if (!e || !*e || (*e)->deleted) {
        if (found->second.info.messages > notable_lag)
          silent.push_back(r + " on " + l.name);
        continue;
      }
      std::uint64_t at = 0;
      const auto& text = (*e)->value;
      std::from_chars(text.data(), text.data() + text.size(), at);
      const auto last = found->second.info.last_sequence;
      if (d_.replay == 0 && last > at && last - at > notable_lag)
        behind.push_back(r + " on " + l.name + ", " + std::to_string(last - at) + " messages");
    }
  }
  if (!silent.empty())
    add("positions", health::warn, "never said how far they are: " + some_of(silent),
        "start the services: a log is trimmed only when all its readers have passed");
  if (!behind.empty())
    add("positions", health::warn, "hold their log: " + some_of(behind),
        "see the readers' logs and millrace_lag_events; a log that fills up makes its writer wait");
  if (silent.empty() && behind.empty())
    add("positions", health::ok,
        readers == 0 ? "no log has several readers" : plural(readers, "reader keeps", "readers keep") + " up");
}

/// How far a stage's output is behind its input: its tail names the last input it covers.
void pipeline_doctor::check_lag() {
  std::vector<std::string> late;
  std::size_t stages = 0;
  const auto look = [&](std::string_view input, std::string_view output, std::uint32_t p) {
    const auto in = seen_.find(stream_name(d_.name, input, p));
    const auto out = seen_.find(stream_name(d_.name, output, p));
    if (in == seen_.end() || out == seen_.end())
      return;
    const auto t = out->second.tails.find(subject(d_.name, output, p));
    if (t == out->second.tails.end())
      return;
    ++stages;
    const auto last = in->second.info.last_sequence;
    const auto at = t->second.origin.sequence;
    if (last > at && last - at > notable_lag)
      late.push_back(stream_name(d_.name, output, p) + ": " + std::to_string(last - at) + " frames");
  };
  for (std::uint32_t p = 0; p < d_.partitions; ++p) {
    look("events", "enriched", p);
    if (d_.windows && d_.windows->size() > 0)
      look("enriched", "windows", p);
  }
  if (!late.empty())
    add("lag", health::warn, "behind their input: " + some_of(late),
        "see the stages' logs; add replicas if they are busy, start them if they do not run");
  else if (stages > 0)
    add("lag", health::ok, plural(stages, "stage partition is", "stage partitions are") + " up to their input");
}

void pipeline_doctor::check_sources() {
  for (const auto& s : d_.sources) {
    if (s.what != pipeline::source::kind::nats)
      continue;
    const auto name = "source " + s.shard;
    auto log = s.nats.stream.empty() ? in_.b.log_of(s.nats.subject) : result<std::string>{s.nats.stream};
    auto info = log ? in_.b.info(*log) : result<log_info>{log.error()};
    if (!info) {
      const bool absent = info.error().code == ec::not_found;
      add(name, absent && s.nats.stream.empty() ? health::warn : health::fail,
          absent ? (s.nats.stream.empty() ? "no stream stores subject " + s.nats.subject
                                          : "there is no stream " + s.nats.stream)
                 : info.error().message,
          absent ? (s.nats.stream.empty() ? "start millrace-ingest, which creates one, or create your own"
                                          : "create it, or correct `stream:`")
                 : info.error().hint);
      continue;
    }
    const bool covers = std::any_of(info->subjects.begin(), info->subjects.end(),
                                    [&](const auto& p) { return subjects_overlap(p, s.nats.subject); });
    if (covers)
      add(name, health::ok, "subject " + s.nats.subject + " is stored by " + info->name);
    else
      add(name, health::fail, "stream " + info->name + " stores nothing of " + s.nats.subject,
          "add the subject to the stream, or correct the source");
  }
}

std::vector<check> pipeline_doctor::examine() {
  if (!look_at_logs())
    return std::move(out_);
  if (seen_.empty()) {
    add("logs", health::warn, "pipeline " + d_.name + " has no logs on this server: it has never run here",
        "start the services, or check --nats and MILLRACE_NATS_URL");
  } else if (!missing_.empty()) {
    add("logs", health::warn, "missing: " + some_of(missing_), "start the services that create them");
  } else {
    add("logs", health::ok, "all " + plural(logs_.size(), "log", "logs") + " are there");
  }
  check_storage_for_missing();
  if (!seen_.empty()) {
    check_settings();
    check_room();
    check_clock();
    check_writers();
    check_definition();
    check_positions();
    check_lag();
  }
  check_sources();
  return std::move(out_);
}

} // namespace

std::vector<expected_log> expected_logs(const pipeline::definition& d) {
  std::vector<expected_log> out;
  const auto add = [&](const std::string& stage, std::uint32_t p, std::vector<std::string> subjects) {
    out.push_back({stream_name(d.name, stage, p), stage, p, std::move(subjects), process::readers_of(d, stage)});
  };
  const auto add_stage = [&](const std::string& stage, const std::string& output, std::uint32_t p) {
    add(output, p, {subject(d.name, output, p)});
    add(state_stage(stage), p, {});
  };
  const bool windows = d.windows && d.windows->size() > 0;
  const bool merges = process::merges(d);
  for (std::uint32_t p = 0; p < d.partitions; ++p) {
    std::vector<std::string> shards;
    for (const auto& s : d.sources)
      shards.push_back(subject(d.name, "events", p, s.shard));
    add("events", p, std::move(shards));
    add_stage("enrich", "enriched", p);
    if (windows)
      add_stage("window", "windows", p);
    if (merges) {
      std::vector<std::string> writers;
      for (std::uint32_t w = 0; w < d.partitions; ++w)
        writers.push_back(subject(d.name, "partials", p, std::to_string(w)));
      add("partials", p, std::move(writers));
      add_stage("window", "windows", process::merge_partition(d, p));
    }
    if (d.alerts && d.alerts->reads_windows())
      add_stage("alert", "alerts", p);
    if (d.alerts && d.alerts->reads_events())
      add_stage("alert", "alerts", process::events_alert_partition(d, p));
    if (d.alerts && d.alerts->reads_windows() && merges)
      add_stage("alert", "alerts", process::merge_alert_partition(d, p));
  }
  out.push_back({rejected_stream_name(d.name), "rejected", 0, {}, {}});
  return out;
}

std::vector<check> examine_pipeline(doctor_input& in) { return pipeline_doctor{in}.examine(); }

} // namespace millrace::cli
