// SPDX-License-Identifier: Apache-2.0
/// @file
/// Watches a KV bucket with a reader on a thread of its own: the reader repairs itself, `kvStore_Watch` does not.
#pragma once

#include "messaging/nats/reader.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace millrace::nats {

/// *Shutdown*: the destructor waits for the callback to return, unless it runs inside the callback.
class bucket_watch final : public subscription {
public:
  bucket_watch(std::string bucket, std::unique_ptr<reader> entries, std::function<void(const kv_entry&)> on_entry);
  ~bucket_watch() override;
  bucket_watch(const bucket_watch&) = delete;
  bucket_watch& operator=(const bucket_watch&) = delete;

private:
  struct state;
  static void run(const std::shared_ptr<state>& s);

  std::shared_ptr<state> state_;
  std::thread thread_;
};

} // namespace millrace::nats
