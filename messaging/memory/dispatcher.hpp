// SPDX-License-Identifier: Apache-2.0
/// @file
/// Hands messages of the memory bus to callbacks: on one own thread, started when the first is due, or in the
/// caller's thread. After a subscription is gone its callback is never entered again.
#pragma once

#include "messaging/bus.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace millrace::memory {

/// A callback that can be revoked, also from inside itself.
class subscriber {
public:
  subscriber(std::string filter, std::function<void(const message&)> callback);
  const std::string& filter() const noexcept { return filter_; }
  void call(const message& m);
  /// Blocks until a call in another thread has returned.
  void revoke();

private:
  std::string filter_;
  std::recursive_mutex mutex_;
  bool revoked_ = false;
  std::function<void(const message&)> callback_;
};

class dispatcher {
public:
  explicit dispatcher(bool inline_callbacks) : inline_{inline_callbacks} {}
  ~dispatcher();
  dispatcher(const dispatcher&) = delete;
  dispatcher& operator=(const dispatcher&) = delete;

  /// Queues; cheap and without calling back, so allowed under the bus's lock.
  void post(std::shared_ptr<subscriber> to, std::shared_ptr<const message> m);
  /// With inline callbacks, calls what is queued; to be called without locks.
  void flush();

private:
  struct delivery {
    std::shared_ptr<subscriber> to;
    std::shared_ptr<const message> what;
  };
  /// Shared with the thread: a callback may own the bus, so the thread may be the one that destroys it.
  struct core {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<delivery> queue;
    bool stopping = false;
  };
  static void run(const std::shared_ptr<core>& c);

  const bool inline_;
  std::shared_ptr<core> core_ = std::make_shared<core>();
  std::thread thread_;
};

} // namespace millrace::memory
