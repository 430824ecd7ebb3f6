// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reads a stream through an ephemeral pull consumer of its own, which it makes anew whenever anything is doubtful.
#pragma once

#include "messaging/nats/jetstream.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::nats {

struct reader_options {
  std::string log;
  std::uint64_t from = 1;
  std::string filter;
  /// False for KV buckets, whose old entries vanish as a matter of course: no gaps there.
  bool detect_gaps = true;
};

/// *Back pressure*: at most two pulls (of 512 messages or 4 MiB each) are under way or wait inside.
class reader final : public log_reader {
public:
  static result<std::unique_ptr<reader>> open(jetstream js, std::shared_ptr<connection> data, reader_options options);
  ~reader() override;
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  result<std::vector<message>> next(std::size_t max_messages, std::size_t max_bytes,
                                    std::chrono::milliseconds wait) override;
  bool at_end() const override { return at_end_; }

private:
  using clock = std::chrono::steady_clock;

  reader(jetstream js, std::shared_ptr<connection> data, reader_options options);
  /// Makes the consumer anew when it is doubtful; ec::unavailable while that does not work.
  result<void> ensure_consumer();
  result<void> create_consumer();
  result<void> check_start();
  void delete_consumer();
  /// Keeps a pull open while less than half of one is left.
  void pull();
  void handle(natsMsg* m, std::vector<message>& out, std::size_t& bytes);
  void handle_status(natsMsg* m);
  void end_of_pull(natsMsg* m);

  jetstream js_;
  std::shared_ptr<connection> data_;
  const reader_options options_;
  std::string inbox_;
  sync_subscription inbox_subscription_;

  /// The next sequence to hand out.
  std::uint64_t next_;
  std::string consumer_;
  bool doubtful_ = true;
  /// Distinguishes answers to the pulls of this consumer from those of its predecessors.
  std::uint64_t generation_ = 0;
  std::uint64_t losses_ = 0;
  std::uint64_t consumer_sequence_ = 0;
  /// What the open pulls may still bring.
  std::int64_t open_messages_ = 0;
  std::int64_t open_bytes_ = 0;
  clock::time_point heard_{};
  clock::time_point created_{};
  bool at_end_ = false;
  std::optional<error> halted_;
};

} // namespace millrace::nats
