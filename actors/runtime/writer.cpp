// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/writer.hpp"

#include "actors/runtime/trimmer.hpp"

namespace millrace::runtime {

namespace {

struct writer_state {
  static inline const char* name = "millrace.writer";
  std::unique_ptr<stage_writer> out;
  std::unique_ptr<trimmer> trim;
};

writer_actor::behavior_type writer_behavior(writer_actor::stateful_pointer<writer_state> self, environment env,
                                            partition_actor owner, partition_names names, bool publish,
                                            trim_spec input) {
  self->state.trim = std::make_unique<trimmer>(env.bus, std::move(input));
  const auto unit = names.pipeline + "/" + names.stage + "/" + std::to_string(names.partition);
  self->state.out =
    std::make_unique<stage_writer>(env.bus, std::move(names), env.policy(unit), publish, env.clock.steady);
  return {
    [self, owner](claim_atom) {
      auto r = self->state.out->open();
      if (r)
        self->send(owner, make_local(std::move(*r)));
      else
        self->send(owner, make_local(std::move(r).error()));
    },
    [self, owner](local<write_job>& job) {
      auto r = self->state.out->execute(*job);
      if (r)
        self->send(owner, make_local(std::move(*r)));
      else
        self->send(owner, make_local(std::move(r).error()));
    },
    [self, wall = env.clock.wall](trim_atom, std::uint64_t position) { self->state.trim->advance(position, wall()); },
  };
}

} // namespace

writer_actor spawn_writer(caf::actor_system& sys, const environment& env, partition_actor owner, partition_names names,
                          bool publish, trim_spec input) {
  if (env.detached)
    return sys.spawn<caf::detached>(writer_behavior, env, std::move(owner), std::move(names), publish,
                                    std::move(input));
  return sys.spawn(writer_behavior, env, std::move(owner), std::move(names), publish, std::move(input));
}

} // namespace millrace::runtime
