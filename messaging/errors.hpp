// SPDX-License-Identifier: Apache-2.0
/// @file
/// The one error type of Millrace and `result<T>`, which carries either a value or an error.
/// Errors are values: exceptions are caught at the boundary of the library that throws.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace millrace {

/// What to do about an error; the message says which (subject, sequence, field).
enum class ec : std::uint8_t {
  none = 0,
  /// The caller's data or arguments are wrong; retrying is useless.
  invalid,
  /// The configuration (pipeline file, option) is wrong; exit code 2.
  config,
  /// An operating-system or disk error.
  io,
  /// No answer in time; for an append the outcome is ambiguous and must be resolved (rule 2.4).
  timeout,
  /// The broker or database is not reachable now; wait and retry.
  unavailable,
  /// An expectation did not hold: somebody else wrote (rule 2.4 decides what that means).
  conflict,
  /// Ownership is lost for good; the partition stops at once.
  fenced,
  /// Messages are missing between two sequences; the reader halts.
  gap,
  /// Bytes are not what they claim to be (checksum, verifier, schema); the reader halts.
  corrupt,
  /// The log or store is full; wait and retry (rule 8.1).
  full,
  not_found,
  too_large,
  unsupported,
  internal,
};

/// The code's lower-case name, for logs.
std::string_view to_string(ec code) noexcept;

struct error {
  ec code = ec::none;
  /// What happened, naming subject, sequence, field or position.
  std::string message;
  /// What to do about it; may be empty.
  std::string hint;
};

/// `code: message (hint)`, for logs and the terminal.
std::string to_string(const error& e);

template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  result(T value) : data_{std::in_place_index<0>, std::move(value)} {}
  result(millrace::error e) : data_{std::in_place_index<1>, std::move(e)} {}

  explicit operator bool() const noexcept { return data_.index() == 0; }
  bool has_value() const noexcept { return data_.index() == 0; }

  T& value() & {
    assert(has_value());
    return *std::get_if<0>(&data_);
  }
  const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&data_);
  }
  T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&data_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const millrace::error& error() const& {
    assert(!has_value());
    return *std::get_if<1>(&data_);
  }
  millrace::error&& error() && {
    assert(!has_value());
    return std::move(*std::get_if<1>(&data_));
  }

private:
  std::variant<T, millrace::error> data_;
};

template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(millrace::error e) : error_{std::move(e)}, ok_{false} {}

  explicit operator bool() const noexcept { return ok_; }
  bool has_value() const noexcept { return ok_; }
  const millrace::error& error() const& {
    assert(!ok_);
    return error_;
  }
  millrace::error&& error() && {
    assert(!ok_);
    return std::move(error_);
  }

private:
  millrace::error error_;
  bool ok_ = true;
};

/// One finding about a pipeline file. `path` names the place in the file's structure
/// (`enrich.steps[2].set.notional`), which the loader turns into line and column.
struct diagnostic {
  std::string path;
  /// Byte offset inside the scalar at `path`, for expressions.
  std::size_t offset = 0;
  std::string message;
  std::string hint;
};

} // namespace millrace
