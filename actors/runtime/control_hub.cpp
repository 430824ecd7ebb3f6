// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/control_hub.hpp"

#include <algorithm>

namespace millrace::runtime {

control_hub::control_hub(std::vector<std::shared_ptr<control_source>> sources) : sources_{std::move(sources)} {
  for (const auto& s : sources_)
    names_.push_back(s->name());
  std::sort(names_.begin(), names_.end());
}

control_hub::~control_hub() {
  for (const auto& s : sources_)
    s->stop();
}

void control_hub::subscribe(const partition_actor& p) {
  bool first = false;
  {
    std::lock_guard lock{mutex_};
    first = !std::exchange(started_, true);
    std::erase_if(partitions_, [](const auto& w) { return !caf::actor_cast<caf::strong_actor_ptr>(w); });
    partitions_.push_back(caf::actor_cast<caf::weak_actor_ptr>(p));
    for (const auto& [name, c] : newest_)
      caf::anon_send(p, c);
  }
  if (!first)
    return;
  // Not under the lock: a source may deliver at once.
  for (const auto& s : sources_)
    s->start([this](control c) { deliver(std::move(c)); });
}

void control_hub::deliver(control c) {
  std::lock_guard lock{mutex_};
  auto& slot = newest_[c.name];
  slot = make_local(std::move(c));
  for (const auto& w : partitions_)
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(w))
      caf::anon_send(caf::actor_cast<caf::actor>(strong), slot);
}

} // namespace millrace::runtime
