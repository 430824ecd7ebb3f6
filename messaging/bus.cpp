// SPDX-License-Identifier: Apache-2.0
#include "messaging/bus.hpp"

namespace millrace {

std::string_view message::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers)
    if (key == name)
      return value;
  return {};
}

} // namespace millrace
