// SPDX-License-Identifier: Apache-2.0
#include "services/cli/rejected.hpp"

#include "messaging/codec/decode_text.hpp"
#include "messaging/codec/json_writer.hpp"
#include "messaging/subjects.hpp"
#include "services/cli/json_members.hpp"

#include <algorithm>
#include <array>

namespace millrace::cli {

namespace {

constexpr std::size_t run_messages = 512;
constexpr std::size_t run_bytes = 4 * 1024 * 1024;
constexpr std::chrono::milliseconds run_wait{1000};
/// Empty answers before the end is reached: the broker does not deliver.
constexpr unsigned max_empty_runs = 10;

bool fits(const rejected_filter& f, const rejected_entry& e) {
  return (f.stage.empty() || f.stage == e.stage) && (f.reason.empty() || f.reason == e.reason) &&
         (!f.since || e.stored >= *f.since) &&
         (f.sequences.empty() || std::find(f.sequences.begin(), f.sequences.end(), e.sequence) != f.sequences.end());
}

error without_stream(const std::string& pipeline, error e) {
  if (e.code != ec::not_found)
    return e;
  return {ec::not_found,
          "pipeline " + pipeline + " has no stream of rejected events on this server: it has never run here",
          "check --nats and MILLRACE_NATS_URL, or start the services"};
}

/// What stands behind `millrace.<pipeline>.rejected.`: stage and partition.
std::pair<std::string, std::string> place_of(std::string_view subject) {
  const auto last = subject.rfind('.');
  if (last == std::string_view::npos || last == 0)
    return {};
  const auto stage = subject.rfind('.', last - 1);
  return {std::string{subject.substr(stage + 1, last - stage - 1)}, std::string{subject.substr(last + 1)}};
}

result<void> by_sequence(bus& b, const std::string& log, const rejected_filter& f,
                         const std::function<bool(rejected_entry&&)>& take) {
  auto wanted = f.sequences;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const auto n : wanted) {
    auto m = b.get(log, n);
    if (!m && m.error().code == ec::not_found)
      return error{ec::not_found, "there is no rejected event with sequence " + std::to_string(n),
                   "`millrace rejected list` shows those that are there"};
    if (!m)
      return std::move(m).error();
    auto e = parse_rejected(*m);
    if (fits(f, e) && !take(std::move(e)))
      break;
  }
  return {};
}

} // namespace

std::string retried_bucket(std::string_view pipeline) { return "MILLRACE_" + std::string{pipeline} + "_retried"; }

rejected_entry parse_rejected(const message& m) {
  rejected_entry e;
  e.sequence = m.sequence;
  e.stored = m.stamp;
  std::tie(e.stage, e.partition) = place_of(m.subject);
  e.reason = m.header("Millrace-Reason");
  e.origin = m.header("Millrace-Origin");
  static const std::array<std::string, 3> names{"detail", "data", "data_base64"};
  const auto places = find_members(m.payload, names);
  const auto token = [&](std::size_t i) {
    const auto& p = (*places)[i];
    return p ? std::string_view{m.payload}.substr(p->first, p->second - p->first) : std::string_view{};
  };
  if (places && (*places)[1]) {
    e.body = token(1);
  } else if (places && (*places)[2]) {
    e.is_json = false;
    const auto text = token(2);
    if (text.size() < 2 || !codec::append_decoded_base64(e.body, text.substr(1, text.size() - 2)))
      e.body.clear();
  } else {
    e.is_json = false;
    e.body = m.payload;
    e.detail = "this message is not one of Millrace's: something else publishes on " + m.subject;
    e.reason = e.reason.empty() ? "unknown" : e.reason;
    return e;
  }
  e.detail = string_of(token(0)).value_or("");
  return e;
}

result<void> each_rejected(bus& b, const std::string& pipeline, const rejected_filter& f,
                           const std::function<bool(rejected_entry&&)>& take) {
  const auto log = rejected_stream_name(pipeline);
  const auto state = b.info(log);
  if (!state)
    return without_stream(pipeline, state.error());
  if (!f.sequences.empty())
    return by_sequence(b, log, f, take);
  if (state->messages == 0)
    return {};
  auto reader = b.read(log, state->first_sequence);
  if (!reader)
    return std::move(reader).error();
  unsigned empty_runs = 0;
  for (std::uint64_t reached = state->first_sequence - 1; reached < state->last_sequence;) {
    auto got = (*reader)->next(run_messages, run_bytes, run_wait);
    if (!got && got.error().code == ec::gap)
      return error{ec::gap, got.error().message, "messages were removed meanwhile; run the command again"};
    if (!got)
      return std::move(got).error();
    if (got->empty() && (*reader)->at_end())
      break;
    if (got->empty() && ++empty_runs == max_empty_runs)
      return error{ec::timeout, "log " + log + " delivers nothing after sequence " + std::to_string(reached),
                   "see the server's log"};
    for (const auto& m : *got) {
      reached = m.sequence;
      // What comes while this reads belongs to the next run.
      if (reached > state->last_sequence)
        return {};
      auto e = parse_rejected(m);
      if (fits(f, e) && !take(std::move(e)))
        return {};
    }
  }
  return {};
}

/// A stream that was deleted and made anew counts from 1 again, so the stamp is compared too.
result<bool> was_retried(bus& b, const std::string& pipeline, const rejected_entry& e) {
  const auto found = b.kv_get(retried_bucket(pipeline), std::to_string(e.sequence));
  if (!found && found.error().code == ec::not_found)
    return false;
  if (!found)
    return found.error();
  return *found && !(*found)->deleted && (*found)->value == std::to_string(e.stored);
}

result<rejected_listing> list_rejected(bus& b, const std::string& pipeline, const rejected_filter& f,
                                       std::size_t limit) {
  rejected_listing out;
  auto read = each_rejected(b, pipeline, f, [&](rejected_entry&& e) {
    ++out.totals[{e.stage, e.reason}];
    ++out.matching;
    out.entries.push_back(std::move(e));
    if (out.entries.size() > limit)
      out.entries.pop_front();
    return true;
  });
  if (!read)
    return read.error();
  for (auto& e : out.entries) {
    auto known = was_retried(b, pipeline, e);
    if (!known)
      return std::move(known).error();
    e.retried = *known;
  }
  return out;
}

} // namespace millrace::cli
