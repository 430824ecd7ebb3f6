// SPDX-License-Identifier: Apache-2.0
#include "messaging/frame.hpp"
#include "services/cli/doctor.hpp"
#include "services/cli/doctor_text.hpp"

#include <algorithm>

namespace millrace::cli {

namespace {

/// Frames and their headers.
constexpr std::uint64_t needed_payload = max_frame_bytes + 16 * 1024;

check version_check(const broker_info& i) {
  const auto seen =
    i.version.empty() ? std::string{"the server does not tell its version"} : "nats-server " + i.version;
  const auto good = std::string{replicated_minimum};
  switch (fitness_of(i.version)) {
  case broker_fitness::unknown:
    return {"version", health::warn, seen, "make sure that it is " + good + " or newer (`nats-server --version`)"};
  case broker_fitness::too_old:
    return {"version", health::fail, seen,
            "upgrade to " + good + " or newer; nothing below " + std::string{single_minimum} + " was tried"};
  case broker_fitness::single_replica:
    return {"version", health::warn, seen + ": good for development with one replica",
            "upgrade to " + good +
              " or newer for production: older ones lose writes on replicated streams and may "
              "stop for good on a full disk"};
  case broker_fitness::good: break;
  }
  return {"version", health::ok, seen, ""};
}

check payload_check(const broker_info& i) {
  const auto seen = "max_payload " + size_text(i.max_payload);
  if (i.max_payload >= needed_payload)
    return {"max_payload", health::ok, seen, ""};
  return {"max_payload", health::fail, seen + ", frames need " + size_text(needed_payload),
          "set max_payload: 1MB in the server's configuration"};
}

std::vector<check> account_checks(const account_info& a) {
  std::vector<check> out;
  out.push_back({"jetstream", health::ok,
                 "enabled, " + plural(a.streams, "stream", "streams") +
                   (a.stream_limit ? " of " + std::to_string(*a.stream_limit) : ""),
                 ""});
  if (a.stream_limit && a.streams >= *a.stream_limit)
    out.push_back({"stream limit", health::warn, "the account has all the streams it may have",
                   "raise the account's limit of streams before a new pipeline starts"});
  const auto reserved = a.reserved > 0 ? ", " + size_text(a.reserved) + " reserved" : "";
  if (!a.storage_limit) {
    out.push_back({"storage", health::ok,
                   size_text(a.storage) + " used" + reserved + "; the account has no limit, the server's disk is it",
                   ""});
    return out;
  }
  const auto taken = std::max(a.storage, a.reserved);
  const auto left = *a.storage_limit > taken ? *a.storage_limit - taken : 0;
  const bool tight = left < *a.storage_limit / 10;
  out.push_back(
    {"storage", tight ? health::warn : health::ok,
     size_text(a.storage) + " of " + size_text(*a.storage_limit) + " used" + reserved,
     tight ? "raise the account's storage, delete streams that nobody needs, or make the logs smaller" : ""});
  return out;
}

check permission_check(inspector& broker) {
  std::vector<std::string> denied;
  for (const auto* endpoint :
       {"STREAM.CREATE", "STREAM.INFO", "STREAM.NAMES", "STREAM.MSG.GET", "STREAM.PURGE", "CONSUMER.CREATE"}) {
    const auto allowed = broker.may(endpoint);
    if (!allowed)
      return {"permissions", health::warn, "cannot be told: " + allowed.error().message, "run the check again"};
    if (!*allowed)
      denied.push_back("$JS.API." + std::string{endpoint} + (endpoint == std::string_view{"STREAM.NAMES"} ? "" : ".>"));
  }
  if (denied.empty())
    return {"permissions", health::ok, "may create, inspect, read and trim streams (publishing was not tried)", ""};
  return {"permissions", health::fail, "no answer from " + some_of(denied),
          "let this user publish to these subjects; buckets need them too"};
}

} // namespace

std::vector<check> examine_broker(doctor_input& in, bool& reached) {
  std::vector<check> out;
  const auto info = in.broker.broker();
  reached = info.has_value();
  if (!info) {
    out.push_back({"broker", health::fail, info.error().message,
                   "check --nats and MILLRACE_NATS_URL, and that nats-server runs" +
                     (info.error().hint.empty() ? "" : "; " + info.error().hint)});
    return out;
  }
  out.push_back({"broker", health::ok, info->url + " answers", ""});
  out.push_back(version_check(*info));
  out.push_back(payload_check(*info));
  const auto account = in.broker.account();
  if (!account) {
    out.push_back({"jetstream", health::fail, account.error().message,
                   "start nats-server with JetStream (-js, or `jetstream {}` in its configuration), and enable it for "
                   "the account"});
    return out;
  }
  for (auto& c : account_checks(*account))
    out.push_back(std::move(c));
  out.push_back(permission_check(in.broker));
  return out;
}

} // namespace millrace::cli
