// SPDX-License-Identifier: Apache-2.0
/// @file
/// A growing text buffer with the few number formats that the generators need.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::generate {

class line {
public:
  line& operator<<(std::string_view s) {
    text_.append(s);
    return *this;
  }
  line& number(std::uint64_t n) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
    text_.append(digits, static_cast<std::size_t>(end - digits));
    return *this;
  }
  /// With leading zeros up to `width` (at most 20) digits.
  line& padded(std::uint64_t n, std::size_t width) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
    const auto size = static_cast<std::size_t>(end - digits);
    if (size < width)
      text_.append(width - size, '0');
    text_.append(digits, size);
    return *this;
  }
  /// `n` hundredths as a decimal number.
  line& hundredths(std::int64_t n) {
    if (n < 0)
      text_ += '-';
    const auto u = static_cast<std::uint64_t>(n < 0 ? -n : n);
    number(u / 100);
    text_ += '.';
    return padded(u % 100, 2);
  }
  /// RFC 3339 in UTC, with 3, 6 or 9 fraction digits, as few as are exact.
  line& time(std::int64_t ns);

  std::string& text() noexcept { return text_; }
  std::size_t size() const noexcept { return text_.size(); }

private:
  std::string text_;
  std::int64_t day_ = -1;
  std::string date_;
};

} // namespace millrace::generate
