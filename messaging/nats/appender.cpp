// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/appender.hpp"

#include "messaging/bus_checks.hpp"
#include "messaging/nats/jetstream.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <optional>

namespace millrace::nats {

namespace {

constexpr std::chrono::milliseconds connect_patience{250};

/// The server's limit is on payload and headers together; this is a little below its default of 1 MiB.
constexpr std::size_t payload_limit = 1024 * 1024;

std::string describe(const append_request& request) { return "append to " + std::string{request.subject}; }

header_list headers_for(const append_request& request) {
  auto out = request.headers;
  // A subject that another stream stores must not answer for this log.
  out.emplace_back("Nats-Expected-Stream", request.log);
  switch (request.expects.by) {
  case expectation::scope::none: break;
  case expectation::scope::log:
    out.emplace_back("Nats-Expected-Last-Sequence", std::to_string(request.expects.sequence));
    break;
  case expectation::scope::subject:
    out.emplace_back("Nats-Expected-Last-Subject-Sequence", std::to_string(request.expects.sequence));
    break;
  }
  return out;
}

} // namespace

result<std::uint64_t> parse_ack(std::string_view text, const std::string& what) {
  const auto answer = parse_answer(text, what);
  if (!answer)
    return answer.error();
  if (auto e = error_in(*answer, what))
    return std::move(*e);
  const auto seq = answer->find("seq");
  if (seq == answer->end() || !seq->is_number_unsigned())
    return error{ec::internal, what + ": the broker's answer has no sequence", {}};
  // A server may answer `seq 0, duplicate` for what it has never stored (rule 3 of the NATS notes).
  if (seq->get<std::uint64_t>() == 0)
    return error{ec::unavailable, what + ": the broker answered without storing", "resolve it by the subject's tail"};
  return seq->get<std::uint64_t>();
}

/// The outcomes of one call; filled by the thread of nats.c, awaited by the caller's.
struct appender::call {
  std::mutex mutex;
  std::condition_variable all_done;
  std::size_t missing = 0;
  std::vector<std::optional<result<std::uint64_t>>> outcomes;
  std::vector<std::string> what;

  void set(std::size_t index, result<std::uint64_t> outcome) {
    const std::lock_guard lock{mutex};
    if (outcomes[index])
      return;
    outcomes[index] = std::move(outcome);
    if (--missing == 0)
      all_done.notify_all();
  }
};

appender::appender(std::shared_ptr<connection> control)
  : control_{std::move(control)}, inbox_{connection::new_inbox()} {}

result<std::unique_ptr<appender>> appender::open(std::shared_ptr<connection> control) {
  std::unique_ptr<appender> out{new appender{std::move(control)}};
  auto* const self = out.get();
  auto answers =
    async_subscription::open(out->control_, out->inbox_ + ".*", [self](msg_ptr m) { self->on_answer(m.get()); });
  if (!answers)
    return answers.error();
  out->answers_ = std::move(*answers);
  // No answer crosses a reconnect, so nobody has to wait for the deadline.
  out->control_->on_loss([self] { self->on_loss(); });
  return out;
}

appender::~appender() { control_->on_loss({}); }

void appender::on_answer(natsMsg* m) {
  const std::string_view subject{natsMsg_GetSubject(m)};
  std::uint64_t token = 0;
  const auto digits = subject.substr(subject.rfind('.') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), token);
  slot to;
  {
    const std::lock_guard lock{mutex_};
    const auto it = open_.find(token);
    if (it == open_.end())
      return; // Too late: its call has ended as ambiguous.
    to = std::move(it->second);
    open_.erase(it);
  }
  const auto& what = to.owner->what[to.index];
  if (natsMsg_IsNoResponders(m))
    to.owner->set(to.index, to_error(NATS_NO_RESPONDERS, what));
  else
    to.owner->set(to.index, parse_ack(payload_of(m), what));
}

void appender::on_loss() {
  std::unordered_map<std::uint64_t, slot> lost;
  {
    const std::lock_guard lock{mutex_};
    lost.swap(open_);
  }
  for (const auto& [token, to] : lost)
    to.owner->set(to.index, error{ec::unavailable, to.owner->what[to.index] + ": the connection was lost on the way",
                                  "resolve it by the subject's tail"});
}

result<void> appender::send(const append_request& request, const std::shared_ptr<call>& owner, std::size_t index) {
  if (auto ok = check_append(request); !ok)
    return ok;
  const auto& what = owner->what[index];
  if (request.payload.size() > payload_limit)
    return error{ec::too_large, what + " has " + std::to_string(request.payload.size()) + " bytes", {}};
  std::uint64_t token = 0;
  {
    const std::lock_guard lock{mutex_};
    token = next_token_++;
    open_.emplace(token, slot{owner, index});
  }
  auto m = make_message(std::string{request.subject}, inbox_ + "." + std::to_string(token), request.payload,
                        headers_for(request));
  const auto status = m ? natsConnection_PublishMsg(control_->raw(), m->get()) : NATS_ERR;
  if (status == NATS_OK)
    return {};
  const std::lock_guard lock{mutex_};
  open_.erase(token);
  return m ? to_error(status, what) : m.error();
}

std::vector<result<std::uint64_t>> appender::append(std::span<const append_request> requests,
                                                    std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  const auto c = std::make_shared<call>();
  c->missing = requests.size();
  c->outcomes.resize(requests.size());
  for (const auto& request : requests)
    c->what.push_back(describe(request));

  const auto ready = control_->wait_connected(std::min(connect_patience, deadline));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!ready)
      c->set(i, control_->away(c->what[i]));
    else if (auto sent = send(requests[i], c, i); !sent)
      c->set(i, sent.error());
  }

  std::vector<result<std::uint64_t>> out;
  out.reserve(requests.size());
  std::unique_lock lock{c->mutex};
  c->all_done.wait_until(lock, until, [&] { return c->missing == 0; });
  for (std::size_t i = 0; i < requests.size(); ++i)
    out.push_back(c->outcomes[i]
                    ? std::move(*c->outcomes[i])
                    : error{ec::timeout, c->what[i] + ": no answer within " + std::to_string(deadline.count()) + " ms",
                            "resolve it by the subject's tail"});
  if (c->missing == 0)
    return out;
  lock.unlock();
  // Late answers of this call are nobody's any more.
  const std::lock_guard table{mutex_};
  std::erase_if(open_, [&](const auto& entry) { return entry.second.owner == c; });
  return out;
}

} // namespace millrace::nats
