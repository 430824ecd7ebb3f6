// SPDX-License-Identifier: Apache-2.0
#include "messaging/memory/dispatcher.hpp"

namespace millrace::memory {

subscriber::subscriber(std::string filter, std::function<void(const message&)> callback)
  : filter_{std::move(filter)}, callback_{std::move(callback)} {}

void subscriber::call(const message& m) {
  const std::lock_guard lock{mutex_};
  if (!revoked_)
    callback_(m);
}

void subscriber::revoke() {
  const std::lock_guard lock{mutex_};
  revoked_ = true;
}

dispatcher::~dispatcher() {
  {
    const std::lock_guard lock{core_->mutex};
    core_->stopping = true;
  }
  core_->wake.notify_all();
  if (!thread_.joinable())
    return;
  if (thread_.get_id() == std::this_thread::get_id())
    thread_.detach();
  else
    thread_.join();
}

void dispatcher::post(std::shared_ptr<subscriber> to, std::shared_ptr<const message> m) {
  const std::lock_guard lock{core_->mutex};
  core_->queue.push_back({std::move(to), std::move(m)});
  if (inline_)
    return;
  if (!thread_.joinable())
    thread_ = std::thread{[c = core_] { run(c); }};
  core_->wake.notify_one();
}

void dispatcher::flush() {
  if (!inline_)
    return;
  // A callback may drop the last reference to the bus.
  const auto c = core_;
  for (;;) {
    delivery next;
    {
      const std::lock_guard lock{c->mutex};
      if (c->queue.empty())
        return;
      next = std::move(c->queue.front());
      c->queue.pop_front();
    }
    next.to->call(*next.what);
  }
}

void dispatcher::run(const std::shared_ptr<core>& c) {
  std::unique_lock lock{c->mutex};
  for (;;) {
    c->wake.wait(lock, [&] { return c->stopping || !c->queue.empty(); });
    if (c->stopping)
      return;
    {
      const auto next = std::move(c->queue.front());
      c->queue.pop_front();
      lock.unlock();
      next.to->call(*next.what);
    }
    lock.lock();
  }
}

} // namespace millrace::memory
