// SPDX-License-Identifier: Apache-2.0
#include "messaging/kv.hpp"

#include "messaging/subjects.hpp"

#include <algorithm>

namespace millrace::kv {

namespace {

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

} // namespace

result<void> check_bucket(std::string_view bucket) {
  if (!bucket.empty() &&
      std::all_of(bucket.begin(), bucket.end(), [](char c) { return alphanumeric(c) || c == '-' || c == '_'; }))
    return {};
  return error{ec::invalid, "'" + std::string{bucket} + "' is not a bucket name", "use letters, digits, '-' and '_'"};
}

result<void> check_key(std::string_view key) {
  const bool good = valid_subject(key) && std::all_of(key.begin(), key.end(), [](char c) {
                      return alphanumeric(c) || c == '-' || c == '_' || c == '/' || c == '=' || c == '.';
                    });
  if (good)
    return {};
  return error{ec::invalid, "'" + std::string{key} + "' is not a key", "use letters, digits, '-', '_', '/', '=', '.'"};
}

error no_bucket(std::string_view bucket) {
  return {ec::not_found, "there is no bucket " + std::string{bucket}, "open it first"};
}

std::string stream(std::string_view bucket) { return "KV_" + std::string{bucket}; }

std::string subject(std::string_view bucket, std::string_view key) {
  return "$KV." + std::string{bucket} + "." + std::string{key};
}

kv_entry entry(std::string_view bucket, const message& m) {
  kv_entry out;
  out.key = m.subject.substr(std::min(m.subject.size(), subject(bucket, "").size()));
  out.value = m.payload;
  out.revision = m.sequence;
  const auto operation = m.header("KV-Operation");
  out.deleted = operation == "DEL" || operation == "PURGE";
  return out;
}

std::vector<kv_entry> entries(std::string_view bucket, const std::vector<message>& messages) {
  std::vector<kv_entry> out;
  for (const auto& m : messages)
    if (auto e = entry(bucket, m); !e.deleted)
      out.push_back(std::move(e));
  return out;
}

} // namespace millrace::kv
