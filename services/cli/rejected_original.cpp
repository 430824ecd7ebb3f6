// SPDX-License-Identifier: Apache-2.0
#include "services/cli/rejected_original.hpp"

#include "messaging/codec/decode_split.hpp"
#include "services/ingest/intake.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace millrace::cli {

namespace {

using nlohmann::ordered_json;

struct place_in_source {
  std::uint32_t shard = 0;
  std::uint64_t place = 0;
  std::uint64_t index = 0;
};

/// `<shard>:<place>:<index>`
std::optional<place_in_source> parse_origin(std::string_view text) {
  place_in_source out;
  const char* const end = text.data() + text.size();
  const auto shard = std::from_chars(text.data(), end, out.shard);
  if (shard.ec != std::errc{} || shard.ptr == end || *shard.ptr != ':')
    return std::nullopt;
  const auto place = std::from_chars(shard.ptr + 1, end, out.place);
  if (place.ec != std::errc{} || place.ptr == end || *place.ptr != ':')
    return std::nullopt;
  const auto index = std::from_chars(place.ptr + 1, end, out.index);
  if (index.ec != std::errc{} || index.ptr != end)
    return std::nullopt;
  return out;
}

/// Event `index` of a message, counted as the decoder counts.
std::string_view event_at(std::string_view payload, std::uint64_t index) {
  codec::body_layout layout;
  codec::split_body(payload, layout);
  const auto cut = [&](codec::byte_range r) { return payload.substr(r.begin, r.end - r.begin); };
  switch (layout.shape) {
  case codec::body_shape::none: return {};
  case codec::body_shape::one: return index == 0 ? cut(layout.all) : std::string_view{};
  case codec::body_shape::array:
    return index < layout.elements.size() ? cut(layout.elements[index]) : std::string_view{};
  case codec::body_shape::lines: break;
  }
  for (auto from = layout.all.begin; from < layout.all.end;) {
    const auto end = std::min(payload.find('\n', from), layout.all.end);
    const auto line = codec::trim_range(payload, {from, end});
    if (line.begin != line.end && index-- == 0)
      return cut(line);
    from = end + 1;
  }
  return {};
}

/// A stream that was deleted and made anew has other messages at the same places: what both hold must agree.
bool is_same_event(const pipeline::definition& d, std::string_view original, const rejected_entry& e) {
  const auto was = ordered_json::parse(original, nullptr, false);
  const auto is = ordered_json::parse(e.body, nullptr, false);
  if (!was.is_object() || !is.is_object())
    return false;
  const auto changed = e.stage == "ingest" || e.stage == "enrich" ? std::set<std::string>{} : written_fields(d);
  for (const auto& f : d.decode.fields) {
    const auto kept = is.find(f.field.name);
    // Times and durations are written in more than one way.
    if (f.source != codec::field_source::body || kept == is.end() || changed.count(f.field.name) != 0 ||
        f.field.type == data_type::timestamp || f.field.type == data_type::duration || f.field.type == data_type::bytes)
      continue;
    const auto* at = &was;
    for (const auto& name : f.path) {
      const auto next = at->is_object() ? at->find(name) : at->end();
      if (!at->is_object() || next == at->end()) {
        at = nullptr;
        break;
      }
      at = &*next;
    }
    if (at == nullptr ? !kept->is_null() : *at != *kept)
      return false;
  }
  return true;
}

} // namespace

const message* original_finder::fetch(std::uint32_t shard, std::uint64_t place) {
  if (last_ && last_shard_ == shard && last_->sequence == place)
    return &*last_;
  if (shard >= d_.sources.size() || d_.sources[shard].what == pipeline::source::kind::file)
    return nullptr;
  auto known = logs_.find(shard);
  if (known == logs_.end()) {
    const auto& s = d_.sources[shard];
    const bool nats = s.what == pipeline::source::kind::nats;
    auto log = nats && !s.nats.stream.empty()
                 ? result<std::string>{s.nats.stream}
                 : bus_.log_of(nats ? s.nats.subject : services::intake_subject(d_.name, shard));
    known = logs_.emplace(shard, log ? *log : "").first;
  }
  if (known->second.empty())
    return nullptr;
  auto m = bus_.get(known->second, place);
  if (!m)
    return nullptr;
  last_shard_ = shard;
  last_ = std::move(*m);
  return &*last_;
}

std::optional<std::string> original_finder::find(const rejected_entry& e) {
  if (d_.decode.format != codec::event_format::json)
    return std::nullopt;
  const auto origin = parse_origin(e.origin);
  const auto* m = origin ? fetch(origin->shard, origin->place) : nullptr;
  if (m == nullptr || m->stamp > e.stored)
    return std::nullopt;
  const auto text = event_at(m->payload, origin->index);
  if (text.empty() || !is_same_event(d_, text, e))
    return std::nullopt;
  return std::string{text};
}

} // namespace millrace::cli
