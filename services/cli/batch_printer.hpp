// SPDX-License-Identifier: Apache-2.0
/// @file
/// Orders the output of `millrace batch`: one step per watermark advance; within it rejected, then alerts, then
/// windows, each by name, key, start and version, whatever the chunks were.
#pragma once

#include "actors/processor.hpp"

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// `{"kind":"rejected",...}` of a late or rejected event, without newline.
void append_rejected_record(std::string& out, const rejected_event& r);

class batch_printer {
public:
  explicit batch_printer(std::ostream& out) : out_{out} {}

  /// The watermarks before the events of the slice whose records are added next, ascending, and the one after it.
  void begin(std::span<const std::int64_t> watermarks, nanoseconds_t after);
  void add_rejected(const rejected_event& r);
  void add_windows(std::string_view window, const event_batch& b);
  void add_alerts(const event_batch& b);
  /// Prints the steps that nothing can join any more.
  void flush();
  /// Prints the rest.
  void finish();

private:
  struct record {
    nanoseconds_t step = 0;
    int kind = 0;
    std::string name;
    std::string key;
    std::int64_t start = 0;
    /// Of a count window: windows of the same events may start at the same time.
    std::int64_t seq = 0;
    std::int64_t version = 0;
    std::string text;
  };
  nanoseconds_t step_of(nanoseconds_t due) const;
  void print(std::size_t n);

  std::ostream& out_;
  std::span<const std::int64_t> watermarks_;
  nanoseconds_t after_ = no_watermark;
  std::vector<record> held_;
};

} // namespace millrace::cli
