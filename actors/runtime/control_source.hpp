// SPDX-License-Identifier: Apache-2.0
/// @file
/// Port through which the parameters of a stage change while it runs (rule 7.1): lookup tables that a source watches.
/// The runtime records each version in the state log of every partition, then tells the processor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace millrace::runtime {

/// One version of the contents behind a name.
struct control {
  /// What it is for: the table's name. Never empty; the same for all versions of a source.
  std::string name;
  /// Whole contents, as `processor::control` takes them.
  std::string contents;
  /// Of the contents. Equal hashes mean equal contents: such a version is not recorded again.
  std::uint64_t hash = 0;
};

/// Watches one thing. Shared by all partitions of a process, which starts it once and stops it once.
class control_source {
public:
  control_source() = default;
  control_source(const control_source&) = delete;
  control_source& operator=(const control_source&) = delete;
  virtual ~control_source() = default;

  /// Name of the controls it delivers, known before the first comes.
  virtual const std::string& name() const noexcept = 0;

  /// Starts watching and returns soon; called once. `deliver` is called from the source's own thread, one call at a
  /// time, for the first version and for each one after it; it is cheap, may be called with an unchanged version, and
  /// takes only contents that the source has checked: what cannot be read or parsed is logged by the source, which
  /// keeps the last good version and tries again.
  /// *Back pressure*: none; of several versions that wait for a partition the newest wins.
  virtual void start(std::function<void(control)> deliver) = 0;

  /// *Shutdown*: after it has returned `deliver` is not called again. Idempotent; called also when never started.
  virtual void stop() = 0;
};

} // namespace millrace::runtime
