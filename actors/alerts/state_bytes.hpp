// SPDX-License-Identifier: Apache-2.0
/// @file
/// Little-endian writing and bounds-checked reading of the stage's snapshots.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::alerts {

class byte_writer {
public:
  void u8(std::uint8_t x) { out_.push_back(static_cast<char>(x)); }
  void u64(std::uint64_t x) {
    for (unsigned i = 0; i < 8; ++i)
      out_.push_back(static_cast<char>((x >> (8 * i)) & 0xff));
  }
  void i64(std::int64_t x) { u64(static_cast<std::uint64_t>(x)); }
  void text(std::string_view s) {
    u64(s.size());
    out_.append(s);
  }
  std::string take() { return std::move(out_); }

private:
  std::string out_;
};

/// After any read beyond the end `ok()` is false and every value is 0 or empty.
class byte_reader {
public:
  explicit byte_reader(std::string_view in) : in_{in} {}

  std::uint8_t u8() { return need(1) ? static_cast<std::uint8_t>(cut(1)[0]) : std::uint8_t{0}; }
  std::uint64_t u64() {
    if (!need(8))
      return 0;
    std::uint64_t x = 0;
    const auto s = cut(8);
    for (unsigned i = 0; i < 8; ++i)
      x |= static_cast<std::uint64_t>(static_cast<unsigned char>(s[i])) << (8 * i);
    return x;
  }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::string_view text() {
    const auto n = u64();
    return need(n) ? cut(n) : std::string_view{};
  }
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }
  bool ok() const noexcept { return ok_; }
  bool done() const noexcept { return ok_ && in_.empty(); }

private:
  bool need(std::uint64_t n) {
    if (n > in_.size())
      fail();
    return ok_;
  }
  std::string_view cut(std::uint64_t n) {
    const auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }

  std::string_view in_;
  bool ok_ = true;
};

} // namespace millrace::alerts
