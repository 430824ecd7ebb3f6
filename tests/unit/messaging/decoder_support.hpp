// SPDX-License-Identifier: Apache-2.0
/// @file
/// Short ways to declare fields, decode a text and look at the rows.
#pragma once

#include "messaging/codec/decoder.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

/// `name: type` with a trailing ? for nullable.
inline codec::field_spec body_field(std::string name, data_type type, bool nullable = false) {
  codec::field_spec f;
  f.path = {name};
  f.field = {std::move(name), type, nullable};
  return f;
}

inline codec::field_spec envelope_field(std::string name, data_type type, codec::field_source source) {
  codec::field_spec f;
  f.field = {std::move(name), type, false};
  f.source = source;
  return f;
}

inline codec::decode_options json_options(std::vector<codec::field_spec> fields) {
  codec::decode_options o;
  o.fields = std::move(fields);
  return o;
}

inline std::unique_ptr<codec::event_decoder> decoder_of(const codec::decode_options& o) {
  auto made = codec::make_decoder(o);
  INFO((made ? std::string{} : to_string(made.error())));
  REQUIRE(made.has_value());
  return std::move(*made);
}

struct decoded {
  event_batch batch;
  std::vector<codec::decode_reject> rejects;

  /// Rows as JSON, for comparing.
  std::vector<std::string> rows() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < batch.rows; ++i) {
      out.emplace_back();
      codec::append_event(out.back(), batch, i);
    }
    return out;
  }
  /// `reason@index`.
  std::vector<std::string> reasons() const {
    std::vector<std::string> out;
    for (const auto& r : rejects)
      out.push_back(r.reason + "@" + std::to_string(position_index(r.position)));
    return out;
  }
};

inline decoded finish(codec::event_decoder& d) {
  decoded out;
  out.batch = d.finish();
  out.rejects = d.take_rejects();
  return out;
}

/// One message. The payload is copied to a heap block of exactly its size, so that a sanitizer sees any overrun.
inline decoded decode(const codec::decode_options& o, std::string_view payload) {
  auto d = decoder_of(o);
  const std::vector<char> exact(payload.begin(), payload.end());
  codec::source_message m;
  m.payload = {exact.data(), exact.size()};
  m.place = 7;
  m.arrival = 1000;
  d->decode(m);
  return finish(*d);
}

using texts = std::vector<std::string>;

} // namespace millrace::test
