// SPDX-License-Identifier: Apache-2.0
#include "services/cli/test_run.hpp"

#include "messaging/codec/json_writer.hpp"
#include "services/cli/batch_input.hpp"
#include "services/cli/batch_printer.hpp"
#include "services/cli/direct_run.hpp"

#include <algorithm>
#include <sstream>

namespace millrace::cli {

namespace {

/// Log time where neither `start` nor an event says one: 2026-01-01T00:00:00Z.
constexpr nanoseconds_t default_start = 1'767'225'600'000'000'000;
constexpr std::size_t chunk_bytes = 512 * 1024;

/// a + b for b ≥ 0, short of `end_watermark`.
nanoseconds_t plus(nanoseconds_t a, nanoseconds_t b) noexcept {
  nanoseconds_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) || sum == end_watermark ? end_watermark - 1 : sum;
}

void append_cell(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text)
    out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

/// One event as a CSV message: a header of its members and one record.
std::string csv_message(const pipeline::yaml_node& n) {
  std::string header;
  std::string record;
  for (const auto& member : n.members) {
    if (&member != n.members.data()) {
      header += ',';
      record += ',';
    }
    append_cell(header, member.first->text);
    std::string value;
    if (member.second->is_scalar())
      value = member.second->text;
    else if (!member.second->is_null())
      append_json(value, *member.second);
    append_cell(record, value);
  }
  return header + "\n" + record + "\n";
}

class test_runner final : record_sink {
public:
  test_runner(pipeline::definition_ptr d, const test_case& c)
    : definition_{std::move(d)}, case_{c}, stages_{definition_}, log_time_{c.start} {}

  result<void> play();
  result<void> read_file(const std::string& path);
  test_records records();

private:
  // What the case does not look at is not even written.
  bool looks_at(record_kind k) const { return !case_.expects() || case_.expect[static_cast<std::size_t>(k)]; }
  bool looks_at(record_kind k, std::string_view name) const {
    return looks_at(k) && (case_.only.empty() || std::any_of(case_.only.begin(), case_.only.end(),
                                                             [&](const auto& n) { return n->text == name; }));
  }
  void rejected(const rejected_event& r) override {
    if (looks_at(record_kind::rejected))
      printer_.add_rejected(r);
  }
  void windows(std::string_view name, const event_batch& rows) override {
    if (looks_at(record_kind::window, name))
      printer_.add_windows(name, rows);
  }
  void alerts(const event_batch& rows) override {
    if (looks_at(record_kind::alert))
      printer_.add_alerts(rows);
  }

  ingest::shard_options options() const;
  result<void> open();
  bool arrival_matters() const;
  nanoseconds_t log_time() const { return log_time_.value_or(default_start); }
  void arrive(nanoseconds_t event_time);
  void feed(const test_step& s, std::uint64_t place);
  void advance(nanoseconds_t by);
  void flush();
  void process(const event_batch& rows, nanoseconds_t after, std::vector<rejected_event>&& rejects);

  pipeline::definition_ptr definition_;
  const test_case& case_;
  direct_run stages_;
  std::ostringstream text_;
  batch_printer printer_{text_};
  std::unique_ptr<ingest::shard> shard_;
  /// Tells an event's time before it arrives, where its arrival is a value.
  std::unique_ptr<ingest::shard> probe_;
  std::optional<nanoseconds_t> log_time_;
  nanoseconds_t silent_ = 0;
};

ingest::shard_options test_runner::options() const {
  ingest::shard_options s;
  s.decode = definition_->decode;
  s.key = definition_->key;
  s.max_delay = definition_->max_delay;
  return s;
}

bool test_runner::arrival_matters() const {
  const auto& fields = definition_->decode.fields;
  return std::any_of(fields.begin(), fields.end(),
                     [](const auto& f) { return f.source == codec::field_source::arrival; });
}

result<void> test_runner::open() {
  auto o = options();
  if (arrival_matters() && !case_.start) {
    auto probe = ingest::shard::make(o, 0);
    if (!probe)
      return std::move(probe).error();
    probe_ = std::move(*probe);
  }
  // Without a log time of its own an event is never ahead of it.
  o.max_ahead = case_.start ? definition_->max_ahead : 0;
  auto s = ingest::shard::make(std::move(o), 0);
  if (!s)
    return std::move(s).error();
  shard_ = std::move(*s);
  return {};
}

void test_runner::arrive(nanoseconds_t event_time) {
  if (!case_.start && event_time != no_watermark && event_time != end_watermark)
    log_time_ = std::max(log_time_.value_or(event_time), event_time);
}

void test_runner::process(const event_batch& rows, nanoseconds_t after, std::vector<rejected_event>&& rejects) {
  printer_.begin(rows.watermark, after);
  for (const auto& r : rejects)
    rejected(r);
  stages_.process(rows, after, log_time(), *this);
  printer_.flush();
}

void test_runner::flush() {
  auto chunk = shard_->take();
  arrive(shard_->high_time());
  process(chunk.batch, shard_->watermark(), std::move(chunk.rejected));
}

void test_runner::feed(const test_step& s, std::uint64_t place) {
  std::string payload;
  if (s.what == test_step::kind::message)
    payload = s.node->text;
  else if (definition_->decode.format == codec::event_format::csv)
    payload = csv_message(*s.node);
  else
    append_json(payload, *s.node);
  codec::source_message m;
  m.payload = payload;
  m.place = place;
  m.subject = case_.subject;
  if (probe_) {
    m.arrival = log_time();
    probe_->feed(m);
    for (const auto t : probe_->take().batch.time)
      arrive(t);
  }
  m.arrival = log_time();
  shard_->feed(m);
  silent_ = 0;
}

void test_runner::advance(nanoseconds_t by) {
  flush();
  log_time_ = plus(log_time(), by);
  silent_ = plus(silent_, by);
  if (silent_ >= definition_->idle_timeout && shard_->high_time() != no_watermark)
    shard_->idle_until(plus(shard_->high_time(), silent_));
  flush();
}

result<void> test_runner::play() {
  if (auto r = open(); !r)
    return r;
  std::uint64_t place = 0;
  for (const auto& s : case_.steps) {
    switch (s.what) {
    case test_step::kind::event:
    case test_step::kind::message: feed(s, ++place); break;
    case test_step::kind::advance: advance(s.by); break;
    case test_step::kind::end:
      flush();
      shard_->end();
      break;
    }
  }
  flush();
  return {};
}

/// A finite file: its end is the end of input.
result<void> test_runner::read_file(const std::string& path) {
  auto in = batch_input::open(path, options(), 0, chunk_bytes, case_.file);
  if (!in)
    return std::move(in).error();
  auto& x = **in;
  x.arrive_at(log_time());
  for (;;) {
    if (auto r = x.fill(); !r)
      return r;
    if (x.done())
      break;
    const auto rows = x.take_all();
    arrive(x.shard().high_time());
    process(rows, x.watermark(), x.take_rejected());
  }
  process(event_batch::make(definition_->events), end_watermark, x.take_rejected());
  return {};
}

test_records test_runner::records() {
  printer_.finish();
  test_records out;
  const auto text = text_.str();
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    auto r = record_json::parse(line, nullptr, false);
    const auto kind =
      r["kind"] == "window" ? record_kind::window : (r["kind"] == "alert" ? record_kind::alert : record_kind::rejected);
    if (kind == record_kind::alert && !looks_at(kind, r["rule"].get<std::string>()))
      continue;
    r.erase("kind");
    out[static_cast<std::size_t>(kind)].push_back(std::move(r));
  }
  return out;
}

} // namespace

result<test_records> run_test(const pipeline::definition_ptr& d, const test_case& c, const std::string& folder) {
  test_runner run{d, c};
  if (auto r = c.file.empty() ? run.play() : run.read_file(resolve_path(folder, c.file)); !r)
    return r.error();
  return run.records();
}

} // namespace millrace::cli
