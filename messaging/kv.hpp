// SPDX-License-Identifier: Apache-2.0
/// @file
/// How a key-value bucket stands on a log: NATS's own layout, so that `nats kv` reads it. Shared by both adapters.
#pragma once

#include "messaging/bus.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::kv {

result<void> check_bucket(std::string_view bucket);
result<void> check_key(std::string_view key);
error no_bucket(std::string_view bucket);
/// `KV_<bucket>`
std::string stream(std::string_view bucket);
/// `$KV.<bucket>.<key>`
std::string subject(std::string_view bucket, std::string_view key);
kv_entry entry(std::string_view bucket, const message& m);
/// The entries that are not marked as deleted.
std::vector<kv_entry> entries(std::string_view bucket, const std::vector<message>& messages);

} // namespace millrace::kv
