// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/host.hpp"

#include "actors/runtime/messages.hpp"
#include "actors/runtime/supervisor.hpp"

#include <algorithm>
#include <thread>

namespace millrace::runtime {

namespace {

struct configuration : caf::actor_system_config {
  configuration() {
    add_message_types<caf::id_block::millrace_runtime>();
    // Only partitions run on the pool; what blocks has threads of its own.
    set("scheduler.max-threads", std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 16));
    // The default policy spins before it sleeps, which costs a core that the broker needs.
    set("scheduler.policy", caf::atom("sharing"));
  }
};

} // namespace

struct host::impl {
  environment env;
  configuration config;
  caf::actor_system system{config};
  supervisor_actor root;
  bool stopped = false;

  explicit impl(environment e) : env{std::move(e)} {}
};

host::host(environment env, std::vector<unit_spec> units) : impl_{std::make_unique<impl>(std::move(env))} {
  impl_->root = spawn_supervisor(impl_->system, impl_->env, std::move(units));
}

host::~host() {
  if (!impl_->stopped)
    stop(std::chrono::milliseconds{0});
}

bool host::stop(std::chrono::milliseconds limit) {
  if (impl_->stopped)
    return true;
  impl_->stopped = true;
  bool ok = false;
  caf::scoped_actor self{impl_->system};
  if (limit.count() > 0)
    self->request(impl_->root, limit, drain_atom_v)
      .receive([&](stopped_atom) { ok = true; }, [&](const caf::error&) {});
  impl_->env.stop->store(true);
  if (!ok) {
    // Down with everything: partitions take their readers and writers with them.
    self->send_exit(impl_->root, caf::exit_reason::user_shutdown);
  }
  impl_->root = nullptr;
  return ok;
}

} // namespace millrace::runtime
