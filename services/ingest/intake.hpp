// SPDX-License-Identifier: Apache-2.0
/// @file
/// HTTP intake: bodies are stored in a source stream, acknowledged to the sender only then (rule 3.1).
#pragma once

#include "messaging/bus.hpp"
#include "services/http/http_server.hpp"

#include <memory>
#include <string>

namespace millrace::services {

/// `millrace.<pipeline>.source.<n>`: where the bodies of HTTP source n are stored.
std::string intake_subject(const std::string& pipeline, std::uint32_t n);

/// Adds POST `path`. A body of one object, an array or NDJSON; NDJSON beyond the broker's message size is split at
/// line ends. Answers 202 `{"accepted":n}`; 413 for one event or array that is too large; 429 while the stream is
/// full; 503 while the broker is away.
void add_intake(http::server& server, const std::string& path, std::shared_ptr<bus> b, log_spec stream, bool csv);

} // namespace millrace::services
