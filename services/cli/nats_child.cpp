// SPDX-License-Identifier: Apache-2.0
#include "services/cli/nats_child.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace millrace::cli {

namespace {

constexpr int start_polls = 200;
constexpr std::chrono::milliseconds poll{50};

sockaddr_in loopback(unsigned port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/// Binds a port of 127.0.0.1 for a moment: the port, or 0 when it is taken.
unsigned probe(unsigned port) {
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0)
    return 0;
  const int on = 1;
  ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto a = loopback(port);
  socklen_t n = sizeof a;
  unsigned bound = 0;
  if (::bind(s, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 &&
      ::getsockname(s, reinterpret_cast<sockaddr*>(&a), &n) == 0)
    bound = ntohs(a.sin_port);
  ::close(s);
  return bound;
}

bool answers(unsigned port) {
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto a = loopback(port);
  const bool ok = s >= 0 && ::connect(s, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
  if (s >= 0)
    ::close(s);
  return ok;
}

std::string find_server() {
  // Debian puts it into sbin, which is not on everybody's path.
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  path += ":/usr/sbin:/usr/local/sbin";
  for (std::size_t at = 0; at <= path.size();) {
    auto end = path.find(':', at);
    end = end == std::string::npos ? path.size() : end;
    auto candidate = path.substr(at, end - at) + "/nats-server";
    if (::access(candidate.c_str(), X_OK) == 0)
      return candidate;
    at = end + 1;
  }
  return {};
}

void write_config(const std::filesystem::path& file, const std::filesystem::path& store, unsigned port) {
  std::ofstream out{file};
  out << "listen: \"127.0.0.1:" << port << "\"\n"
      << "max_payload: 1MB\n"
      << "jetstream { store_dir: \"" << store.string() << "\" }\n";
}

} // namespace

result<std::unique_ptr<nats_child>> nats_child::start(const std::string& data, unsigned port) {
  const auto server = find_server();
  if (server.empty())
    return error{ec::io, "nats-server is not installed", "apt-get install nats-server"};
  std::error_code failed;
  const auto folder = std::filesystem::absolute(data) / "nats";
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return error{ec::io, "cannot create " + folder.string() + ": " + failed.message(), ""};
  std::unique_ptr<nats_child> child{new nats_child};
  child->lock_ = ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (child->lock_ < 0 || ::flock(child->lock_, LOCK_EX | LOCK_NB) != 0)
    return error{ec::io, "another `millrace dev` uses " + std::filesystem::absolute(data).string(),
                 "stop it, or give another --data"};
  const auto chosen = probe(port);
  if (chosen == 0)
    return error{ec::io, "port " + std::to_string(port) + " on 127.0.0.1 is taken",
                 "give --nats-port 0 for a free one"};
  const auto config = folder / "nats.conf";
  write_config(config, folder, chosen);
  child->log_ = (folder / "nats.log").string();
  child->url_ = "nats://127.0.0.1:" + std::to_string(chosen);
  const auto parent = ::getpid();
  child->pid_ = ::fork();
  if (child->pid_ < 0)
    return error{ec::io, std::string{"cannot start nats-server: "} + std::strerror(errno), ""};
  if (child->pid_ == 0) {
    // Ctrl-C goes to the whole terminal group: the server must outlive the services, so it gets a group of its own,
    // and dies with us if we are killed.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
      ::_exit(1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int log = ::open(child->log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execl(server.c_str(), "nats-server", "-c", config.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  for (int i = 0; i < start_polls; ++i) {
    if (auto why = child->gone(); !why.empty())
      return error{ec::io, why, ""};
    if (answers(chosen))
      return child;
    std::this_thread::sleep_for(poll);
  }
  return error{ec::io, "nats-server does not answer on port " + std::to_string(chosen), "see " + child->log_};
}

nats_child::~nats_child() {
  stop();
  if (lock_ >= 0)
    ::close(lock_);
}

std::string nats_child::gone() {
  if (pid_ < 0)
    return "nats-server has stopped";
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_)
    return {};
  pid_ = -1;
  return "nats-server ended by itself; see " + log_;
}

void nats_child::stop() {
  if (pid_ < 0)
    return;
  ::kill(pid_, SIGTERM);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
}

} // namespace millrace::cli
