// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/reader.hpp"

#include <algorithm>
#include <charconv>
#include <thread>

namespace millrace::nats {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::int64_t pull_messages = 512;
constexpr std::int64_t pull_bytes = 4 * 1024 * 1024;
constexpr milliseconds pull_expires{5000};
constexpr milliseconds heartbeat{1000};
constexpr milliseconds silence_limit{3000};
constexpr std::chrono::seconds inactive_threshold{30};
constexpr milliseconds repair_deadline{2000};
constexpr milliseconds connect_patience{250};
/// Between two attempts to make the consumer.
constexpr milliseconds repair_pause{50};
/// How long one wait for a message may last before connection and silence are looked at again.
constexpr milliseconds slice{100};

std::int64_t as_nanoseconds(std::chrono::nanoseconds d) { return static_cast<std::int64_t>(d.count()); }

std::int64_t number_header(natsMsg* m, const char* name) {
  const auto text = header_of(m, name);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

} // namespace

reader::reader(jetstream js, std::shared_ptr<connection> data, reader_options options)
  : js_{std::move(js)}, data_{std::move(data)}, options_{std::move(options)}, inbox_{connection::new_inbox()},
    next_{options_.from} {}

result<std::unique_ptr<reader>> reader::open(jetstream js, std::shared_ptr<connection> data, reader_options options) {
  std::unique_ptr<reader> out{new reader{std::move(js), std::move(data), std::move(options)}};
  natsSubscription* raw = nullptr;
  if (const auto s = natsConnection_SubscribeSync(&raw, out->data_->raw(), (out->inbox_ + ".*").c_str()))
    return to_error(s, "read log " + out->options_.log);
  out->inbox_subscription_.reset(raw);
  // Bounded by the open pulls instead.
  natsSubscription_SetPendingLimits(raw, -1, -1);
  if (auto up = out->data_->wait_connected(connect_patience); !up)
    return out->data_->away("read log " + out->options_.log);
  // A gap is told by `next`, everything else at once.
  if (auto ready = out->ensure_consumer(); !ready && !out->halted_)
    return ready.error();
  return out;
}

reader::~reader() {
  delete_consumer();
  if (inbox_subscription_)
    natsSubscription_Unsubscribe(inbox_subscription_.get());
}

void reader::delete_consumer() {
  // Unanswered: a consumer that is not deleted vanishes by itself.
  if (!consumer_.empty() && data_->connected())
    natsConnection_PublishString(data_->raw(), ("$JS.API.CONSUMER.DELETE." + options_.log + "." + consumer_).c_str(),
                                 "");
  consumer_.clear();
}

result<void> reader::check_start() {
  const auto info = js_.info(options_.log, repair_deadline);
  if (!info)
    return info.error();
  if (!options_.detect_gaps) {
    if (next_ > info->last_sequence + 1)
      next_ = 1;
    return {};
  }
  if (next_ > info->last_sequence + 1)
    halted_ = error{ec::gap,
                    "log " + options_.log + " ends at " + std::to_string(info->last_sequence) +
                      ", before the position " + std::to_string(next_ - 1),
                    "the log has lost acknowledged messages"};
  // With a filter, what is gone may have belonged to other subjects; the frames' numbers tell.
  else if (next_ != 1 && options_.filter.empty() && info->first_sequence > next_)
    halted_ = error{ec::gap,
                    "log " + options_.log + " starts at " + std::to_string(info->first_sequence) + ", after " +
                      std::to_string(next_),
                    "messages were removed before they were read"};
  if (halted_)
    return *halted_;
  return {};
}

result<void> reader::create_consumer() {
  if (auto ok = check_start(); !ok)
    return ok;
  json config{
    {"deliver_policy", "by_start_sequence"},
    {"opt_start_seq", next_},
    {"ack_policy", "none"},
    {"replay_policy", "instant"},
    {"mem_storage", true},
    {"num_replicas", 1},
    {"inactive_threshold", as_nanoseconds(inactive_threshold)},
  };
  if (!options_.filter.empty())
    config["filter_subject"] = options_.filter;
  const auto what = "read log " + options_.log;
  const auto answer =
    js_.request("CONSUMER.CREATE." + options_.log, {{"stream_name", options_.log}, {"config", std::move(config)}}, what,
                repair_deadline);
  if (!answer)
    return answer.error();
  const auto name = answer->find("name");
  if (name == answer->end() || !name->is_string())
    return error{ec::internal, what + ": the broker's answer names no consumer", {}};
  consumer_ = name->get<std::string>();
  ++generation_;
  at_end_ = answer->contains("num_pending") && (*answer)["num_pending"] == 0;
  consumer_sequence_ = 0;
  open_messages_ = 0;
  open_bytes_ = 0;
  heard_ = clock::now();
  return {};
}

result<void> reader::ensure_consumer() {
  if (halted_)
    return *halted_;
  if (!data_->connected())
    return data_->away("read log " + options_.log);
  // Pulls do not survive a loss of the connection, and the consumer may not.
  if (const auto losses = data_->losses(); losses != losses_) {
    losses_ = losses;
    doubtful_ = true;
  }
  if (!doubtful_ && open_messages_ > 0 && clock::now() - heard_ > silence_limit)
    doubtful_ = true;
  if (!doubtful_)
    return {};
  std::this_thread::sleep_until(created_ + repair_pause);
  created_ = clock::now();
  delete_consumer();
  if (auto made = create_consumer(); !made)
    return made;
  doubtful_ = false;
  return {};
}

void reader::pull() {
  if (doubtful_ || (open_messages_ > pull_messages / 2 && open_bytes_ > pull_bytes / 2) ||
      open_messages_ > 2 * pull_messages)
    return;
  if (open_messages_ <= 0) {
    // Nothing is owed to us: what the estimate of bytes has drifted by ends here.
    open_messages_ = 0;
    open_bytes_ = 0;
    heard_ = clock::now();
  }
  static const std::string request = json{
    {"batch", pull_messages},
    {"max_bytes", pull_bytes},
    {"expires", as_nanoseconds(pull_expires)},
    {"idle_heartbeat",
     as_nanoseconds(heartbeat)}}.dump();
  const auto subject = "$JS.API.CONSUMER.MSG.NEXT." + options_.log + "." + consumer_;
  if (natsConnection_PublishRequestString(data_->raw(), subject.c_str(),
                                          (inbox_ + "." + std::to_string(generation_)).c_str(),
                                          request.c_str()) != NATS_OK) {
    doubtful_ = true;
    return;
  }
  open_messages_ += pull_messages;
  open_bytes_ += pull_bytes;
}

void reader::handle(natsMsg* m, std::vector<message>& out, std::size_t& bytes) {
  const auto* const reply = natsMsg_GetReply(m);
  delivery d;
  if (!reply || !parse_delivery(reply, d)) {
    handle_status(m);
    return;
  }
  if (d.consumer != consumer_)
    return; // A late message of a consumer that was given up.
  heard_ = clock::now();
  if (d.consumer_sequence != consumer_sequence_ + 1 || d.stream_sequence < next_) {
    doubtful_ = true;
    return;
  }
  const auto payload = payload_of(m);
  message stored;
  stored.sequence = d.stream_sequence;
  stored.subject = natsMsg_GetSubject(m);
  stored.stamp = d.stamp;
  stored.payload = payload;
  stored.headers = headers_of(m);
  consumer_sequence_ = d.consumer_sequence;
  next_ = d.stream_sequence + 1;
  at_end_ = d.pending == 0;
  open_messages_ -= 1;
  open_bytes_ -= static_cast<std::int64_t>(payload.size() + stored.subject.size() + std::string_view{reply}.size());
  bytes += payload.size();
  out.push_back(std::move(stored));
}

void reader::end_of_pull(natsMsg* m) {
  open_messages_ = std::max<std::int64_t>(0, open_messages_ - number_header(m, "Nats-Pending-Messages"));
  open_bytes_ = std::max<std::int64_t>(0, open_bytes_ - number_header(m, "Nats-Pending-Bytes"));
}

void reader::handle_status(natsMsg* m) {
  const std::string_view subject{natsMsg_GetSubject(m)};
  if (subject.substr(subject.rfind('.') + 1) != std::to_string(generation_))
    return; // "Consumer Deleted" of the predecessor must not make this one doubtful, and so on for ever.
  const auto status = header_of(m, "Status");
  const auto description = header_of(m, "Description");
  heard_ = clock::now();
  if (status == "100") {
    // A heartbeat: the server has nothing more for us.
    at_end_ = true;
  } else if (status == "408" || (status == "409" && description.find("MaxBytes") != std::string_view::npos) ||
             (status == "409" && description.find("Batch Completed") != std::string_view::npos)) {
    if (header_of(m, "Nats-Pending-Messages").empty())
      open_messages_ = 0; // It does not say how much is lost: pull anew rather than wait for silence.
    else
      end_of_pull(m);
  } else {
    // 404, 409 (deleted, leadership changed, shutdown), and what is not known.
    doubtful_ = true;
  }
}

result<std::vector<message>> reader::next(std::size_t max_messages, std::size_t max_bytes, milliseconds wait) {
  const auto deadline = clock::now() + wait;
  const auto left = [&] { return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(deadline - clock::now())); };
  std::vector<message> out;
  std::size_t bytes = 0;
  while (out.size() < max_messages && (out.empty() || bytes < max_bytes)) {
    if (out.empty()) {
      if (auto ready = ensure_consumer(); !ready) {
        if (halted_ || left().count() == 0)
          return halted_ ? *halted_ : ready.error();
        // The broker is away: use up the caller's patience here, so that nobody spins.
        std::this_thread::sleep_for(std::min(left(), repair_pause));
        continue;
      }
    } else if (doubtful_) {
      break;
    }
    pull();
    natsMsg* raw = nullptr;
    const auto patience = out.empty() ? std::min(left(), slice) : milliseconds{0};
    const auto status = natsSubscription_NextMsg(&raw, inbox_subscription_.get(), patience.count());
    const msg_ptr m{raw};
    if (status == NATS_OK) {
      handle(raw, out, bytes);
    } else if (status == NATS_TIMEOUT) {
      if (!out.empty() || left().count() == 0)
        break;
    } else {
      // No responders: the consumer is gone. Anything else: so is the subscription, with the connection.
      doubtful_ = true;
      if (status != NATS_NO_RESPONDERS)
        return to_error(status, "read log " + options_.log);
    }
  }
  return out;
}

} // namespace millrace::nats
