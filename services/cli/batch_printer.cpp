// SPDX-License-Identifier: Apache-2.0
#include "services/cli/batch_printer.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <ostream>
#include <tuple>

namespace millrace::cli {

namespace {

enum kind { rejected = 0, alert = 1, window = 2 };

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  codec::append_string(out, value);
}

} // namespace

void append_rejected_record(std::string& out, const rejected_event& r) {
  out += "{\"kind\":\"rejected\"";
  append_member(out, "stage", r.stage);
  append_member(out, "reason", r.reason);
  append_member(out, "origin", r.origin);
  append_member(out, "detail", r.detail);
  if (r.is_json) {
    out += ",\"event\":";
    out += r.body;
  } else {
    out += ",\"event\":null,\"raw\":";
    codec::append_base64(out, r.body);
  }
  out += '}';
}

void batch_printer::begin(std::span<const std::int64_t> watermarks, nanoseconds_t after) {
  watermarks_ = watermarks;
  after_ = after;
}

/// The first watermark that reaches `due`.
nanoseconds_t batch_printer::step_of(nanoseconds_t due) const {
  const auto i = std::lower_bound(watermarks_.begin(), watermarks_.end(), due);
  return i == watermarks_.end() ? after_ : *i;
}

void batch_printer::add_rejected(const rejected_event& r) {
  record x;
  x.step = step_of(r.watermark);
  x.kind = rejected;
  x.start = r.shard;
  x.version = r.position;
  append_rejected_record(x.text, r);
  held_.push_back(std::move(x));
}

void batch_printer::add_windows(std::string_view name, const event_batch& b) {
  const auto* start = b.find(codec::column_start);
  const auto* seq = b.find(codec::column_seq);
  const auto* version = b.find(codec::column_version);
  for (std::size_t row = 0; row < b.rows; ++row) {
    record x;
    x.step = step_of(b.watermark[row]);
    x.kind = window;
    x.name = name;
    codec::append_window_key(x.key, b, row);
    x.start = start->i64[row];
    x.seq = seq ? seq->i64[row] : 0;
    x.version = version->i64[row];
    codec::append_window_record(x.text, name, b, row);
    held_.push_back(std::move(x));
  }
}

void batch_printer::add_alerts(const event_batch& b) {
  const auto* rule = b.find("rule");
  const auto* key = b.find("key");
  const auto* at = b.find("at");
  for (std::size_t row = 0; row < b.rows; ++row) {
    record x;
    x.step = step_of(b.watermark[row]);
    x.kind = alert;
    x.name = rule->text(row);
    x.key = key->text(row);
    x.start = at->i64[row];
    codec::append_alert_record(x.text, b, row);
    held_.push_back(std::move(x));
  }
}

void batch_printer::print(std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    held_[i].text += '\n';
    out_.write(held_[i].text.data(), static_cast<std::streamsize>(held_[i].text.size()));
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(n));
}

void batch_printer::flush() {
  if (held_.empty())
    return;
  std::stable_sort(held_.begin(), held_.end(), [](const record& a, const record& b) {
    return std::tie(a.step, a.kind, a.name, a.key, a.start, a.seq, a.version) <
           std::tie(b.step, b.kind, b.name, b.key, b.start, b.seq, b.version);
  });
  // Later events may still belong to the step of the present watermark.
  const auto end = std::find_if(held_.begin(), held_.end(), [&](const record& r) { return r.step >= after_; });
  print(static_cast<std::size_t>(end - held_.begin()));
}

void batch_printer::finish() {
  after_ = end_watermark;
  flush();
  print(held_.size());
}

} // namespace millrace::cli
