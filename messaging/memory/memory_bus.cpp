// SPDX-License-Identifier: Apache-2.0
#include "messaging/memory/memory_bus.hpp"

#include "messaging/bus_checks.hpp"
#include "messaging/kv.hpp"
#include "messaging/memory/dispatcher.hpp"
#include "messaging/memory/log_store.hpp"
#include "messaging/subjects.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

namespace millrace {

namespace memory {
namespace {

error away() { return {ec::unavailable, "the memory bus is set unavailable", {}}; }
error no_log(std::string_view log) { return {ec::not_found, "there is no log " + std::string{log}, {}}; }

/// Everything that bus, readers and subscriptions share; alive as long as one of them.
struct state {
  explicit state(memory_options o) : options{std::move(o)}, callbacks{options.inline_callbacks} {}

  std::int64_t now() const { return options.now ? options.now() : 0; }

  log_store* find(std::string_view name) {
    const auto it = logs.find(name);
    if (it == logs.end())
      return nullptr;
    it->second.expire(now());
    return &it->second;
  }

  log_store* covering(std::string_view subject) {
    for (auto& [name, log] : logs)
      if (log.covers(subject))
        return &log;
    return nullptr;
  }

  void notify(const message& m) {
    std::shared_ptr<const message> shared;
    for (const auto& s : subscribers) {
      if (!subject_covers(s->filter(), m.subject))
        continue;
      if (!shared)
        shared = std::make_shared<message>(m);
      callbacks.post(s, shared);
    }
  }

  result<std::uint64_t> store(const append_request& request) {
    auto* const log = covering(request.subject);
    if (!log)
      return error{ec::unavailable, "no log stores the subject " + std::string{request.subject}, {}};
    if (!request.log.empty() && log->spec().name != request.log)
      return error{ec::config,
                   "subject " + std::string{request.subject} + " belongs to log " + log->spec().name + ", not " +
                     std::string{request.log},
                   {}};
    log->expire(now());
    auto outcome = log->append(request, now());
    if (outcome) {
      notify(*log->at(*outcome));
      arrived.notify_all();
    }
    return outcome;
  }

  /// A request that owns its bytes: a packet still on its way.
  struct packet {
    std::string log;
    std::string subject;
    std::string payload;
    header_list headers;
    expectation expects;
  };

  const memory_options options;
  std::mutex mutex;
  std::condition_variable arrived;
  bool available = true;
  std::uint64_t reconnects = 0;
  std::map<std::string, log_store, std::less<>> logs;
  std::vector<packet> delayed;
  std::vector<std::shared_ptr<subscriber>> subscribers;
  dispatcher callbacks;
};

class handle final : public subscription {
public:
  handle(std::shared_ptr<state> s, std::shared_ptr<subscriber> sub)
    : state_{std::move(s)}, subscriber_{std::move(sub)} {}
  ~handle() override {
    {
      const std::lock_guard lock{state_->mutex};
      std::erase(state_->subscribers, subscriber_);
    }
    // Outside the lock: a callback that is running may call the bus.
    subscriber_->revoke();
  }
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;

private:
  std::shared_ptr<state> state_;
  std::shared_ptr<subscriber> subscriber_;
};

class reader final : public log_reader {
public:
  reader(std::shared_ptr<state> s, std::string log, std::uint64_t from, std::string filter)
    : state_{std::move(s)}, log_{std::move(log)}, filter_{std::move(filter)}, next_{from}, fresh_{from != 1 &&
                                                                                                  filter_.empty()} {}

  result<std::vector<message>> next(std::size_t max_messages, std::size_t max_bytes,
                                    std::chrono::milliseconds wait) override {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    std::unique_lock lock{state_->mutex};
    for (;;) {
      auto out = take(max_messages, max_bytes);
      if ((out && !out->empty()) || (!out && out.error().code != ec::unavailable))
        return out;
      if (state_->arrived.wait_until(lock, deadline) == std::cv_status::timeout)
        return take(max_messages, max_bytes);
    }
  }

  bool at_end() const override { return at_end_; }

private:
  result<std::vector<message>> take(std::size_t max_messages, std::size_t max_bytes) {
    if (!state_->available)
      return away();
    auto* const log = state_->find(log_);
    if (!log)
      return no_log(log_);
    if (next_ > log->last_sequence() + 1)
      return error{ec::gap,
                   "log " + log_ + " ends at " + std::to_string(log->last_sequence()) + ", before the position " +
                     std::to_string(next_ - 1),
                   "the log has lost acknowledged messages"};
    // With a filter, what is gone may have belonged to other subjects; the frames' numbers tell.
    if (fresh_ && log->first_sequence() > next_)
      return error{ec::gap,
                   "log " + log_ + " starts at " + std::to_string(log->first_sequence()) + ", after " +
                     std::to_string(next_),
                   "messages were removed before they were read"};
    fresh_ = false;
    std::vector<message> out;
    std::size_t bytes = 0;
    const message* m = log->find_from(next_, filter_);
    for (; m && out.size() < max_messages && (out.empty() || bytes < max_bytes); m = log->find_from(next_, filter_)) {
      bytes += m->payload.size();
      next_ = m->sequence + 1;
      out.push_back(*m);
    }
    at_end_ = m == nullptr;
    return out;
  }

  std::shared_ptr<state> state_;
  std::string log_;
  std::string filter_;
  std::uint64_t next_;
  bool fresh_;
  bool at_end_ = false;
};

class adapter final : public memory_bus {
public:
  explicit adapter(memory_options options) : state_{std::make_shared<state>(std::move(options))} {}

  result<log_info> ensure_log(const log_spec& spec) override { return ensure(spec, 0); }

  result<log_info> info(std::string_view log) override {
    return with_log(log, [](log_store& l) -> result<log_info> { return l.info(); });
  }

  result<std::string> log_of(std::string_view subject) override {
    if (!valid_filter(subject))
      return error{ec::invalid, "'" + std::string{subject} + "' is not a subject", {}};
    const std::lock_guard lock{state_->mutex};
    if (!state_->available)
      return away();
    if (const auto* log = state_->covering(subject))
      return log->spec().name;
    for (const auto& [name, log] : state_->logs)
      for (const auto& s : log.spec().subjects)
        if (subjects_overlap(s, subject))
          return partly_covered(name, subject);
    return error{ec::not_found, "no log stores the subject " + std::string{subject}, {}};
  }

  std::vector<result<std::uint64_t>> append(std::span<const append_request> requests,
                                            std::chrono::milliseconds) override {
    std::vector<result<std::uint64_t>> out;
    out.reserve(requests.size());
    {
      const std::lock_guard lock{state_->mutex};
      for (const auto& request : requests)
        out.push_back(append_one(request));
    }
    state_->callbacks.flush();
    return out;
  }

  result<std::optional<message>> tail(std::string_view log, std::string_view subject) override {
    return with_log(log, [&](log_store& l) -> result<std::optional<message>> {
      const auto* m = l.tail(subject);
      return m ? std::optional{*m} : std::nullopt;
    });
  }

  result<message> get(std::string_view log, std::uint64_t sequence) override {
    return with_log(log, [&](log_store& l) -> result<message> {
      if (const auto* m = l.at(sequence))
        return *m;
      return error{ec::not_found, "log " + std::string{log} + " has no message " + std::to_string(sequence), {}};
    });
  }

  result<std::vector<message>> tails(std::string_view log, std::string_view filter) override {
    return with_log(log, [&](log_store& l) -> result<std::vector<message>> { return l.tails(filter); });
  }

  result<std::unique_ptr<log_reader>> read(std::string_view log, std::uint64_t from, std::string_view filter) override {
    if (auto ok = check_read(from, filter); !ok)
      return ok.error();
    return with_log(log, [&](log_store&) -> result<std::unique_ptr<log_reader>> {
      return std::unique_ptr<log_reader>{std::make_unique<reader>(state_, std::string{log}, from, std::string{filter})};
    });
  }

  result<void> trim(std::string_view log, std::string_view subject, std::uint64_t below) override {
    return with_log(log, [&](log_store& l) -> result<void> {
      l.purge_below(std::string{subject}, below);
      return {};
    });
  }

  result<void> purge(std::string_view log, std::uint64_t below) override {
    return with_log(log, [&](log_store& l) -> result<void> {
      l.purge_all_below(below);
      return {};
    });
  }

  result<void> drop(std::string_view log, std::string_view subject) override {
    return with_log(log, [&](log_store& l) -> result<void> {
      l.drop(std::string{subject});
      return {};
    });
  }

  result<void> kv_open(std::string_view bucket, std::chrono::nanoseconds ttl) override {
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok;
    log_spec spec;
    spec.name = kv::stream(bucket);
    spec.subjects = {kv::subject(bucket, ">")};
    spec.max_age = ttl;
    if (auto made = ensure(spec, 1); !made)
      return made.error();
    return {};
  }

  result<std::uint64_t> kv_put(std::string_view bucket, std::string_view key, std::string_view value) override {
    if (auto ok = kv::check_key(key); !ok)
      return ok.error();
    result<std::uint64_t> outcome = 0;
    {
      const std::lock_guard lock{state_->mutex};
      const auto stream = kv::stream(bucket);
      if (!state_->available)
        return away();
      if (!state_->find(stream))
        return kv::no_bucket(bucket);
      const auto subject = kv::subject(bucket, key);
      outcome = state_->store({stream, subject, value, {}, expectation::nothing()});
    }
    state_->callbacks.flush();
    return outcome;
  }

  result<std::optional<kv_entry>> kv_get(std::string_view bucket, std::string_view key) override {
    if (auto ok = kv::check_key(key); !ok)
      return ok.error();
    auto last = tail(kv::stream(bucket), kv::subject(bucket, key));
    if (!last)
      return last.error().code == ec::not_found ? kv::no_bucket(bucket) : last.error();
    return *last ? std::optional{kv::entry(bucket, **last)} : std::nullopt;
  }

  result<std::vector<kv_entry>> kv_list(std::string_view bucket) override {
    auto all = tails(kv::stream(bucket), kv::subject(bucket, ">"));
    if (!all)
      return all.error().code == ec::not_found ? kv::no_bucket(bucket) : all.error();
    return kv::entries(bucket, *all);
  }

  result<std::unique_ptr<subscription>> kv_watch(std::string_view bucket,
                                                 std::function<void(const kv_entry&)> on_entry) override {
    const auto filter = kv::subject(bucket, ">");
    auto sub = std::make_shared<subscriber>(
      filter, [name = std::string{bucket}, call = std::move(on_entry)](const message& m) { call(kv::entry(name, m)); });
    {
      const std::lock_guard lock{state_->mutex};
      if (!state_->available)
        return away();
      auto* const log = state_->find(kv::stream(bucket));
      if (!log)
        return kv::no_bucket(bucket);
      // Under one lock with the registration: every entry comes once, in order.
      for (auto& m : log->tails(filter))
        state_->callbacks.post(sub, std::make_shared<message>(std::move(m)));
      state_->subscribers.push_back(sub);
    }
    state_->callbacks.flush();
    return std::unique_ptr<subscription>{std::make_unique<handle>(state_, std::move(sub))};
  }

  result<void> publish(std::string_view subject, std::string_view payload, const header_list& headers) override {
    if (!valid_subject(subject))
      return error{ec::invalid, "'" + std::string{subject} + "' is not a subject", {}};
    if (auto ok = check_headers(headers); !ok)
      return ok;
    {
      const std::lock_guard lock{state_->mutex};
      if (!state_->available)
        return away();
      if (state_->covering(subject)) {
        // At most once: what a full log refuses is gone, as with a real server.
        static_cast<void>(state_->store({{}, subject, payload, headers, expectation::nothing()}));
      } else {
        state_->notify({0, std::string{subject}, 0, std::string{payload}, headers});
      }
    }
    state_->callbacks.flush();
    return {};
  }

  result<std::unique_ptr<subscription>> subscribe(std::string_view subject,
                                                  std::function<void(const message&)> on_message) override {
    if (!valid_filter(subject))
      return error{ec::invalid, "'" + std::string{subject} + "' is not a subject", {}};
    auto sub = std::make_shared<subscriber>(std::string{subject}, [call = std::move(on_message)](const message& m) {
      message plain = m;
      plain.sequence = 0;
      plain.stamp = 0;
      call(plain);
    });
    const std::lock_guard lock{state_->mutex};
    state_->subscribers.push_back(sub);
    return std::unique_ptr<subscription>{std::make_unique<handle>(state_, std::move(sub))};
  }

  bool connected() override {
    const std::lock_guard lock{state_->mutex};
    return state_->available;
  }

  std::uint64_t reconnects() override {
    const std::lock_guard lock{state_->mutex};
    return state_->reconnects;
  }

  result<void> ping(std::chrono::milliseconds) override {
    if (!connected())
      return away();
    return {};
  }

  std::size_t release_delayed() override {
    std::size_t stored = 0;
    {
      const std::lock_guard lock{state_->mutex};
      const auto packets = std::exchange(state_->delayed, {});
      for (const auto& p : packets)
        stored += state_->store({p.log, p.subject, p.payload, p.headers, p.expects}) ? 1 : 0;
    }
    state_->callbacks.flush();
    return stored;
  }

  void discard_delayed() override {
    const std::lock_guard lock{state_->mutex};
    state_->delayed.clear();
  }

  void set_available(bool available) override {
    const std::lock_guard lock{state_->mutex};
    if (available && !state_->available)
      ++state_->reconnects;
    state_->available = available;
    state_->arrived.notify_all();
  }

  result<void> truncate(std::string_view log, std::uint64_t last) override {
    return with_log(log, [&](log_store& l) -> result<void> {
      l.truncate(last);
      return {};
    });
  }

private:
  template <class F>
  auto with_log(std::string_view name, F f) -> decltype(f(std::declval<log_store&>())) {
    const std::lock_guard lock{state_->mutex};
    if (!state_->available)
      return away();
    auto* const log = state_->find(name);
    if (!log)
      return no_log(name);
    return f(*log);
  }

  result<log_info> ensure(const log_spec& spec, std::size_t keep_per_subject) {
    if (auto ok = check_spec(spec); !ok)
      return ok.error();
    const std::lock_guard lock{state_->mutex};
    if (!state_->available)
      return away();
    if (auto* const log = state_->find(spec.name)) {
      if (auto ok = same_subjects(spec, log->spec().subjects); !ok)
        return ok.error();
      return log->info();
    }
    for (const auto& [name, log] : state_->logs)
      for (const auto& a : log.spec().subjects)
        for (const auto& b : spec.subjects)
          if (subjects_overlap(a, b))
            return error{ec::config, "subject " + b + " of log " + spec.name + " is already stored by log " + name, {}};
    return state_->logs.emplace(spec.name, log_store{spec, keep_per_subject}).first->second.info();
  }

  result<std::uint64_t> append_one(const append_request& request) {
    if (auto ok = check_append(request); !ok)
      return ok.error();
    if (!state_->available)
      return away();
    const auto fault = state_->options.before_append ? state_->options.before_append(request) : append_fault::none;
    const error lost{ec::timeout, "no answer to the append to " + std::string{request.subject} + " in time", {}};
    switch (fault) {
    case append_fault::fail: return error{ec::unavailable, "injected: the append was not sent", {}};
    case append_fault::lose_request: return lost;
    case append_fault::delay:
      state_->delayed.push_back({std::string{request.log}, std::string{request.subject}, std::string{request.payload},
                                 request.headers, request.expects});
      return lost;
    case append_fault::none:
    case append_fault::lose_ack:
    case append_fault::duplicate: break;
    }
    auto outcome = state_->store(request);
    if (fault == append_fault::duplicate)
      static_cast<void>(state_->store(request));
    const bool drop_answer = state_->options.after_append && state_->options.after_append(request, outcome);
    if (drop_answer || fault == append_fault::lose_ack)
      return lost;
    return outcome;
  }

  std::shared_ptr<state> state_;
};

} // namespace
} // namespace memory

std::shared_ptr<memory_bus> make_memory_bus(memory_options options) {
  return std::make_shared<memory::adapter>(std::move(options));
}

} // namespace millrace
