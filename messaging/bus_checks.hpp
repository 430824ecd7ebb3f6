// SPDX-License-Identifier: Apache-2.0
/// @file
/// The checks of arguments that both adapters of the bus make, so that they refuse the same things with the same words.
#pragma once

#include "messaging/bus.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Subjects and header values must not be able to smuggle protocol bytes: no control characters, names are tokens.
result<void> check_headers(const header_list& headers);
result<void> check_append(const append_request& request);
result<void> check_spec(const log_spec& spec);
result<void> check_read(std::uint64_t from, std::string_view filter);
/// ec::config when an existing log stores other subjects than `spec` says.
result<void> same_subjects(const log_spec& spec, std::vector<std::string> existing);
/// ec::config: `log` stores a part of `subject`, so it can neither be used for all of it nor a second log be made.
error partly_covered(std::string_view log, std::string_view subject);

} // namespace millrace
