// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/unit_base.hpp"

#include "actors/runtime/log.hpp"
#include "actors/runtime/writer.hpp"

namespace millrace::runtime {

void unit_base::begin(const partition_names& names, bool publish, const trim_spec& trim) {
  env.board->set(unit, unit_state::starting);
  writer = spawn_writer(self->home_system(), env, self, names, publish, trim);
  self->link_to(writer);
  self->send(writer, claim_atom_v);
  self->delayed_send(self, env.tune.pulse, pulse_atom_v);
}

void unit_base::attach(reader_actor r) {
  reader = std::move(r);
  self->link_to(reader);
  for (std::size_t i = 0; i < env.tune.credits; ++i)
    self->send(reader, fetch_atom_v);
  if (meters.service)
    meters.service->add_claim();
}

void unit_base::fail(error e) {
  // A frame that was refused is an event that cannot be read: counted like one.
  if (e.code == ec::corrupt && meters.stage)
    meters.stage->add_rejected("malformed");
  env.board->set(unit, unit_state::waiting, e.message);
  self->send(parent, index, make_local(std::move(e)));
  self->quit(caf::exit_reason::user_shutdown);
}

void unit_base::stopped() {
  env.board->set(unit, unit_state::stopped);
  self->send(parent, stopped_atom_v, index);
  self->quit(caf::exit_reason::user_shutdown);
}

void unit_base::send(write_job job) {
  writing = true;
  job.input_stamp = newest_stamp;
  self->send(writer, make_local(std::move(job)));
}

bool unit_base::stored_job(const written& w) {
  writing = false;
  if (auto* m = meters.stage) {
    const auto now = env.clock.wall();
    for (const auto& f : w.frames) {
      if (f.rows == 0)
        continue;
      m->observe_frame(static_cast<double>(f.rows), static_cast<double>(f.bytes));
      m->observe_stage_seconds(static_cast<double>(now - w.input_stamp) / ns_per_second);
    }
  }
  if (!w.released)
    return true;
  stopped();
  return false;
}

void unit_base::answer_run(std::size_t pending_bytes) {
  if (pending_bytes > env.tune.pending_bytes)
    ++withheld;
  else
    self->send(reader, fetch_atom_v);
}

void unit_base::release_credits(std::size_t pending_bytes) {
  if (draining || pending_bytes > env.tune.pending_bytes)
    return;
  for (; withheld > 0; --withheld)
    self->send(reader, fetch_atom_v);
}

void unit_base::trim_to(std::uint64_t position) {
  if (position <= trimmed)
    return;
  trimmed = position;
  self->send(writer, trim_atom_v, trimmed);
}

void unit_base::report(const ledger& counters, nanoseconds_t watermark, nanoseconds_t high_time, std::int64_t now) {
  if (counters.imbalance() != 0)
    log::error("the ledger does not balance", {{"unit", unit}, {"by", std::to_string(counters.imbalance())}});
  auto* m = meters.stage;
  if (!m)
    return;
  m->set_ledger(totals(counters));
  m->set_lag(static_cast<double>(behind), behind == 0 ? 0.0 : static_cast<double>(lag) / ns_per_second);
  if (watermark == no_watermark)
    return;
  const auto w = watermark == end_watermark ? high_time : watermark;
  m->set_watermark(static_cast<double>(w) / ns_per_second, static_cast<double>(now - w) / ns_per_second);
}

} // namespace millrace::runtime
