// SPDX-License-Identifier: Apache-2.0
/// @file
/// Every name that Millrace uses on the bus, in one place (interface.md, "Names"), and NATS subject matching.
///
/// The builders do not check their arguments: names come out of a checked pipeline definition; whatever comes
/// from elsewhere passes `check_token` first. Pipelines have no '_' in their names, so stream names are unambiguous.
#pragma once

#include "messaging/errors.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// One subject token: printable ASCII, not empty, none of '.', '*', '>', space.
bool valid_token(std::string_view token) noexcept;
/// ec::invalid naming `what` when `token` is not one.
result<void> check_token(std::string_view what, std::string_view token);
/// A subject without wildcards: valid tokens joined by '.'.
bool valid_subject(std::string_view subject) noexcept;
/// A subject in which a token may be '*' and the last one '>'.
bool valid_filter(std::string_view filter) noexcept;

/// True when every subject that `subject` stands for (it may have wildcards) matches `pattern`.
bool subject_covers(std::string_view pattern, std::string_view subject) noexcept;
/// True when some subject matches both.
bool subjects_overlap(std::string_view a, std::string_view b) noexcept;

/// `MILLRACE_<pipeline>_<stage>_<partition>`; stage: events, enriched, partials, windows, alerts.
std::string stream_name(std::string_view pipeline, std::string_view stage, std::uint32_t partition);
/// `millrace.<pipeline>.<stage>.<partition>`: the subject of a log with one writer.
std::string subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition);
/// `millrace.<pipeline>.<stage>.<partition>.<writer>`: one writer's subject in a log with several.
std::string subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition,
                    std::string_view writer);
/// What the stream of a stage log stores: the subject and everything below it.
std::vector<std::string> log_subjects(std::string_view pipeline, std::string_view stage, std::uint32_t partition);

/// `state_<stage>`: the stage name under which a stage's snapshots stand.
std::string state_stage(std::string_view stage);

/// `MILLRACE_<pipeline>_source_<n>`: a source stream that Millrace creates.
std::string source_stream_name(std::string_view pipeline, std::uint32_t n);

/// `millrace.<pipeline>.results.<window>`
std::string results_subject(std::string_view pipeline, std::string_view window);
/// `millrace.<pipeline>.alert.<rule>`
std::string alert_subject(std::string_view pipeline, std::string_view rule);

/// `MILLRACE_<pipeline>_rejected`
std::string rejected_stream_name(std::string_view pipeline);
/// `millrace.<pipeline>.rejected.>`: what that stream stores.
std::string rejected_subjects(std::string_view pipeline);
/// `millrace.<pipeline>.rejected.<stage>.<partition>`
std::string rejected_subject(std::string_view pipeline, std::string_view stage, std::uint32_t partition);

/// `MILLRACE_<pipeline>_members`: the KV bucket of heartbeats (rule 2.6).
std::string membership_bucket(std::string_view pipeline);

} // namespace millrace
