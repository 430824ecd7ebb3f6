// SPDX-License-Identifier: Apache-2.0
/// @file
/// A real nats-server for tests: on 127.0.0.1, a free port and a temporary folder of its own, with JetStream.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace millrace::test {

/// Throws std::runtime_error when the server cannot be started (not installed, or it does not answer).
/// *Shutdown*: the destructor kills the server by its own process id and removes the folder. Should the test process
/// die, the kernel kills the server.
class nats_server {
public:
  /// `arguments` are added to the command line, e.g. {"--max_payload", "..."}; `port` 0 picks a free one.
  explicit nats_server(std::vector<std::string> arguments = {}, int port = 0);
  ~nats_server();
  nats_server(const nats_server&) = delete;
  nats_server& operator=(const nats_server&) = delete;

  int port() const noexcept { return port_; }
  /// `nats://127.0.0.1:<port>`
  std::string url() const;
  const std::string& directory() const noexcept { return directory_; }
  bool running() const noexcept { return pid_ > 0; }
  pid_t pid() const noexcept { return pid_; }

  /// Starts again on the same port and folder; waits until the server answers.
  void start();
  /// SIGKILL, and waits until the process is gone.
  void kill();
  /// SIGTERM, and waits until the process is gone.
  void stop();
  void restart() {
    stop();
    start();
  }
  /// SIGSTOP: alive, but answering nothing.
  void pause();
  /// SIGCONT.
  void resume();

  /// What the server has printed so far.
  std::string log() const;

  /// A port of 127.0.0.1 that nobody listens on now.
  static int free_port();

private:
  void launch();
  bool answers() const;
  void signal_and_wait(int signal);

  std::vector<std::string> arguments_;
  int port_ = 0;
  pid_t pid_ = -1;
  std::string directory_;
};

} // namespace millrace::test
