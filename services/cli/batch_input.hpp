// SPDX-License-Identifier: Apache-2.0
/// @file
/// One input of `millrace batch` as a source shard: reads whole events, decodes them, knows its watermark.
#pragma once

#include "actors/ingest/shard.hpp"
#include "messaging/errors.hpp"

#include <cstdio>
#include <memory>
#include <string>

namespace millrace::cli {

class batch_input {
public:
  /// @param path `-` is stdin.
  /// @param name What `$file` says; empty: the path.
  static result<std::unique_ptr<batch_input>> open(std::string path, ingest::shard_options options, std::uint32_t index,
                                                   std::size_t chunk_bytes, std::string name = {});
  /// Log time of what is read from now on: `$arrival`.
  void arrive_at(nanoseconds_t log_time) noexcept { arrival_ = log_time; }

  /// Decodes the next chunk if all rows are used; after it, `done()` says whether anything is left.
  result<void> fill();
  bool done() const noexcept { return ended_ && next_ >= rows_.rows; }
  /// After `done()`: the input holds nothing any more.
  void close() noexcept { closed_ = true; }
  /// Watermark before the next event; `end_watermark` once closed.
  nanoseconds_t watermark() const noexcept;
  /// Rows not used yet: [next, rows().rows).
  const event_batch& rows() const noexcept { return rows_; }
  std::size_t next() const noexcept { return next_; }
  /// Uses up rows before `n`.
  void advance(std::size_t n) noexcept { next_ = n; }
  /// The chunk, when all of it is used at once.
  event_batch take_all();
  /// Rejects among the events up to the rows used so far.
  std::vector<rejected_event> take_rejected();

  const ingest::shard& shard() const noexcept { return *shard_; }
  std::uint64_t bytes_read() const noexcept { return place_; }
  const std::string& path() const noexcept { return path_; }

private:
  batch_input() = default;
  result<void> read_more();
  result<void> read_header();
  std::size_t cut() const;

  struct closer {
    void operator()(std::FILE* f) const noexcept;
  };
  std::string path_;
  std::string name_;
  nanoseconds_t arrival_ = 0;
  std::unique_ptr<std::FILE, closer> file_;
  std::unique_ptr<ingest::shard> shard_;
  codec::event_format format_ = codec::event_format::json;
  std::size_t chunk_bytes_ = 0;
  std::uint32_t index_ = 0;
  /// Bytes read and not decoded yet, and where they begin in the file.
  std::string buffer_;
  std::uint64_t place_ = 0;
  bool at_eof_ = false;
  bool ended_ = false;
  bool closed_ = false;
  bool header_read_ = false;
  event_batch rows_;
  std::size_t next_ = 0;
  std::vector<rejected_event> rejected_;
};

} // namespace millrace::cli
