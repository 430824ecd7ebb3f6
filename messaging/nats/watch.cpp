// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/watch.hpp"

#include "messaging/kv.hpp"

#include <atomic>

namespace millrace::nats {

struct bucket_watch::state {
  std::string bucket;
  std::unique_ptr<reader> entries;
  std::function<void(const kv_entry&)> on_entry;
  std::atomic<bool> stopping{false};
};

bucket_watch::bucket_watch(std::string bucket, std::unique_ptr<reader> entries,
                           std::function<void(const kv_entry&)> on_entry)
  : state_{std::make_shared<state>()} {
  state_->bucket = std::move(bucket);
  state_->entries = std::move(entries);
  state_->on_entry = std::move(on_entry);
  thread_ = std::thread{[s = state_] { run(s); }};
}

bucket_watch::~bucket_watch() {
  state_->stopping = true;
  if (thread_.get_id() == std::this_thread::get_id())
    thread_.detach();
  else
    thread_.join();
}

void bucket_watch::run(const std::shared_ptr<state>& s) {
  // Short waits: they bound how long the destructor takes.
  constexpr std::chrono::milliseconds patience{100};
  while (!s->stopping) {
    const auto batch = s->entries->next(256, 1024 * 1024, patience);
    if (!batch)
      continue; // The reader has waited, and repairs itself.
    for (const auto& m : *batch)
      if (!s->stopping)
        s->on_entry(kv::entry(s->bucket, m));
  }
}

} // namespace millrace::nats
