// SPDX-License-Identifier: Apache-2.0
#include "tests/support/nats_server.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace millrace::test {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

} // namespace

int nats_server::free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t length = sizeof address;
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (fd >= 0)
    close(fd);
  if (!bound)
    throw std::runtime_error{"no free port on 127.0.0.1"};
  return ntohs(address.sin_port);
}

nats_server::nats_server(std::vector<std::string> arguments, int port) : arguments_{std::move(arguments)}, port_{port} {
  auto pattern = (std::filesystem::temp_directory_path() / "millrace-nats-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    throw std::runtime_error{"no temporary folder for nats-server"};
  directory_ = pattern;
  const bool any_port = port == 0;
  // Somebody else may take the free port before the server does.
  for (int attempt = 0;; ++attempt) {
    if (any_port)
      port_ = free_port();
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (!any_port || attempt == 2) {
        std::filesystem::remove_all(directory_);
        throw;
      }
    }
  }
}

nats_server::~nats_server() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string nats_server::url() const { return "nats://127.0.0.1:" + std::to_string(port_); }

std::string nats_server::log() const {
  std::ifstream file{directory_ + "/server.log"};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void nats_server::launch() {
  std::vector<std::string> line{"nats-server",         "-a",  "127.0.0.1", "-p",
                                std::to_string(port_), "-js", "-sd",       directory_ + "/data"};
  line.insert(line.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> argv;
  for (auto& word : line)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto log_file = directory_ + "/server.log";
  const auto parent = getpid();
  pid_ = fork();
  if (pid_ < 0)
    throw std::runtime_error{"cannot fork for nats-server"};
  if (pid_ > 0)
    return;
  // Only async-signal-safe calls from here on: the parent may have threads.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(127);
  const int fd = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  execvp("nats-server", argv.data());
  // Debian installs it where only root's PATH leads.
  execv("/usr/sbin/nats-server", argv.data());
  _exit(127);
}

bool nats_server::answers() const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto address = loopback(port_);
  char info[5] = {};
  const bool good = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    recv(fd, info, sizeof info, MSG_WAITALL) == sizeof info && std::string(info, 4) == "INFO";
  close(fd);
  return good;
}

void nats_server::start() {
  if (running())
    return;
  launch();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error{"nats-server ended at once (is it installed?): " + log()};
    }
    if (answers())
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  kill();
  throw std::runtime_error{"nats-server does not answer: " + log()};
}

void nats_server::signal_and_wait(int signal) {
  if (!running())
    return;
  ::kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
}

void nats_server::kill() { signal_and_wait(SIGKILL); }

void nats_server::stop() {
  resume(); // A stopped process would not see SIGTERM.
  signal_and_wait(SIGTERM);
}

void nats_server::pause() {
  if (!running())
    return;
  ::kill(pid_, SIGSTOP);
  // Threads of the server stop a moment after the signal was sent.
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);
}

void nats_server::resume() {
  if (running())
    ::kill(pid_, SIGCONT);
}

} // namespace millrace::test
