// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every message between the runtime's actors, and the typed interfaces that say who takes which. A message always
/// carries a batch, never an event.
#pragma once

#include "actors/runtime/chain.hpp"
#include "actors/runtime/control_source.hpp"
#include "actors/runtime/stage_writer.hpp"
#include "messaging/errors.hpp"

#include <caf/all.hpp>

#include <memory>
#include <string>
#include <vector>

namespace millrace::runtime {

/// A value that travels between actors of one process by pointer and is never serialised: `inspect` writes nothing.
template <class T>
struct local {
  std::shared_ptr<T> value;
  T& operator*() const { return *value; }
  T* operator->() const { return value.get(); }
};

template <class T>
local<T> make_local(T value) {
  return {std::make_shared<T>(std::move(value))};
}

template <class Inspector, class T>
typename Inspector::result_type inspect(Inspector& f, local<T>&) {
  return f(caf::meta::type_name("millrace::local"));
}

/// Frames as they stood on the input log.
struct input_run {
  std::vector<input_frame> frames;
  /// Messages on the log beyond these, as last seen.
  std::uint64_t behind = 0;
};

/// Messages of a source shard as they stood in the source.
struct source_run {
  std::vector<message> messages;
  /// File sources: one run of whole lines in `messages[0].payload`, whose place is `messages[0].sequence`.
  bool lines = false;
  /// Place to resume at once this run is covered.
  std::uint64_t next_place = 0;
  /// Messages of the source beyond these, as last seen.
  std::uint64_t behind = 0;
  /// The source was read to its end by this run.
  bool at_end = false;
  /// Nothing can come any more (a file without `follow`, an end mark).
  bool ended = false;
};

} // namespace millrace::runtime

CAF_BEGIN_TYPE_ID_BLOCK(millrace_runtime, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::input_run>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::source_run>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::opened>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::write_job>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::written>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::error>))
CAF_ADD_TYPE_ID(millrace_runtime, (millrace::runtime::local<millrace::runtime::control>))

CAF_ADD_ATOM(millrace_runtime, millrace::runtime, claim_atom, "claim")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, fetch_atom, "fetch")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, pulse_atom, "pulse")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, drain_atom, "drain")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, stopped_atom, "stopped")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, trim_atom, "trim")
CAF_ADD_ATOM(millrace_runtime, millrace::runtime, again_atom, "again")

CAF_END_TYPE_ID_BLOCK(millrace_runtime)

namespace millrace::runtime {

/// READER: reads an input log in sequence, one run per credit.
using reader_actor = caf::typed_actor<
  // One credit: fetch the next run and send it to the owner.
  caf::reacts_to<fetch_atom>>;

/// WRITER: owns the output subjects of a partition.
using writer_actor = caf::typed_actor<
  // Claims every subject; answers the owner with `local<opened>` or an error.
  caf::reacts_to<claim_atom>,
  // Executes one job; answers the owner with `local<written>` or an error.
  caf::reacts_to<local<write_job>>,
  // The input up to a position is not needed any more by this partition.
  caf::reacts_to<trim_atom, std::uint64_t>>;

/// PARTITION: runs one processor between a reader and a writer.
using partition_actor = caf::typed_actor<
  // From the writer: the outputs are ours.
  caf::reacts_to<local<opened>>,
  // From the reader: the next input frames.
  caf::reacts_to<local<input_run>>,
  // From the reader of a source shard: the next source messages.
  caf::reacts_to<local<source_run>>,
  // From the writer: a job is stored.
  caf::reacts_to<local<written>>,
  // From reader or writer: it cannot go on.
  caf::reacts_to<local<error>>,
  // From a control source, through the hub: a version that may be new. Shared by all partitions, never changed.
  caf::reacts_to<local<control>>,
  // INTERNAL: once a second, ticks and snapshots.
  caf::reacts_to<pulse_atom>,
  // Orderly stop (rule 2.7): finish, snapshot, release, then answer the supervisor `stopped`.
  caf::reacts_to<drain_atom>>;

/// SUPERVISOR: owns the partitions of a process.
using supervisor_actor = caf::typed_actor<
  // INTERNAL: start unit i again after its backoff.
  caf::reacts_to<again_atom, std::uint64_t>,
  // From a partition: it failed; unit, error.
  caf::reacts_to<std::uint64_t, local<error>>,
  // From a partition: it has stopped in order; unit.
  caf::reacts_to<stopped_atom, std::uint64_t>,
  // Orderly stop of everything; answers `stopped` once all units have stopped.
  caf::replies_to<drain_atom>::with<stopped_atom>>;

} // namespace millrace::runtime
