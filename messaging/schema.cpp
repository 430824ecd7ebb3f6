// SPDX-License-Identifier: Apache-2.0
#include "messaging/schema.hpp"

namespace millrace {

std::string_view to_string(data_type type) noexcept {
  switch (type) {
  case data_type::boolean: return "bool";
  case data_type::int64: return "int";
  case data_type::uint64: return "uint";
  case data_type::float64: return "double";
  case data_type::string: return "string";
  case data_type::bytes: return "bytes";
  case data_type::timestamp: return "timestamp";
  case data_type::duration: return "duration";
  case data_type::json: return "json";
  }
  return "unknown";
}

std::optional<std::size_t> schema::index_of(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < fields_.size(); ++i)
    if (fields_[i].name == name)
      return i;
  return std::nullopt;
}

} // namespace millrace
