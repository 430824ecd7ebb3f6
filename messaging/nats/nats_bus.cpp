// SPDX-License-Identifier: Apache-2.0
#include "messaging/bus.hpp"
#include "messaging/bus_checks.hpp"
#include "messaging/kv.hpp"
#include "messaging/nats/appender.hpp"
#include "messaging/nats/jetstream.hpp"
#include "messaging/nats/reader.hpp"
#include "messaging/nats/server_version.hpp"
#include "messaging/nats/watch.hpp"
#include "messaging/subjects.hpp"

#include <algorithm>

namespace millrace {

namespace nats {
namespace {

result<void> check_subject(std::string_view subject) {
  if (valid_subject(subject))
    return {};
  return error{ec::invalid, "'" + std::string{subject} + "' is not a subject", {}};
}

result<void> check_filter(std::string_view filter) {
  if (valid_filter(filter))
    return {};
  return error{ec::invalid, "'" + std::string{filter} + "' is not a subject", {}};
}

class plain_subscription final : public subscription {
public:
  explicit plain_subscription(std::unique_ptr<async_subscription> s) : inner_{std::move(s)} {}

private:
  std::unique_ptr<async_subscription> inner_;
};

class adapter final : public bus {
public:
  adapter(std::shared_ptr<connection> control, std::shared_ptr<connection> data, std::unique_ptr<appender> append)
    : control_{std::move(control)}, data_{std::move(data)}, appender_{std::move(append)}, js_{control_} {}

  result<log_info> ensure_log(const log_spec& spec) override {
    if (auto ok = check_spec(spec); !ok)
      return ok.error();
    if (spec.replicas > 1)
      if (auto ok = check_replication(*control_); !ok)
        return ok.error();
    return js_.ensure(spec, log_config(spec));
  }

  result<log_info> info(std::string_view log) override { return js_.info(log); }

  result<std::string> log_of(std::string_view subject) override {
    if (auto ok = check_filter(subject); !ok)
      return ok.error();
    return js_.stream_of(subject);
  }

  std::vector<result<std::uint64_t>> append(std::span<const append_request> requests,
                                            std::chrono::milliseconds deadline) override {
    return appender_->append(requests, deadline);
  }

  result<std::optional<message>> tail(std::string_view log, std::string_view subject) override {
    if (auto ok = check_subject(subject); !ok)
      return ok.error();
    return js_.last(log, subject);
  }

  result<message> get(std::string_view log, std::uint64_t sequence) override { return js_.at(log, sequence); }

  result<std::vector<message>> tails(std::string_view log, std::string_view filter) override {
    if (auto ok = check_filter(filter); !ok)
      return ok.error();
    const auto subjects = js_.subjects(log, filter);
    if (!subjects)
      return subjects.error();
    std::vector<message> out;
    for (const auto& subject : *subjects) {
      auto last = js_.last(log, subject);
      if (!last)
        return last.error();
      if (*last)
        out.push_back(std::move(**last));
    }
    std::sort(out.begin(), out.end(), [](const message& a, const message& b) { return a.sequence < b.sequence; });
    return out;
  }

  result<std::unique_ptr<log_reader>> read(std::string_view log, std::uint64_t from, std::string_view filter) override {
    if (auto ok = check_read(from, filter); !ok)
      return ok.error();
    auto made = reader::open(js_, data_, {std::string{log}, from, std::string{filter}, true});
    if (!made)
      return made.error();
    return std::unique_ptr<log_reader>{std::move(*made)};
  }

  result<void> trim(std::string_view log, std::string_view subject, std::uint64_t below) override {
    const auto last = tail(log, subject);
    if (!last)
      return last.error();
    // The tail only grows, so what it was a moment ago is a safe bound.
    const auto bound = *last ? std::min(below, (*last)->sequence) : 0;
    if (bound <= 1)
      return {};
    return js_.purge(log, subject, bound);
  }

  result<void> purge(std::string_view log, std::uint64_t below) override {
    return below <= 1 ? result<void>{} : js_.purge(log, {}, below);
  }

  result<void> drop(std::string_view log, std::string_view subject) override {
    if (auto ok = check_subject(subject); !ok)
      return ok;
    return js_.purge(log, subject, std::nullopt);
  }

  result<void> kv_open(std::string_view bucket, std::chrono::nanoseconds ttl) override {
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok;
    log_spec spec;
    spec.name = kv::stream(bucket);
    spec.subjects = {kv::subject(bucket, ">")};
    spec.max_age = ttl;
    if (auto made = js_.ensure(spec, bucket_config(spec)); !made)
      return made.error();
    return {};
  }

  result<std::uint64_t> kv_put(std::string_view bucket, std::string_view key, std::string_view value) override {
    if (auto ok = kv::check_key(key); !ok)
      return ok.error();
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok.error();
    const auto stream = kv::stream(bucket);
    const auto subject = kv::subject(bucket, key);
    const append_request request{stream, subject, value, {}, expectation::nothing()};
    auto outcome = std::move(append({&request, 1}, api_deadline).front());
    // Nobody answers for a stream that does not exist.
    if (!outcome && outcome.error().code == ec::unavailable && control_->connected())
      if (const auto found = js_.info(stream); !found && found.error().code == ec::not_found)
        return kv::no_bucket(bucket);
    return outcome;
  }

  result<std::optional<kv_entry>> kv_get(std::string_view bucket, std::string_view key) override {
    if (auto ok = kv::check_key(key); !ok)
      return ok.error();
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok.error();
    const auto last = js_.last(kv::stream(bucket), kv::subject(bucket, key));
    if (!last)
      return last.error().code == ec::not_found ? kv::no_bucket(bucket) : last.error();
    return *last ? std::optional{kv::entry(bucket, **last)} : std::nullopt;
  }

  result<std::vector<kv_entry>> kv_list(std::string_view bucket) override {
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok.error();
    const auto all = tails(kv::stream(bucket), kv::subject(bucket, ">"));
    if (!all)
      return all.error().code == ec::not_found ? kv::no_bucket(bucket) : all.error();
    return kv::entries(bucket, *all);
  }

  result<std::unique_ptr<subscription>> kv_watch(std::string_view bucket,
                                                 std::function<void(const kv_entry&)> on_entry) override {
    if (auto ok = kv::check_bucket(bucket); !ok)
      return ok.error();
    // With a history of one, what is stored is what is present.
    auto entries = reader::open(js_, data_, {kv::stream(bucket), 1, {}, false});
    if (!entries)
      return entries.error().code == ec::not_found ? kv::no_bucket(bucket) : entries.error();
    return std::unique_ptr<subscription>{
      std::make_unique<bucket_watch>(std::string{bucket}, std::move(*entries), std::move(on_entry))};
  }

  result<void> publish(std::string_view subject, std::string_view payload, const header_list& headers) override {
    if (auto ok = check_subject(subject); !ok)
      return ok;
    if (auto ok = check_headers(headers); !ok)
      return ok;
    const auto what = "publish to " + std::string{subject};
    if (!data_->connected())
      return data_->away(what);
    const auto m = make_message(std::string{subject}, {}, payload, headers);
    if (!m)
      return m.error();
    if (const auto s = natsConnection_PublishMsg(data_->raw(), m->get()))
      return to_error(s, what);
    return {};
  }

  result<std::unique_ptr<subscription>> subscribe(std::string_view subject,
                                                  std::function<void(const message&)> on_message) override {
    if (auto ok = check_filter(subject); !ok)
      return ok.error();
    auto inner = async_subscription::open(data_, std::string{subject}, [call = std::move(on_message)](msg_ptr m) {
      message out;
      out.subject = natsMsg_GetSubject(m.get());
      out.payload = payload_of(m.get());
      out.headers = headers_of(m.get());
      call(out);
    });
    if (!inner)
      return inner.error();
    // So that what is published after this call is seen; without a broker it registers when one comes.
    if (data_->connected())
      natsConnection_FlushTimeout(data_->raw(), api_deadline.count());
    return std::unique_ptr<subscription>{std::make_unique<plain_subscription>(std::move(*inner))};
  }

  bool connected() override { return control_->connected() && data_->connected(); }
  std::uint64_t reconnects() override { return control_->reconnects(); }

  result<void> ping(std::chrono::milliseconds deadline) override {
    auto answer = js_.request("INFO", {}, "JetStream", deadline);
    if (answer)
      return {};
    auto e = std::move(answer).error();
    return error{ec::unavailable, std::move(e.message), std::move(e.hint)};
  }

private:
  std::shared_ptr<connection> control_;
  std::shared_ptr<connection> data_;
  std::unique_ptr<appender> appender_;
  jetstream js_;
};

} // namespace
} // namespace nats

result<std::shared_ptr<bus>> connect_nats(const nats_options& options) {
  auto control = nats::connection::open(options, nats::role::control);
  if (!control)
    return control.error();
  auto data = nats::connection::open(options, nats::role::data);
  if (!data)
    return data.error();
  auto append = nats::appender::open(*control);
  if (!append) {
    // nats.c gives up for good only when the server has refused the credentials twice.
    auto refused = natsConnection_IsClosed((*control)->raw()) ? (*control)->away("NATS") : append.error();
    return error{ec::config, std::move(refused.message), std::move(refused.hint)};
  }
  return std::shared_ptr<bus>{
    std::make_shared<nats::adapter>(std::move(*control), std::move(*data), std::move(*append))};
}

} // namespace millrace
