// SPDX-License-Identifier: Apache-2.0
/// @file
/// The nats-server that `millrace dev` starts for itself: JetStream on 127.0.0.1, data kept in a folder.
#pragma once

#include "messaging/errors.hpp"

#include <memory>
#include <string>
#include <sys/types.h>

namespace millrace::cli {

class nats_child {
public:
  /// @param data Everything goes to `<data>/nats`. @param port 0 picks a free one.
  /// Errors: ec::io when the server is not installed, does not start, or the port is taken.
  static result<std::unique_ptr<nats_child>> start(const std::string& data, unsigned port);
  ~nats_child();

  const std::string& url() const noexcept { return url_; }
  /// Why the server is gone, empty while it runs.
  std::string gone();
  /// SIGTERM, then waits.
  void stop();

private:
  nats_child() = default;
  pid_t pid_ = -1;
  std::string url_;
  std::string log_;
  /// Locked while the folder is ours.
  int lock_ = -1;
};

} // namespace millrace::cli
