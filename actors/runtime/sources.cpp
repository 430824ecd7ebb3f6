// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/reader.hpp"

#include "messaging/codec/csv.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

namespace millrace::runtime {

namespace {

class log_source final : public source {
public:
  log_source(std::shared_ptr<bus> b, std::function<result<std::string>(bus&)> resolve, std::string filter,
             std::uint64_t after)
    : bus_{std::move(b)}, resolve_{std::move(resolve)}, filter_{std::move(filter)}, place_{after} {}

  result<source_run> next(std::size_t max_messages, std::size_t max_bytes, std::chrono::milliseconds wait) override {
    if (!reader_) {
      auto log = resolve_(*bus_);
      if (!log)
        return std::move(log).error();
      log_ = *log;
      auto r = bus_->read(log_, place_ + 1, filter_);
      if (!r)
        return std::move(r).error();
      reader_ = std::move(*r);
    }
    auto got = reader_->next(max_messages, max_bytes, wait);
    if (!got) {
      reader_.reset();
      return std::move(got).error();
    }
    source_run run;
    run.messages = std::move(*got);
    if (!run.messages.empty())
      place_ = run.messages.back().sequence;
    run.next_place = place_;
    run.at_end = reader_->at_end();
    run.behind = behind(run.at_end);
    return run;
  }

private:
  /// Asks the broker once in a while only: the answer costs a round trip.
  std::uint64_t behind(bool at_end) {
    if (at_end)
      return behind_ = 0;
    if (runs_++ % runs_per_question == 0)
      if (auto i = bus_->info(log_))
        behind_ = i->last_sequence - std::min(i->last_sequence, place_);
    return behind_;
  }

  static constexpr unsigned runs_per_question = 32;
  std::string log_;
  std::uint64_t behind_ = 0;
  unsigned runs_ = 0;
  std::shared_ptr<bus> bus_;
  std::function<result<std::string>(bus&)> resolve_;
  std::string filter_;
  std::uint64_t place_;
  std::unique_ptr<log_reader> reader_;
};

/// Whole lines, from a byte offset on. A line without its end is taken only when nothing follows and the file is not
/// followed.
class file_source final : public source {
public:
  file_source(std::string path, bool csv, bool follow, std::uint64_t after, std::function<std::int64_t()> wall)
    : path_{std::move(path)}, csv_{csv}, follow_{follow}, offset_{after}, wall_{std::move(wall)} {}

  result<source_run> next(std::size_t, std::size_t max_bytes, std::chrono::milliseconds wait) override {
    if (!in_.is_open()) {
      in_.open(path_, std::ios::binary);
      if (!in_)
        return error{ec::unavailable, "cannot open " + path_ + ": " + std::strerror(errno), ""};
    }
    in_.clear();
    in_.seekg(0, std::ios::end);
    if (const auto size = in_.tellg(); size >= 0 && static_cast<std::uint64_t>(size) < offset_)
      return error{ec::gap,
                   path_ + " has " + std::to_string(size) + " bytes, fewer than the " + std::to_string(offset_) +
                     " that were read",
                   "the file was replaced or cut; restore it, or start the pipeline under a new name"};
    in_.seekg(static_cast<std::streamoff>(offset_));
    std::string text(std::max(max_bytes, carry_), '\0');
    in_.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in_.gcount()));
    const bool at_end = in_.eof();
    if (const auto cut = whole(text); cut != 0 && !(at_end && !follow_)) {
      text.resize(cut);
    } else if (!at_end) {
      carry_ = text.size() * 2; // a line longer than the run: read more of it
      return source_run{};
    } else if (follow_) {
      text.clear();
    }
    source_run run;
    run.lines = true;
    run.at_end = at_end;
    run.ended = at_end && !follow_;
    if (!text.empty()) {
      message m;
      m.sequence = offset_;
      m.stamp = wall_();
      offset_ += text.size();
      m.payload = std::move(text);
      run.messages.push_back(std::move(m));
    } else if (at_end) {
      std::this_thread::sleep_for(wait);
    }
    carry_ = 0;
    run.next_place = offset_;
    return run;
  }

private:
  /// Bytes of the whole events at the front of `text`: a quoted CSV field may hold line ends.
  std::size_t whole(const std::string& text) const {
    if (csv_)
      return codec::whole_csv_records(text);
    const auto last = text.rfind('\n');
    return last == std::string::npos ? 0 : last + 1;
  }

  std::string path_;
  bool csv_;
  bool follow_;
  std::uint64_t offset_;
  std::function<std::int64_t()> wall_;
  std::ifstream in_;
  std::size_t carry_ = 0;
};

} // namespace

std::unique_ptr<source> make_log_source(std::shared_ptr<bus> b, std::function<result<std::string>(bus&)> resolve,
                                        std::string filter, std::uint64_t after) {
  return std::make_unique<log_source>(std::move(b), std::move(resolve), std::move(filter), after);
}

std::unique_ptr<source> make_file_source(std::string path, bool csv, bool follow, std::uint64_t after,
                                         std::function<std::int64_t()> wall) {
  return std::make_unique<file_source>(std::move(path), csv, follow, after, std::move(wall));
}

} // namespace millrace::runtime
