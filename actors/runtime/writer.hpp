// SPDX-License-Identifier: Apache-2.0
/// @file
/// WRITER: a detached actor around `stage_writer`, and the trimming of the input log.
#pragma once

#include "actors/runtime/environment.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/trimmer.hpp"

namespace millrace::runtime {

/// Spawns a WRITER.
/// @param input What it may trim once the partition has moved on.
writer_actor spawn_writer(caf::actor_system& sys, const environment& env, partition_actor owner, partition_names names,
                          bool publish, trim_spec input);

} // namespace millrace::runtime
