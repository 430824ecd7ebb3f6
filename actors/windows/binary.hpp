// SPDX-License-Identifier: Apache-2.0
/// @file
/// Little-endian writer and bounds-checked reader for the snapshots of the window stage.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::windows {

/// Sums of 64-bit integers that cannot wrap within 2^63 events.
__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

class binary_writer {
public:
  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u64(std::uint64_t v) {
    for (unsigned i = 0; i < 64; i += 8)
      out_.push_back(static_cast<char>((v >> i) & 0xFFU));
  }
  void i64(std::int64_t v) { u64(static_cast<std::uint64_t>(v)); }
  void f64(double v) { u64(std::bit_cast<std::uint64_t>(v)); }
  void i128(int128 v) {
    const auto bits = static_cast<uint128>(v);
    u64(static_cast<std::uint64_t>(bits));
    u64(static_cast<std::uint64_t>(bits >> 64));
  }
  void text(std::string_view v) {
    u64(v.size());
    out_.append(v);
  }
  std::string finish() { return std::move(out_); }

private:
  std::string out_;
};

/// Once a read goes beyond the end, `ok()` is false for good and every value is zero.
class binary_reader {
public:
  explicit binary_reader(std::string_view in) : in_{in} {}

  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return ok_ && in_.empty(); }
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }

  std::uint8_t u8() {
    if (!need(1))
      return 0;
    const auto v = static_cast<std::uint8_t>(in_.front());
    in_.remove_prefix(1);
    return v;
  }
  bool flag() {
    const auto v = u8();
    if (v > 1)
      fail();
    return v == 1;
  }
  std::uint64_t u64() {
    if (!need(8))
      return 0;
    std::uint64_t v = 0;
    for (unsigned i = 0; i < 8; ++i)
      v |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(in_[i])) << (8 * i);
    in_.remove_prefix(8);
    return v;
  }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  double f64() { return std::bit_cast<double>(u64()); }
  int128 i128() {
    const uint128 low = u64();
    const uint128 high = u64();
    return static_cast<int128>((high << 64) | low);
  }
  std::string_view text() {
    const auto n = u64();
    if (!need(n))
      return {};
    const auto v = in_.substr(0, n);
    in_.remove_prefix(n);
    return v;
  }
  /// A number of things of at least `each` bytes: never more than the bytes left can hold.
  std::size_t count(std::size_t each) {
    const auto n = u64();
    if (ok_ && n > in_.size() / (each == 0 ? 1 : each))
      fail();
    return ok_ ? static_cast<std::size_t>(n) : 0;
  }

private:
  bool need(std::uint64_t n) {
    if (ok_ && n <= in_.size())
      return true;
    fail();
    return false;
  }

  std::string_view in_;
  bool ok_ = true;
};

} // namespace millrace::windows
