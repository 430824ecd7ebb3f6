// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/handles.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace millrace::nats {

std::string_view payload_of(natsMsg* m) noexcept {
  const auto length = natsMsg_GetDataLength(m);
  return length > 0 ? std::string_view{natsMsg_GetData(m), static_cast<std::size_t>(length)} : std::string_view{};
}

header_list headers_of(natsMsg* m) {
  header_list out;
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(m, &keys, &count) != NATS_OK)
    return out;
  for (int i = 0; i < count; ++i) {
    const char** values = nullptr;
    int n = 0;
    if (natsMsgHeader_Values(m, keys[i], &values, &n) != NATS_OK)
      continue;
    for (int j = 0; j < n; ++j)
      out.emplace_back(keys[i], values[j]);
    std::free(static_cast<void*>(values));
  }
  std::free(static_cast<void*>(keys));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

std::string_view header_of(natsMsg* m, const char* name) noexcept {
  const char* value = nullptr;
  return natsMsgHeader_Get(m, name, &value) == NATS_OK && value ? std::string_view{value} : std::string_view{};
}

result<msg_ptr> make_message(const std::string& subject, const std::string& reply, std::string_view payload,
                             const header_list& headers) {
  natsMsg* raw = nullptr;
  auto status = natsMsg_Create(&raw, subject.c_str(), reply.empty() ? nullptr : reply.c_str(), payload.data(),
                               static_cast<int>(payload.size()));
  msg_ptr out{raw};
  for (std::size_t i = 0; status == NATS_OK && i < headers.size(); ++i)
    status = natsMsgHeader_Add(raw, headers[i].first.c_str(), headers[i].second.c_str());
  if (status != NATS_OK)
    return error{ec::internal, "message for " + subject + ": " + natsStatus_GetText(status), {}};
  return out;
}

bool parse_delivery(std::string_view reply, delivery& out) noexcept {
  if (!reply.starts_with("$JS.ACK."))
    return false;
  std::array<std::string_view, 12> tokens;
  std::size_t count = 0;
  for (std::size_t start = 0; start <= reply.size() && count < tokens.size();) {
    const auto dot = std::min(reply.find('.', start), reply.size());
    tokens[count++] = reply.substr(start, dot - start);
    start = dot + 1;
  }
  // Newer servers put domain and account before the stream.
  const std::size_t at = count == 9 ? 2 : 4;
  if (count != 9 && count < 11)
    return false;
  const auto number = [](std::string_view text, auto& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
  };
  out.consumer = tokens[at + 1];
  return number(tokens[at + 3], out.stream_sequence) && number(tokens[at + 4], out.consumer_sequence) &&
         number(tokens[at + 5], out.stamp) && number(tokens[at + 6], out.pending);
}

} // namespace millrace::nats
