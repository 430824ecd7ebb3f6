// SPDX-License-Identifier: Apache-2.0
/// @file
/// Owners of nats.c's objects, and conversions between its messages and ours.
#pragma once

#include "messaging/bus.hpp"

#include <nats/nats.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::nats {

template <auto Destroy>
struct destroyer {
  template <class T>
  void operator()(T* p) const noexcept {
    Destroy(p);
  }
};

using msg_ptr = std::unique_ptr<natsMsg, destroyer<natsMsg_Destroy>>;
using options_ptr = std::unique_ptr<natsOptions, destroyer<natsOptions_Destroy>>;
using js_ptr = std::unique_ptr<jsCtx, destroyer<jsCtx_Destroy>>;
/// For synchronous subscriptions only; an asynchronous one has to be awaited first (async_subscription).
using sync_subscription = std::unique_ptr<natsSubscription, destroyer<natsSubscription_Destroy>>;

std::string_view payload_of(natsMsg* m) noexcept;
/// Headers in order of name: nats.c keeps them in a hash table.
header_list headers_of(natsMsg* m);
/// Empty when there is none.
std::string_view header_of(natsMsg* m, const char* name) noexcept;
result<msg_ptr> make_message(const std::string& subject, const std::string& reply, std::string_view payload,
                             const header_list& headers);

/// What a JetStream message's reply subject tells about it.
struct delivery {
  std::string_view consumer;
  std::uint64_t stream_sequence = 0;
  std::uint64_t consumer_sequence = 0;
  std::int64_t stamp = 0;
  std::uint64_t pending = 0;
};
/// False when `reply` is not a `$JS.ACK` subject (9 tokens, or 11 and more on newer servers).
bool parse_delivery(std::string_view reply, delivery& out) noexcept;

} // namespace millrace::nats
