// SPDX-License-Identifier: Apache-2.0
/// @file
/// Little-endian binary writing and bounds-checked reading, for states that travel inside frames.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::runtime {

class byte_writer {
public:
  void u64(std::uint64_t x) {
    char b[8];
    for (unsigned i = 0; i < 8; ++i)
      b[i] = static_cast<char>((x >> (8 * i)) & 0xff);
    out_.append(b, 8);
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
  std::uint64_t u64() {
    if (in_.size() < 8) {
      ok_ = false;
      in_ = {};
      return 0;
    }
    std::uint64_t x = 0;
    for (unsigned i = 0; i < 8; ++i)
      x |= static_cast<std::uint64_t>(static_cast<unsigned char>(in_[i])) << (8 * i);
    in_.remove_prefix(8);
    return x;
  }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::string_view text() {
    const auto n = u64();
    if (n > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }
  bool ok() const noexcept { return ok_; }
  bool done() const noexcept { return ok_ && in_.empty(); }

private:
  std::string_view in_;
  bool ok_ = true;
};

} // namespace millrace::runtime
