// SPDX-License-Identifier: Apache-2.0
/// @file
/// The OpenAPI description of the query interface. Private to this folder.
#pragma once

#include <string_view>

namespace millrace::http {

std::string_view openapi_text() noexcept;

} // namespace millrace::http
