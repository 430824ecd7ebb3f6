// SPDX-License-Identifier: Apache-2.0
/// @file
/// Snapshots on a partition's state log (semantics.md, section 6): chunks on subjects of their own, then a manifest
/// that names them. A snapshot counts only from its manifest; the newest two are kept.
///
/// Blocks on the bus; one thread at a time.
#pragma once

#include "actors/runtime/append.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::runtime {

class snapshot_log {
public:
  /// @param prefix Subjects are `<prefix>.owner` (claims, manifests, releases) and `<prefix>.snap.<id>.<n>`.
  snapshot_log(bus& b, std::string log, std::string prefix, std::string writer, std::uint64_t definition);

  /// The lane to claim, first of all lanes of the partition.
  lane& owner() noexcept { return owner_; }

  /// The newest snapshot, read after the claim; nullopt: none yet. Errors: ec::corrupt (chunk missing or altered),
  /// ec::config (written by another definition: says what to do).
  result<std::optional<std::string>> newest();

  /// Stores a snapshot for input position `position`, then forgets the one before the previous.
  result<void> write(std::string_view state, std::uint64_t position, const append_policy& policy);
  /// Appends `release` (rule 2.7).
  result<void> release(const append_policy& policy);
  /// Input position of the older kept snapshot: what the input may be trimmed to; 0: nothing.
  std::uint64_t trim_position() const noexcept { return kept_.size() < 2 ? 0 : kept_.front().position; }

private:
  struct manifest {
    std::uint64_t sequence = 0;
    std::uint64_t position = 0;
    std::uint64_t previous = 0;
    std::vector<std::string> subjects;
    std::vector<std::uint64_t> checksums;
  };
  result<manifest> read_manifest(std::uint64_t sequence);
  void drop_orphans();

  bus& bus_;
  std::string prefix_;
  std::string writer_;
  std::uint64_t definition_;
  lane owner_;
  frame_encoder encoder_;
  std::uint64_t counter_ = 0;
  /// Oldest first, at most two.
  std::deque<manifest> kept_;
};

} // namespace millrace::runtime
