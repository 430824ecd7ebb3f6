// SPDX-License-Identifier: Apache-2.0
#include "messaging/memory/log_store.hpp"

#include "messaging/subjects.hpp"

#include <algorithm>

namespace millrace::memory {

namespace {

constexpr std::uint64_t max_message_bytes = 1024 * 1024;

std::uint64_t stored_size(std::string_view subject, std::string_view payload, const header_list& headers) {
  // About what a server's file store adds to a record.
  std::uint64_t size = 30 + subject.size() + payload.size();
  for (const auto& [key, value] : headers)
    size += key.size() + value.size() + 4;
  return size;
}

} // namespace

log_store::log_store(log_spec spec, std::size_t keep_per_subject)
  : spec_{std::move(spec)}, keep_per_subject_{keep_per_subject} {}

std::uint64_t log_store::first_sequence() const noexcept {
  return messages_.empty() ? last_ + 1 : messages_.begin()->first;
}

log_info log_store::info() const {
  return {spec_.name, spec_.subjects, first_sequence(), last_, messages_.size(), bytes_};
}

bool log_store::covers(std::string_view subject) const noexcept {
  return std::any_of(spec_.subjects.begin(), spec_.subjects.end(),
                     [&](const std::string& pattern) { return subject_covers(pattern, subject); });
}

std::uint64_t log_store::subject_sequence(const std::string& subject) const {
  const auto it = subjects_.find(subject);
  return it == subjects_.end() ? 0 : it->second.back();
}

result<std::uint64_t> log_store::append(const append_request& request, std::int64_t stamp) {
  std::string subject{request.subject};
  if (request.expects.by != expectation::scope::none) {
    // A subject whose messages were all removed counts as never written: a server's quirk, kept on purpose.
    const auto actual = request.expects.by == expectation::scope::log ? last_ : subject_sequence(subject);
    if (actual != request.expects.sequence)
      return error{ec::conflict,
                   "append to " + subject + " expects sequence " + std::to_string(request.expects.sequence) +
                     ", the last one is " + std::to_string(actual),
                   {}};
  }
  const auto size = stored_size(request.subject, request.payload, request.headers);
  if (size > max_message_bytes)
    return error{
      ec::too_large, "append to " + subject + " has " + std::to_string(request.payload.size()) + " bytes", {}};
  if (keep_per_subject_ == 0 && bytes_ + size > spec_.max_bytes)
    return error{ec::full, "log " + spec_.name + " is full (" + std::to_string(bytes_) + " bytes)", {}};
  ++last_;
  bytes_ += size;
  auto& sequences = subjects_[subject];
  sequences.push_back(last_);
  auto headers = request.headers;
  // The order that every adapter answers in.
  std::stable_sort(headers.begin(), headers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  messages_.emplace(last_, message{last_, std::move(subject), stamp, std::string{request.payload}, std::move(headers)});
  if (keep_per_subject_ != 0 && sequences.size() > keep_per_subject_)
    erase(sequences.front());
  return last_;
}

const message* log_store::at(std::uint64_t sequence) const {
  const auto it = messages_.find(sequence);
  return it == messages_.end() ? nullptr : &it->second;
}

const message* log_store::tail(std::string_view subject) const {
  const auto it = subjects_.find(subject);
  return it == subjects_.end() ? nullptr : at(it->second.back());
}

std::vector<message> log_store::tails(std::string_view filter) const {
  std::vector<message> out;
  for (const auto& [subject, sequences] : subjects_)
    if (subject_covers(filter, subject))
      out.push_back(messages_.at(sequences.back()));
  std::sort(out.begin(), out.end(), [](const message& a, const message& b) { return a.sequence < b.sequence; });
  return out;
}

const message* log_store::find_from(std::uint64_t from, std::string_view filter) const {
  for (auto it = messages_.lower_bound(from); it != messages_.end(); ++it)
    if (filter.empty() || subject_covers(filter, it->second.subject))
      return &it->second;
  return nullptr;
}

void log_store::erase(std::uint64_t sequence) {
  const auto it = messages_.find(sequence);
  if (it == messages_.end())
    return;
  const auto entry = subjects_.find(it->second.subject);
  auto& sequences = entry->second;
  sequences.erase(std::lower_bound(sequences.begin(), sequences.end(), sequence));
  if (sequences.empty())
    subjects_.erase(entry);
  bytes_ -= stored_size(it->second.subject, it->second.payload, it->second.headers);
  messages_.erase(it);
}

void log_store::purge_below(const std::string& subject, std::uint64_t below) {
  const auto entry = subjects_.find(subject);
  if (entry == subjects_.end())
    return;
  below = std::min(below, entry->second.back());
  // The last message stays, so the entry outlives the loop.
  while (entry->second.front() < below)
    erase(entry->second.front());
}

void log_store::purge_all_below(std::uint64_t below) {
  while (!messages_.empty() && messages_.begin()->first < below)
    erase(messages_.begin()->first);
}

void log_store::drop(const std::string& subject) {
  const auto entry = subjects_.find(subject);
  if (entry == subjects_.end())
    return;
  const auto sequences = entry->second;
  for (const auto sequence : sequences)
    erase(sequence);
}

void log_store::expire(std::int64_t now) {
  if (spec_.max_age.count() == 0)
    return;
  while (!messages_.empty() && messages_.begin()->second.stamp + spec_.max_age.count() <= now)
    erase(messages_.begin()->first);
}

void log_store::truncate(std::uint64_t last) {
  while (!messages_.empty() && messages_.rbegin()->first > last)
    erase(messages_.rbegin()->first);
  last_ = std::min(last_, last);
}

} // namespace millrace::memory
