// SPDX-License-Identifier: Apache-2.0
#include "services/cli/batch_input.hpp"

#include "messaging/codec/csv.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millrace::cli {

namespace {

/// Longest single event, line or JSON array that is read into memory.
constexpr std::size_t max_pending_bytes = std::size_t{256} * 1024 * 1024;

} // namespace

void batch_input::closer::operator()(std::FILE* f) const noexcept {
  if (f != stdin)
    std::fclose(f);
}

result<std::unique_ptr<batch_input>> batch_input::open(std::string path, ingest::shard_options options,
                                                       std::uint32_t index, std::size_t chunk_bytes, std::string name) {
  std::unique_ptr<batch_input> in{new batch_input};
  in->format_ = options.decode.format;
  auto s = ingest::shard::make(std::move(options), index);
  if (!s)
    return std::move(s).error();
  in->shard_ = std::move(*s);
  in->rows_ = event_batch::make(in->shard_->layout());
  in->index_ = index;
  in->chunk_bytes_ = std::max<std::size_t>(chunk_bytes, 1);
  in->file_.reset(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!in->file_)
    return error{ec::io, "cannot open " + path + ": " + std::strerror(errno), ""};
  in->name_ = name.empty() ? path : std::move(name);
  in->path_ = std::move(path);
  return in;
}

nanoseconds_t batch_input::watermark() const noexcept {
  if (next_ < rows_.rows)
    return rows_.watermark[next_];
  return closed_ ? end_watermark : shard_->watermark();
}

result<void> batch_input::read_more() {
  const auto at = buffer_.size();
  if (at > max_pending_bytes)
    return error{ec::too_large, path_ + ": no end of an event within " + std::to_string(max_pending_bytes) + " bytes",
                 "write one event to a line"};
  // A long event doubles what is read, so that looking for its end stays linear.
  const auto want = std::max(chunk_bytes_, at);
  buffer_.resize(at + want);
  const auto n = std::fread(buffer_.data() + at, 1, want, file_.get());
  buffer_.resize(at + n);
  if (n < want) {
    if (std::ferror(file_.get()))
      return error{ec::io, "cannot read " + path_ + ": " + std::strerror(errno), ""};
    at_eof_ = true;
  }
  return {};
}

/// Length of the whole events at the front of the buffer; 0: none yet.
std::size_t batch_input::cut() const {
  if (at_eof_)
    return buffer_.size();
  const auto last = buffer_.rfind('\n');
  if (last == std::string::npos)
    return 0;
  if (format_ != codec::event_format::csv)
    return last + 1;
  return codec::whole_csv_records(buffer_);
}

result<void> batch_input::read_header() {
  header_read_ = true;
  auto* sink = dynamic_cast<codec::csv_header_sink*>(&shard_->decoder());
  if (!sink)
    return {};
  while (buffer_.find('\n') == std::string::npos && !at_eof_)
    if (auto r = read_more(); !r)
      return r;
  auto end = buffer_.find('\n');
  end = end == std::string::npos ? buffer_.size() : end + 1;
  if (auto r = sink->set_header(std::string_view{buffer_}.substr(0, end)); !r)
    return error{r.error().code, path_ + ": " + r.error().message, r.error().hint};
  buffer_.erase(0, end);
  place_ += end;
  return {};
}

result<void> batch_input::fill() {
  while (next_ >= rows_.rows && !ended_) {
    if (!header_read_)
      if (auto r = read_header(); !r)
        return r;
    if (!at_eof_)
      if (auto r = read_more(); !r)
        return r;
    const auto end = cut();
    if (end == 0 && !at_eof_)
      continue;
    codec::source_message m;
    m.payload = std::string_view{buffer_}.substr(0, end);
    m.shard = index_;
    m.place = place_;
    m.file = name_;
    m.arrival = arrival_;
    shard_->feed_lines(m);
    auto chunk = shard_->take();
    buffer_.erase(0, end);
    place_ += end;
    rows_ = std::move(chunk.batch);
    next_ = 0;
    for (auto& r : chunk.rejected)
      rejected_.push_back(std::move(r));
    if (at_eof_ && buffer_.empty())
      ended_ = true;
  }
  return {};
}

event_batch batch_input::take_all() {
  auto out = std::exchange(rows_, event_batch::make(shard_->layout()));
  next_ = 0;
  return out;
}

std::vector<rejected_event> batch_input::take_rejected() {
  if (next_ >= rows_.rows)
    return std::exchange(rejected_, {});
  // Rejects stand between the rows; those before the next row are due.
  const auto before = rows_.position[next_];
  auto split = std::find_if(rejected_.begin(), rejected_.end(), [&](const auto& r) { return r.position > before; });
  std::vector<rejected_event> out(std::make_move_iterator(rejected_.begin()), std::make_move_iterator(split));
  rejected_.erase(rejected_.begin(), split);
  return out;
}

} // namespace millrace::cli
