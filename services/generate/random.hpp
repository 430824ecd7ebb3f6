// SPDX-License-Identifier: Apache-2.0
/// @file
/// A small random generator whose numbers are the same everywhere: the distributions of <random> are not.
#pragma once

#include <bit>
#include <cstdint>

namespace millrace::generate {

/// xoshiro256++ seeded by splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021).
class random {
public:
  explicit random(std::uint64_t seed) noexcept {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      auto z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() noexcept {
    const auto out = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const auto t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return out;
  }

  /// From [0, n); the bias of the multiplication is below n / 2^32.
  std::uint32_t below(std::uint32_t n) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * std::uint64_t{n}) >> 32);
  }
  /// From [-n, n].
  std::int64_t around(std::uint32_t n) noexcept {
    return static_cast<std::int64_t>(below(2 * n + 1)) - static_cast<std::int64_t>(n);
  }

private:
  std::uint64_t state_[4];
};

} // namespace millrace::generate
