// SPDX-License-Identifier: Apache-2.0
#include "messaging/nats/connection.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::nats {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr const char* inbox_prefix = "_INBOX.millrace";

std::vector<std::string> split(std::string_view urls) {
  std::vector<std::string> out;
  while (!urls.empty()) {
    const auto comma = std::min(urls.find(','), urls.size());
    auto one = urls.substr(0, comma);
    urls.remove_prefix(std::min(comma + 1, urls.size()));
    while (!one.empty() && one.front() == ' ')
      one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ')
      one.remove_suffix(1);
    if (!one.empty())
      out.emplace_back(one);
  }
  return out;
}

error unusable(const std::string& option, const std::string& why) {
  return {ec::config, option + " is unusable: " + why, "check the connection's options"};
}

result<void> set_security(natsOptions* opts, const nats_options& options) {
  if (!options.credentials_file.empty()) {
    if (!std::ifstream{options.credentials_file})
      return unusable("credentials file " + options.credentials_file, "it cannot be read");
    if (const auto s = natsOptions_SetUserCredentialsFromFiles(opts, options.credentials_file.c_str(), nullptr))
      return unusable("credentials file " + options.credentials_file, natsStatus_GetText(s));
  }
  const bool tls =
    !options.tls_ca.empty() || !options.tls_cert.empty() || options.url.find("tls://") != std::string::npos;
  if (tls)
    if (const auto s = natsOptions_SetSecure(opts, true))
      return unusable("TLS", natsStatus_GetText(s));
  if (!options.tls_ca.empty())
    if (const auto s = natsOptions_LoadCATrustedCertificates(opts, options.tls_ca.c_str()))
      return unusable("TLS certificate authority " + options.tls_ca, natsStatus_GetText(s));
  if (!options.tls_cert.empty())
    if (const auto s = natsOptions_LoadCertificatesChain(opts, options.tls_cert.c_str(), options.tls_key.c_str()))
      return unusable("TLS certificate " + options.tls_cert + " with key " + options.tls_key, natsStatus_GetText(s));
  return {};
}

} // namespace

std::string without_user_info(std::string_view urls) {
  std::string out;
  for (const auto& url : split(urls)) {
    const auto scheme = url.find("://");
    const auto host = scheme == std::string::npos ? 0 : scheme + 3;
    const auto at = url.rfind('@');
    out += out.empty() ? "" : ",";
    out += url.substr(0, host) + (at == std::string::npos || at < host ? url.substr(host) : url.substr(at + 1));
  }
  return out;
}

struct connection::events {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<std::uint64_t> reconnects{0};
  std::atomic<std::uint64_t> losses{0};
  std::mutex loss_mutex;
  std::function<void()> loss;
  bool closed = false;

  static events& of(void* closure) { return **static_cast<std::shared_ptr<events>*>(closure); }

  static void on_connected(natsConnection*, void* closure) { of(closure).changed.notify_all(); }
  static void on_reconnected(natsConnection*, void* closure) {
    ++of(closure).reconnects;
    of(closure).changed.notify_all();
  }
  static void on_disconnected(natsConnection*, void* closure) {
    auto& e = of(closure);
    ++e.losses;
    // Held during the call, so that `on_loss({})` waits for it.
    const std::lock_guard lock{e.loss_mutex};
    if (e.loss)
      e.loss();
  }
  /// The last callback of a connection: it takes the closure with it.
  static void on_closed(natsConnection*, void* closure) {
    const std::unique_ptr<std::shared_ptr<events>> mine{static_cast<std::shared_ptr<events>*>(closure)};
    const auto keep = *mine;
    const std::lock_guard lock{keep->mutex};
    keep->closed = true;
    keep->changed.notify_all();
  }
  /// Without one, nats.c prints asynchronous errors to stderr; what matters shows in the results.
  static void on_error(natsConnection*, natsSubscription*, natsStatus, void*) {}
};

result<std::shared_ptr<connection>> connection::open(const nats_options& options, role use) {
  natsOptions* raw = nullptr;
  if (const auto s = natsOptions_Create(&raw))
    return to_error(s, "NATS client");
  const options_ptr opts{raw};
  const auto urls = split(options.url);
  std::vector<const char*> servers;
  for (const auto& url : urls)
    servers.push_back(url.c_str());
  if (servers.empty())
    return unusable("NATS URL", "it is empty");
  if (natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size())) != NATS_OK)
    return unusable("NATS URL " + without_user_info(options.url), "it is not a URL");
  if (auto ok = set_security(raw, options); !ok)
    return ok.error();

  std::shared_ptr<connection> out{new connection};
  out->events_ = std::make_shared<events>();
  out->url_ = without_user_info(options.url);
  auto* const closure = new std::shared_ptr<events>{out->events_};
  const bool control = use == role::control;
  const natsStatus set[] = {
    natsOptions_SetName(raw, options.name.c_str()),
    natsOptions_SetAllowReconnect(raw, true),
    natsOptions_SetMaxReconnect(raw, -1),
    natsOptions_SetReconnectWait(raw, 250),
    natsOptions_SetReconnectJitter(raw, 100, 250),
    // 0 would mean the default of 8 MiB.
    natsOptions_SetReconnectBufSize(raw, control ? 1 : 64 * 1024),
    natsOptions_SetFailRequestsOnDisconnect(raw, true),
    natsOptions_SetWriteDeadline(raw, 3000),
    natsOptions_SetPingInterval(raw, 5000),
    natsOptions_SetMaxPingsOut(raw, 2),
    natsOptions_SetTimeout(raw, 2000),
    natsOptions_SetSendAsap(raw, control),
    natsOptions_SetIOBufSize(raw, 256 * 1024),
    natsOptions_SetCustomInboxPrefix(raw, inbox_prefix),
    natsOptions_SetErrorHandler(raw, events::on_error, nullptr),
    natsOptions_SetDisconnectedCB(raw, events::on_disconnected, closure),
    natsOptions_SetReconnectedCB(raw, events::on_reconnected, closure),
    natsOptions_SetClosedCB(raw, events::on_closed, closure),
    natsOptions_SetRetryOnFailedConnect(raw, true, events::on_connected, closure),
  };
  const auto* const bad = std::find_if(std::begin(set), std::end(set), [](natsStatus s) { return s != NATS_OK; });
  auto status = bad == std::end(set) ? natsConnection_Connect(&out->raw_, raw) : *bad;
  if (!out->raw_) {
    delete closure; // No connection, so no callback.
    const auto* const last = nats_GetLastError(&status);
    return unusable("NATS URL " + out->url_, last ? last : natsStatus_GetText(status));
  }
  return out;
}

connection::~connection() {
  if (!raw_)
    return;
  on_loss({});
  natsConnection_Close(raw_);
  {
    // A callback still under way must not meet a destroyed owner. The limit guards against a lost callback only.
    std::unique_lock lock{events_->mutex};
    events_->changed.wait_for(lock, std::chrono::seconds{5}, [this] { return events_->closed; });
  }
  natsConnection_Destroy(raw_);
}

bool connection::connected() const { return natsConnection_Status(raw_) == NATS_CONN_STATUS_CONNECTED; }
std::uint64_t connection::reconnects() const { return events_->reconnects; }
std::uint64_t connection::losses() const { return events_->losses; }

result<void> connection::wait_connected(milliseconds limit) const {
  const auto deadline = clock::now() + limit;
  while (!connected()) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now());
    if (left.count() <= 0)
      return away("NATS");
    std::this_thread::sleep_for(std::min(left, milliseconds{5}));
  }
  return {};
}

error connection::away(const std::string& what) const {
  std::string message = what + ": no connection to " + url_;
  const char* reason = nullptr;
  if (natsConnection_GetLastError(raw_, &reason) != NATS_OK && reason && *reason)
    message += " (" + std::string{reason} + ")";
  if (natsConnection_IsClosed(raw_))
    return {ec::unavailable, std::move(message), "the server refused this client for good: check the credentials"};
  return {ec::unavailable, std::move(message), "retrying in the background; check that nats-server runs there"};
}

void connection::on_loss(std::function<void()> call) {
  const std::lock_guard lock{events_->loss_mutex};
  events_->loss = std::move(call);
}

std::string connection::new_inbox() {
  natsInbox* raw = nullptr;
  if (natsInbox_Create(&raw) != NATS_OK)
    return {};
  // nats.c makes it unique; the prefix is ours.
  const std::string made{raw};
  natsInbox_Destroy(raw);
  return std::string{inbox_prefix} + "." + made.substr(made.rfind('.') + 1);
}

error to_error(natsStatus status, const std::string& what) {
  const auto with = [&](ec code) { return error{code, what + ": " + natsStatus_GetText(status), {}}; };
  switch (status) {
  case NATS_TIMEOUT: return with(ec::timeout);
  case NATS_MAX_PAYLOAD: return with(ec::too_large);
  case NATS_NO_RESPONDERS:
    return {ec::unavailable, what + ": nobody answers", "is JetStream enabled, and does the stream have a leader?"};
  case NATS_CONNECTION_CLOSED:
  case NATS_CONNECTION_DISCONNECTED:
  case NATS_NO_SERVER:
  case NATS_STALE_CONNECTION:
  case NATS_NOT_YET_CONNECTED:
  case NATS_IO_ERROR:
  case NATS_INSUFFICIENT_BUFFER:
  case NATS_NO_SERVER_SUPPORT: return with(ec::unavailable);
  case NATS_NOT_FOUND: return with(ec::not_found);
  case NATS_INVALID_ARG:
  case NATS_INVALID_SUBJECT: return with(ec::invalid);
  default: return with(ec::internal);
  }
}

struct async_subscription::state {
  std::function<void(msg_ptr)> callback;
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<std::thread::id> inside{};
  std::atomic<bool> revoked{false};
  bool complete = false;

  static void on_message(natsConnection*, natsSubscription*, natsMsg* m, void* closure) {
    const auto self = *static_cast<std::shared_ptr<state>*>(closure);
    msg_ptr owned{m};
    if (!m || self->revoked)
      return;
    self->inside = std::this_thread::get_id();
    self->callback(std::move(owned));
    self->inside = std::thread::id{};
  }
  static void on_complete(void* closure) {
    const std::unique_ptr<std::shared_ptr<state>> mine{static_cast<std::shared_ptr<state>*>(closure)};
    const auto keep = *mine;
    const std::lock_guard lock{keep->mutex};
    keep->complete = true;
    keep->changed.notify_all();
  }
};

result<std::unique_ptr<async_subscription>> async_subscription::open(std::shared_ptr<connection> on,
                                                                     const std::string& subject,
                                                                     std::function<void(msg_ptr)> callback) {
  std::unique_ptr<async_subscription> out{new async_subscription};
  out->connection_ = std::move(on);
  out->state_ = std::make_shared<state>();
  out->state_->callback = std::move(callback);
  auto closure = std::make_unique<std::shared_ptr<state>>(out->state_);
  const auto s =
    natsConnection_Subscribe(&out->raw_, out->connection_->raw(), subject.c_str(), state::on_message, closure.get());
  if (s != NATS_OK) {
    out->raw_ = nullptr;
    return to_error(s, "subscribe to " + subject);
  }
  natsSubscription_SetPendingLimits(out->raw_, -1, -1);
  // From here on the closure belongs to the completion callback.
  natsSubscription_SetOnCompleteCB(out->raw_, state::on_complete, closure.release());
  return out;
}

async_subscription::~async_subscription() {
  if (!raw_)
    return;
  state_->revoked = true;
  natsSubscription_Unsubscribe(raw_);
  if (state_->inside.load() != std::this_thread::get_id()) {
    std::unique_lock lock{state_->mutex};
    state_->changed.wait_for(lock, std::chrono::seconds{5}, [this] { return state_->complete; });
  }
  natsSubscription_Destroy(raw_);
}

} // namespace millrace::nats
