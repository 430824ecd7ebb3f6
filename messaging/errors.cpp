// SPDX-License-Identifier: Apache-2.0
#include "messaging/errors.hpp"

namespace millrace {

std::string_view to_string(ec code) noexcept {
  switch (code) {
  case ec::none: return "none";
  case ec::invalid: return "invalid";
  case ec::config: return "config";
  case ec::io: return "io";
  case ec::timeout: return "timeout";
  case ec::unavailable: return "unavailable";
  case ec::conflict: return "conflict";
  case ec::fenced: return "fenced";
  case ec::gap: return "gap";
  case ec::corrupt: return "corrupt";
  case ec::full: return "full";
  case ec::not_found: return "not_found";
  case ec::too_large: return "too_large";
  case ec::unsupported: return "unsupported";
  case ec::internal: return "internal";
  }
  return "unknown";
}

std::string to_string(const error& e) {
  std::string text{to_string(e.code)};
  text += ": ";
  text += e.message;
  if (!e.hint.empty()) {
    text += " (";
    text += e.hint;
    text += ")";
  }
  return text;
}

} // namespace millrace
