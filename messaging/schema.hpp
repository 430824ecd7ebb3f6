// SPDX-License-Identifier: Apache-2.0
/// @file
/// Names and types of the columns of an event batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// The column types. Values are part of the wire format: append only.
enum class data_type : std::uint8_t {
  boolean = 0,
  int64 = 1,
  uint64 = 2,
  float64 = 3,
  string = 4,
  bytes = 5,
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  timestamp = 6,
  /// Nanoseconds.
  duration = 7,
  /// JSON text, held as the source wrote it.
  json = 8,
};

/// The name a pipeline file uses: bool int uint double string bytes timestamp duration json.
std::string_view to_string(data_type type) noexcept;

/// True for the types that a column holds as dictionary codes: string, bytes, json.
constexpr bool is_text(data_type type) noexcept {
  return type == data_type::string || type == data_type::bytes || type == data_type::json;
}

struct field {
  std::string name;
  data_type type = data_type::string;
  bool nullable = false;

  friend bool operator==(const field&, const field&) = default;
};

/// An ordered list of uniquely named fields. Immutable once shared; thread-safe to read.
class schema {
public:
  schema() = default;
  explicit schema(std::vector<field> fields) : fields_{std::move(fields)} {}

  std::span<const field> fields() const noexcept { return fields_; }
  std::size_t size() const noexcept { return fields_.size(); }
  const field& operator[](std::size_t i) const { return fields_[i]; }
  /// Index of the field named `name`; linear, not for use per event.
  std::optional<std::size_t> index_of(std::string_view name) const noexcept;

  friend bool operator==(const schema&, const schema&) = default;

private:
  std::vector<field> fields_;
};

using schema_ptr = std::shared_ptr<const schema>;

} // namespace millrace
