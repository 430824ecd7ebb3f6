// SPDX-License-Identifier: Apache-2.0
/// @file
/// GET, for what is polled. httplib stays inside.
#pragma once

#include "messaging/errors.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace millrace::http {

struct get_request {
  /// `http://` or `https://`, perhaps with `user:password@`. No error repeats it.
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t max_bytes = 0;
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds read_timeout{10};
};

struct get_answer {
  int status = 0;
  std::string etag;
  std::string content_type;
  std::string body;
};

/// Blocks its thread. Redirects are followed, but not with headers or a password of the caller's: they are for one
/// server only. Errors: ec::config for a wrong URL, ec::too_large, ec::unavailable without an answer.
result<get_answer> get(const get_request& r);

} // namespace millrace::http
