// SPDX-License-Identifier: Apache-2.0
/// @file
/// Static types of CEL expressions, and signatures of functions.
#pragma once

#include "messaging/schema.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::expressions {

enum class type_kind : std::uint8_t {
  dyn,
  null,
  boolean,
  int64,
  uint64,
  float64,
  string,
  bytes,
  timestamp,
  duration,
  list,
  map,
  type,
  /// A value or none.
  optional,
  /// Type parameter A or B of a signature.
  parameter,
};

struct type {
  type_kind what = type_kind::dyn;
  /// The value may be null although the type is another one: optional fields.
  bool nullable = false;
  /// Of a parameter: 0 for A, 1 for B.
  std::uint8_t index = 0;
  /// Element of a list or optional; key and value of a map.
  std::vector<type> of;

  type() = default;
  type(type_kind k) : what{k} {}
  type(type_kind k, std::vector<type> parameters) : what{k}, of{std::move(parameters)} {}

  friend bool operator==(const type& a, const type& b) {
    return a.what == b.what && a.index == b.index && a.of == b.of;
  }
};

inline bool is_numeric(const type& t) noexcept {
  return t.what == type_kind::int64 || t.what == type_kind::uint64 || t.what == type_kind::float64;
}
inline bool is_dyn(const type& t) noexcept { return t.what == type_kind::dyn; }

/// As CEL writes it: `int`, `list(string)`, `map(string, dyn)`.
std::string to_string(const type& t);
std::string to_string(std::span<const type> types);

/// The type of a column seen by an expression, and the column that holds values of a type.
type type_of(const field& f);
data_type column_type(const type& t) noexcept;
/// False for the types that only a json column can hold.
bool has_column(const type& t) noexcept;

/// `_==_` and `@in` accept a pair of these types: equal ones, numbers with each other, dyn with anything, null with
/// what can be null.
bool comparable(const type& a, const type& b) noexcept;
/// The smallest type that both are; dyn if there is no other.
type join(const type& a, const type& b);

struct signature {
  std::vector<type> arguments;
  type result;
  /// The last argument repeats, at least once.
  bool variadic = false;
};

/// Parses `(list(A), int) -> A`; `(double...) -> double` is variadic. For the registry's constants only: asserts.
signature parse_signature(std::string_view text);
/// The result type if arguments of these types are accepted.
std::optional<type> match(const signature& s, std::span<const type> arguments);

} // namespace millrace::expressions
