// SPDX-License-Identifier: Apache-2.0
/// @file
/// Databases in a folder of their own, and sections to put into them.
#pragma once

#include "actors/storage/store.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <stdlib.h>
#include <string>
#include <utility>
#include <vector>

namespace millrace::storage::testing {

class temp_dir {
public:
  temp_dir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-storage-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~temp_dir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  std::string file(const std::string& name = "t.db") const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

template <class T>
T must(result<T> r) {
  if (!r)
    FAIL(to_string(r.error()));
  return std::move(r).value();
}

inline void must(result<void> r) {
  if (!r)
    FAIL(to_string(r.error()));
}

inline std::unique_ptr<store_writer> writer_on(const temp_dir& dir, bool keep_events = false) {
  sqlite_options o;
  o.path = dir.file();
  o.busy_timeout_ms = 50;
  o.keep_events = keep_events;
  return must(open_sqlite_writer(o));
}

inline std::unique_ptr<store_reader> reader_on(const temp_dir& dir) {
  sqlite_options o;
  o.path = dir.file();
  return must(open_sqlite_reader(o));
}

/// One result of the window `w`, keyed by symbol and venue.
struct window_row {
  std::string symbol;
  std::int64_t venue = 0;
  nanoseconds_t start = 0;
  std::int64_t version = 0;
  std::int64_t trades = 0;
  std::optional<double> vwap = std::nullopt;
  std::string errors = {};
  bool final = true;
  bool retracted = false;
};

inline section windows_section(const std::vector<window_row>& rows, const std::string& name = "w") {
  static const auto layout = std::make_shared<const schema>(std::vector<field>{
    {"symbol", data_type::string, false},
    {"venue", data_type::int64, false},
    {"$start", data_type::timestamp, false},
    {"$end", data_type::timestamp, false},
    {"$version", data_type::int64, false},
    {"$final", data_type::boolean, false},
    {"$retracted", data_type::boolean, false},
    {"trades", data_type::int64, true},
    {"vwap", data_type::float64, true},
    {"$errors", data_type::json, true},
  });
  batch_builder b{layout};
  for (const auto& r : rows) {
    b.set_text(0, r.symbol);
    b.set_int(1, r.venue);
    b.set_int(2, r.start);
    b.set_int(3, r.start + 60'000'000'000);
    b.set_int(4, r.version);
    b.set_bool(5, r.final);
    b.set_bool(6, r.retracted);
    b.set_int(7, r.trades);
    if (r.vwap)
      b.set_double(8, *r.vwap);
    if (!r.errors.empty())
      b.set_text(9, r.errors);
    b.finish_row(r.start, r.start, 0, 0);
  }
  return {name, b.finish()};
}

/// The record that `batch` would print.
inline std::string record_of(const window_row& r) {
  std::string out;
  codec::append_window_record(out, "w", windows_section({r}).batch, 0);
  return out;
}

/// A writer's log that counts its own positions.
class log_feed {
public:
  log_feed(store_writer& w, std::string log, std::string pipeline = "p")
    : writer_{w}, pipeline_{std::move(pipeline)}, log_{std::move(log)}, at_{must(w.claim(pipeline_, log_))} {}

  const position& at() const { return at_; }
  /// The request that would come next.
  position next(nanoseconds_t watermark = no_watermark) const {
    auto p = at_;
    ++p.sequence;
    p.checksum = p.sequence * 0x9e3779b97f4a7c15ULL;
    p.watermark = watermark;
    return p;
  }
  result<void> try_write(const std::vector<section>& sections, nanoseconds_t watermark = no_watermark) {
    const auto p = next(watermark);
    auto r = writer_.write(pipeline_, log_, {sections, p});
    if (r)
      at_ = p;
    return r;
  }
  void write(const std::vector<section>& sections, nanoseconds_t watermark = no_watermark) {
    must(try_write(sections, watermark));
  }

private:
  store_writer& writer_;
  std::string pipeline_;
  std::string log_;
  position at_;
};

inline window_query all_windows(std::string pipeline = "p") {
  window_query q;
  q.pipeline = std::move(pipeline);
  q.window = "w";
  q.limit = 10'000;
  q.descending = false;
  return q;
}

} // namespace millrace::storage::testing
