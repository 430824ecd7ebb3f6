// SPDX-License-Identifier: Apache-2.0
#include "actors/storage/sqlite_rows.hpp"

#include "messaging/codec/json_writer.hpp"

#include <array>
#include <utility>

namespace millrace::storage::sqlite {

namespace {

/// Stored in `seq` for windows that have none; NULL could not be part of the identity.
constexpr std::int64_t no_seq = -1;

constexpr std::string_view upsert_window = R"sql(
INSERT INTO windows(pipeline,"window","key",start,"end",seq,version,generation,final,retracted,"values",errors)
VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)
ON CONFLICT(pipeline,"window",start,"key",seq) DO UPDATE SET
  "end"=excluded."end", version=excluded.version, generation=excluded.generation, final=excluded.final,
  retracted=excluded.retracted, "values"=excluded."values", errors=excluded.errors
WHERE (excluded.generation,excluded.version) > (generation,version))sql";

constexpr std::string_view upsert_alert = R"sql(
INSERT INTO alerts(pipeline,id,rule,"key",state,at,since,severity,labels,summary,"values")
VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)
ON CONFLICT(pipeline,id,state) DO UPDATE SET
  rule=excluded.rule, "key"=excluded."key", at=excluded.at, since=excluded.since, severity=excluded.severity,
  labels=excluded.labels, summary=excluded.summary, "values"=excluded."values")sql";

constexpr std::string_view upsert_event = R"sql(
INSERT INTO events(pipeline,shard,position,time,event) VALUES(?1,?2,?3,?4,?5)
ON CONFLICT(pipeline,shard,position) DO UPDATE SET time=excluded.time, event=excluded.event)sql";

millrace::error wrong_columns(const section& s, std::string_view what) {
  return {ec::invalid, "storage: section \"" + s.name + "\" has no usable column " + std::string{what}, ""};
}

result<void> step(database& db, statement& s, std::string_view attempt) {
  const int rc = s.step();
  s.reset();
  if (rc != SQLITE_DONE)
    return db.failure(rc, attempt);
  return {};
}

bool is_true(const column* c, std::size_t row) { return c != nullptr && !c->is_null(row) && c->b8[row] != 0; }

const column* find(const event_batch& b, std::string_view name, data_type type) {
  const auto* c = b.find(name);
  return c != nullptr && c->type == type ? c : nullptr;
}

} // namespace

result<row_writer> row_writer::prepare(database& db) {
  row_writer w;
  for (auto [target, sql] :
       {std::pair{&w.window_, upsert_window}, std::pair{&w.alert_, upsert_alert}, std::pair{&w.event_, upsert_event}}) {
    auto s = db.prepare(sql);
    if (!s)
      return std::move(s).error();
    *target = std::move(*s);
  }
  return w;
}

result<void> row_writer::write(database& db, std::string_view pipeline, const section& s, bool keep_events) {
  if (s.name == codec::section_alerts)
    return write_alerts(db, pipeline, s);
  if (!s.name.empty())
    return write_windows(db, pipeline, s);
  if (keep_events)
    return write_events(db, pipeline, s);
  return {};
}

result<void> row_writer::write_windows(database& db, std::string_view pipeline, const section& s) {
  const auto& b = s.batch;
  const auto* start = find(b, codec::column_start, data_type::timestamp);
  const auto* end = find(b, codec::column_end, data_type::timestamp);
  const auto* version = find(b, codec::column_version, data_type::int64);
  if (start == nullptr || end == nullptr || version == nullptr)
    return wrong_columns(s, start == nullptr ? "$start" : end == nullptr ? "$end" : "$version");
  const auto* seq = find(b, codec::column_seq, data_type::int64);
  const auto* final = find(b, codec::column_final, data_type::boolean);
  const auto* retracted = find(b, codec::column_retracted, data_type::boolean);
  const auto* errors = b.find(codec::column_errors);
  window_.bind(1, pipeline);
  window_.bind(2, std::string_view{s.name});
  // Generations come with re-computation; until then there is one.
  window_.bind(8, std::int64_t{0});
  for (std::size_t row = 0; row < b.rows; ++row) {
    key_.clear();
    codec::append_window_key(key_, b, row);
    text_.clear();
    codec::append_window_values(text_, b, row);
    window_.bind(3, std::string_view{key_});
    window_.bind(4, start->i64[row]);
    window_.bind(5, end->i64[row]);
    window_.bind(6, seq != nullptr && !seq->is_null(row) ? seq->i64[row] : no_seq);
    window_.bind(7, version->i64[row]);
    window_.bind(9, std::int64_t{is_true(final, row)});
    window_.bind(10, std::int64_t{is_true(retracted, row)});
    window_.bind(11, std::string_view{text_});
    if (errors != nullptr && !errors->is_null(row)) {
      errors_.clear();
      codec::append_value(errors_, *errors, row);
      window_.bind(12, std::string_view{errors_});
    } else {
      window_.bind_null(12);
    }
    if (auto r = step(db, window_, "store a window result"); !r)
      return r;
  }
  return {};
}

result<void> row_writer::write_alerts(database& db, std::string_view pipeline, const section& s) {
  const auto& b = s.batch;
  // In the order of the parameters, from ?2 on.
  constexpr std::array<std::string_view, 10> names{"id",    "rule",     "key",    "state",   "at",
                                                   "since", "severity", "labels", "summary", "values"};
  std::array<const column*, names.size()> columns{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    columns[i] = b.find(names[i]);
    const bool is_time = names[i] == "at" || names[i] == "since";
    if (columns[i] == nullptr || (is_time ? columns[i]->type != data_type::timestamp : !is_text(columns[i]->type)))
      return wrong_columns(s, names[i]);
  }
  alert_.bind(1, pipeline);
  for (std::size_t row = 0; row < b.rows; ++row) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const int parameter = static_cast<int>(i) + 2;
      if (columns[i]->is_null(row))
        alert_.bind_null(parameter);
      else if (columns[i]->type == data_type::timestamp)
        alert_.bind(parameter, columns[i]->i64[row]);
      else
        alert_.bind(parameter, columns[i]->text(row));
    }
    if (auto r = step(db, alert_, "store an alert"); !r)
      return r;
  }
  return {};
}

result<void> row_writer::write_events(database& db, std::string_view pipeline, const section& s) {
  const auto& b = s.batch;
  event_.bind(1, pipeline);
  for (std::size_t row = 0; row < b.rows; ++row) {
    text_.clear();
    codec::append_event(text_, b, row);
    event_.bind(2, std::int64_t{b.shard[row]});
    event_.bind(3, b.position[row]);
    event_.bind(4, b.time[row]);
    event_.bind(5, std::string_view{text_});
    if (auto r = step(db, event_, "store an event"); !r)
      return r;
  }
  return {};
}

void append_window_row(std::string& out, const statement& s) {
  out += R"({"kind":"window","window":)";
  codec::append_string(out, s.text(0));
  out += R"(,"key":)";
  out += s.text(1);
  out += R"(,"start":)";
  codec::append_timestamp(out, s.integer(2));
  out += R"(,"end":)";
  codec::append_timestamp(out, s.integer(3));
  if (s.integer(4) != no_seq) {
    out += R"(,"seq":)";
    codec::append_int(out, s.integer(4));
  }
  out += R"(,"version":)";
  codec::append_int(out, s.integer(5));
  out += s.integer(6) != 0 ? R"(,"final":true)" : R"(,"final":false)";
  if (s.integer(7) != 0)
    out += R"(,"retracted":true)";
  out += R"(,"values":)";
  out += s.text(8);
  if (!s.is_null(9)) {
    out += R"(,"errors":)";
    out += s.text(9);
  }
  out += '}';
}

void append_alert_row(std::string& out, const statement& s) {
  // The one writer of alert records is the codec's: the row goes back into a batch for it.
  static const auto layout = std::make_shared<const schema>(std::vector<field>{{"rule", data_type::string, false},
                                                                               {"id", data_type::string, false},
                                                                               {"key", data_type::json, false},
                                                                               {"state", data_type::string, false},
                                                                               {"at", data_type::timestamp, false},
                                                                               {"since", data_type::timestamp, false},
                                                                               {"severity", data_type::string, true},
                                                                               {"labels", data_type::json, false},
                                                                               {"summary", data_type::string, false},
                                                                               {"values", data_type::json, false}});
  batch_builder row{layout};
  for (std::size_t i = 0; i < layout->size(); ++i) {
    const int column = static_cast<int>(i);
    if (s.is_null(column))
      continue;
    if ((*layout)[i].type == data_type::timestamp)
      row.set_int(i, s.integer(column));
    else
      row.set_text(i, s.text(column));
  }
  row.finish_row(0, no_watermark, 0, 0);
  codec::append_alert_record(out, row.finish(), 0);
}

} // namespace millrace::storage::sqlite
