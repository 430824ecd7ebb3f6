// SPDX-License-Identifier: Apache-2.0
/// @file
/// One log of the memory bus: messages by sequence, with an index by subject. Not thread-safe: its bus locks.
#pragma once

#include "messaging/bus.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::memory {

class log_store {
public:
  /// `keep_per_subject`: 0 keeps all (logs), 1 keeps the last (KV buckets).
  log_store(log_spec spec, std::size_t keep_per_subject);

  const log_spec& spec() const noexcept { return spec_; }
  log_info info() const;
  std::uint64_t last_sequence() const noexcept { return last_; }
  std::uint64_t first_sequence() const noexcept;

  bool covers(std::string_view subject) const noexcept;
  /// Stores, or ec::conflict, ec::too_large, ec::full: judged in this order, as a server does.
  result<std::uint64_t> append(const append_request& request, std::int64_t stamp);

  const message* at(std::uint64_t sequence) const;
  const message* tail(std::string_view subject) const;
  std::vector<message> tails(std::string_view filter) const;
  /// First stored message at or after `from` that matches `filter` (empty: all).
  const message* find_from(std::uint64_t from, std::string_view filter) const;

  void purge_below(const std::string& subject, std::uint64_t below);
  void purge_all_below(std::uint64_t below);
  void drop(const std::string& subject);
  void expire(std::int64_t now);
  void truncate(std::uint64_t last);

private:
  void erase(std::uint64_t sequence);
  std::uint64_t subject_sequence(const std::string& subject) const;

  log_spec spec_;
  std::size_t keep_per_subject_;
  std::uint64_t last_ = 0;
  std::uint64_t bytes_ = 0;
  std::map<std::uint64_t, message> messages_;
  std::map<std::string, std::deque<std::uint64_t>, std::less<>> subjects_;
};

} // namespace millrace::memory
