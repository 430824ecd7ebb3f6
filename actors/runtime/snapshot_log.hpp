// SPDX-License-Identifier: Apache-2.0
/// @file
/// Snapshots on a partition's state log (semantics.md, section 6): chunks on subjects of their own, then a manifest
/// that names them. A snapshot counts only from its manifest; the newest two are kept. Between them stand the controls
/// (rule 7.1), each as chunks and a record that names them, on subjects of its own.
///
/// Blocks on the bus; one thread at a time.
#pragma once

#include "actors/runtime/append.hpp"
#include "actors/runtime/control_record.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::runtime {

class snapshot_log {
public:
  /// @param prefix Subjects are `<prefix>.owner` (claims, manifests, releases) `<prefix>.snap.<id>.<n>`,
  /// `<prefix>.control.<id>` and `<prefix>.control.<id>.<n>`.
  snapshot_log(bus& b, std::string log, std::string prefix, std::string writer, std::uint64_t definition);

  /// The lane to claim, first of all lanes of the partition.
  lane& owner() noexcept { return owner_; }

  /// The newest snapshot, read after the claim; nullopt: none yet. Errors: ec::corrupt (chunk missing or altered),
  /// ec::config (written by another definition: says what to do).
  result<std::optional<std::string>> newest();

  /// Controls that the newest snapshot does not contain, in order; to be called after `newest`. Errors: the same.
  result<std::vector<control_record>> controls();

  /// Stores a snapshot for input position `position` that contains the controls up to number `controls`, then forgets
  /// the one before the previous, and the controls that no kept snapshot needs.
  result<void> write(std::string_view state, std::uint64_t position, std::uint64_t controls,
                     const append_policy& policy);
  /// Records a control: once it returns, every replay gets it.
  result<void> record(const control_record& c, const append_policy& policy);
  /// Appends `release` (rule 2.7).
  result<void> release(const append_policy& policy);
  /// Input position of the older kept snapshot: what the input may be trimmed to; 0: nothing.
  std::uint64_t trim_position() const noexcept { return kept_.size() < 2 ? 0 : kept_.front().position; }

private:
  struct pieces {
    std::vector<std::string> subjects;
    std::vector<std::uint64_t> checksums;
  };
  struct chunk {
    std::string bytes;
    std::uint64_t checksum = 0;
  };
  using chunk_map = std::map<std::string, chunk, std::less<>>;
  /// By number.
  using record_map = std::map<std::uint64_t, std::pair<control_record, pieces>>;
  struct manifest {
    std::uint64_t sequence = 0;
    std::uint64_t position = 0;
    std::uint64_t previous = 0;
    /// Number of the last control in its state.
    std::uint64_t controls = 0;
    pieces chunks;
  };
  result<manifest> read_manifest(std::uint64_t sequence);
  result<pieces> append_pieces(const std::string& prefix, const std::string& id, std::string_view bytes,
                               const append_policy& policy);
  /// Appends to a subject of its own, fenced by the log.
  result<std::uint64_t> append_alone(const std::string& subject, frame& f, const append_policy& policy);
  error other_definition() const;
  result<std::pair<control_record, pieces>> read_record(const frame& f, const std::string& subject) const;
  result<std::vector<control_record>> whole_controls(record_map records, const chunk_map& chunks,
                                                     std::uint64_t contained) const;
  void drop_orphans();
  void forget_controls();

  bus& bus_;
  std::string prefix_;
  std::string writer_;
  std::uint64_t definition_;
  lane owner_;
  frame_encoder encoder_;
  std::uint64_t counter_ = 0;
  /// Oldest first, at most two.
  std::deque<manifest> kept_;
  struct kept_control {
    std::uint64_t serial = 0;
    std::vector<std::string> subjects;
  };
  std::deque<kept_control> controls_;
};

} // namespace millrace::runtime
