// SPDX-License-Identifier: Apache-2.0
#include "bench/bare_parse.hpp"

#include <simdjson.h>

namespace millrace::bench {
namespace {

/// The fastest of 64 KiB to 1 MiB on the machine of README.md.
constexpr std::size_t batch_bytes = 256 * 1024;

std::size_t read(simdjson::simdjson_result<simdjson::ondemand::document_reference> document) {
  simdjson::ondemand::object object = document.get_object();
  std::size_t sum = 0;
  for (const char* name : {"user_id", "page_id", "ad_id", "ad_type", "event_type"})
    sum += std::string_view{object.find_field(name)}.size();
  sum += std::uint64_t{object.find_field("event_time").get_uint64()};
  sum += std::string_view{object.find_field("ip_address")}.size();
  return sum;
}

} // namespace

parsed bare_parse(std::string_view text) {
  static simdjson::ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
  // One core: no helper thread for the first stage.
  parser.threaded = false;
#endif
  parsed p;
  simdjson::ondemand::document_stream stream = parser.iterate_many(text.data(), text.size(), batch_bytes);
  for (auto document : stream) {
    p.sum += read(document);
    ++p.events;
  }
  return p;
}

bool can_bare_parse() {
#if defined(__x86_64__) && defined(__AVX2__)
  return __builtin_cpu_supports("avx2") != 0;
#else
  return true;
#endif
}

std::string_view bare_kernel() {
#define MILLRACE_TEXT_OF(x) #x
#define MILLRACE_TEXT(x) MILLRACE_TEXT_OF(x)
  return MILLRACE_TEXT(SIMDJSON_BUILTIN_IMPLEMENTATION);
}

} // namespace millrace::bench
