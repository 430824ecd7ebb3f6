// SPDX-License-Identifier: Apache-2.0
/// @file
/// Which servers may hold replicated logs.
#pragma once

#include "messaging/nats/connection.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::nats {

using version = std::array<int, 3>;

/// `2.10.27` or `2.10.27-binary`; nullopt when it is neither.
std::optional<version> parse_version(std::string_view text);

/// What the server that `link` is connected to says in its first line; nullopt when it does not say it in clear.
std::optional<std::string> server_version(const connection& link);

/// Below 2.10.27 an expected subject sequence is no compare-and-set on a replicated stream: ec::config then.
/// Asks the server that `link` is connected to, with a connection of its own (nats.c does not tell its version).
result<void> check_replication(const connection& link);

} // namespace millrace::nats
