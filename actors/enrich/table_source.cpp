// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_source.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace millrace::enrich {

namespace {

/// Waits between looks while a pipeline waits for its first version; doubled up to `every`.
constexpr std::chrono::nanoseconds first_retry = std::chrono::milliseconds{500};

class polling_source final : public runtime::control_source {
public:
  polling_source(std::string table, std::unique_ptr<table_look> look, std::chrono::nanoseconds every, table_news news)
    : table_{std::move(table)}, look_{std::move(look)}, every_{every}, news_{std::move(news)} {}
  ~polling_source() override { stop(); }

  const std::string& name() const noexcept override { return table_; }

  void start(std::function<void(runtime::control)> deliver) override {
    deliver_ = std::move(deliver);
    const std::lock_guard lock{mutex_};
    if (!stopping_ && !thread_.joinable())
      thread_ = std::thread{[this] { run(); }};
  }

  void stop() override {
    std::thread ended;
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
      ended = std::move(thread_);
    }
    wake_.notify_all();
    if (ended.joinable())
      ended.join();
  }

private:
  void run() {
    auto pause = std::min(first_retry, every_);
    std::unique_lock lock{mutex_};
    while (!stopping_) {
      lock.unlock();
      look();
      lock.lock();
      wake_.wait_for(lock, delivered_ ? every_ : pause, [&] { return stopping_; });
      pause = std::min(pause * 2, every_);
    }
  }

  void look() {
    result<std::optional<std::string>> found = std::optional<std::string>{};
    try {
      found = look_->look();
    } catch (const std::exception& e) {
      found = error{ec::internal, "table `" + table_ + "`: " + e.what(), ""};
    }
    if (!found) {
      if (found.error().message != told_ && news_.failed)
        news_.failed(table_, found.error());
      told_ = found.error().message;
      return;
    }
    told_.clear();
    if (!*found)
      return;
    const auto hash = hash_of_contents(**found);
    if (delivered_ && hash == hash_)
      return;
    {
      const std::lock_guard lock{mutex_};
      if (stopping_)
        return;
    }
    deliver_({table_, *std::move(*found), hash});
    hash_ = hash;
    delivered_ = true;
    if (news_.changed)
      news_.changed(table_, hash);
  }

  const std::string table_;
  const std::unique_ptr<table_look> look_;
  const std::chrono::nanoseconds every_;
  const table_news news_;
  std::function<void(runtime::control)> deliver_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;

  // Of the thread alone.
  std::uint64_t hash_ = 0;
  bool delivered_ = false;
  /// The error last reported.
  std::string told_;
};

} // namespace

std::shared_ptr<runtime::control_source> make_table_source(std::string table, std::unique_ptr<table_look> look,
                                                           std::chrono::nanoseconds every, table_news news) {
  return std::make_shared<polling_source>(std::move(table), std::move(look), every, std::move(news));
}

} // namespace millrace::enrich
