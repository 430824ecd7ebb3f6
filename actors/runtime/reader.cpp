// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/reader.hpp"

#include "actors/runtime/log.hpp"

#include <algorithm>

namespace millrace::runtime {

namespace {

/// Errors that waiting does not cure: the partition must halt.
bool final_error(ec code) {
  return code == ec::gap || code == ec::corrupt || code == ec::config || code == ec::invalid;
}

/// Pause after an input that cannot be reached just now.
constexpr std::chrono::milliseconds unavailable_pause{250};

struct reader_state {
  static inline const char* name = "millrace.reader";
  std::unique_ptr<log_reader> input;
  std::unique_ptr<source> from;
  std::uint64_t next = 1;
  std::uint64_t behind = 0;
  std::int64_t ask_again = 0;
};

template <class Self>
void again(Self* self, const environment& env, bool soon) {
  if (soon && env.detached)
    self->send(self, fetch_atom_v);
  else
    self->delayed_send(self, soon ? std::chrono::milliseconds{10} : unavailable_pause, fetch_atom_v);
}

result<input_run> decode(std::vector<message>& messages) {
  input_run out;
  out.frames.reserve(messages.size());
  for (auto& m : messages) {
    auto f = decode_frame(m.payload);
    if (!f)
      return error{f.error().code,
                   "message " + std::to_string(m.sequence) + " on " + m.subject + " is refused: " + f.error().message,
                   "something else published on this subject, or the log is damaged"};
    out.frames.push_back(
      {m.sequence, std::move(m.subject), m.stamp, frame_checksum(m.payload), m.payload.size(), std::move(*f)});
  }
  return out;
}

/// Messages beyond the last run; asks the broker at most once a second.
std::uint64_t behind(reader_state& st, const environment& env, const log_input& in) {
  if (st.input->at_end())
    return st.behind = 0;
  if (const auto now = env.clock.steady(); now >= st.ask_again) {
    st.ask_again = now + 1'000'000'000;
    if (auto i = env.bus->info(in.log))
      st.behind = i->last_sequence - std::min(i->last_sequence, st.next - 1);
  }
  return st.behind;
}

/// Opens the log when needed and fetches one run. Empty: nothing came.
result<input_run> fetch(reader_state& st, const environment& env, const log_input& in) {
  if (!st.input) {
    auto state = env.bus->info(in.log);
    if (!state)
      return std::move(state).error();
    if (state->last_sequence + 1 < st.next)
      return error{ec::gap,
                   in.log + " ends at sequence " + std::to_string(state->last_sequence) + ", before the position " +
                     std::to_string(st.next - 1) + " that was reached",
                   "the log was lost or replaced; restore it, or start the pipeline under a new name"};
    auto opened = env.bus->read(in.log, st.next, in.filter);
    if (!opened)
      return std::move(opened).error();
    st.input = std::move(*opened);
  }
  auto got = st.input->next(env.tune.run_messages, env.tune.run_bytes, env.tune.fetch_wait);
  if (!got) {
    st.input.reset();
    return std::move(got).error();
  }
  if (!got->empty())
    st.next = got->back().sequence + 1;
  auto run = decode(*got);
  if (run)
    run->behind = behind(st, env, in);
  return run;
}

reader_actor::behavior_type log_reader_behavior(reader_actor::stateful_pointer<reader_state> self, environment env,
                                                partition_actor owner, log_input in) {
  self->state.next = in.from;
  return {
    [self, env, owner, in](fetch_atom) {
      auto got = fetch(self->state, env, in);
      if (!got) {
        if (final_error(got.error().code))
          self->send(owner, make_local(std::move(got).error()));
        else
          again(self, env, false);
        return;
      }
      if (got->frames.empty())
        again(self, env, true);
      else
        self->send(owner, make_local(std::move(*got)));
    },
  };
}

reader_actor::behavior_type source_reader_behavior(reader_actor::stateful_pointer<reader_state> self, environment env,
                                                   partition_actor owner,
                                                   std::function<std::unique_ptr<source>()> open) {
  return {
    [self, env, owner, open](fetch_atom) {
      auto& st = self->state;
      if (!st.from)
        st.from = open();
      auto got = st.from->next(env.tune.run_messages * 8, env.tune.run_bytes, env.tune.fetch_wait);
      if (!got) {
        if (final_error(got.error().code)) {
          self->send(owner, make_local(std::move(got).error()));
        } else {
          if (const auto now = env.clock.steady(); now >= st.ask_again) {
            st.ask_again = now + std::int64_t{10} * 1'000'000'000;
            log::warn("source not readable now, trying again", {{"why", to_string(got.error())}});
          }
          again(self, env, false);
        }
        return;
      }
      // An empty run also goes out: it says that the source was read to its end, for idleness (rule 4.2).
      self->send(owner, make_local(std::move(*got)));
    },
  };
}

} // namespace

reader_actor spawn_log_reader(caf::actor_system& sys, const environment& env, partition_actor owner, log_input in) {
  if (env.detached)
    return sys.spawn<caf::detached>(log_reader_behavior, env, std::move(owner), std::move(in));
  return sys.spawn(log_reader_behavior, env, std::move(owner), std::move(in));
}

reader_actor spawn_source_reader(caf::actor_system& sys, const environment& env, partition_actor owner,
                                 std::function<std::unique_ptr<source>()> open) {
  if (env.detached)
    return sys.spawn<caf::detached>(source_reader_behavior, env, std::move(owner), std::move(open));
  return sys.spawn(source_reader_behavior, env, std::move(owner), std::move(open));
}

} // namespace millrace::runtime
