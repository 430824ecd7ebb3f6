// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/snapshot_log.hpp"

#include "actors/runtime/bytes.hpp"

#include <algorithm>
#include <charconv>

namespace millrace::runtime {

namespace {

/// Rule 6.1.
constexpr std::size_t max_chunk = 512 * 1024;

std::uint64_t parse_sequence(std::string_view text) {
  std::uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

} // namespace

snapshot_log::snapshot_log(bus& b, std::string log, std::string prefix, std::string writer, std::uint64_t definition)
  : bus_{b}, prefix_{std::move(prefix)}, writer_{std::move(writer)}, definition_{definition} {
  owner_.log = std::move(log);
  owner_.subject = prefix_ + ".owner";
  owner_.scope = expectation::scope::log;
}

result<snapshot_log::manifest> snapshot_log::read_manifest(std::uint64_t sequence) {
  auto m = bus_.get(owner_.log, sequence);
  if (!m)
    return std::move(m).error();
  auto f = decode_frame(m->payload);
  if (!f)
    return std::move(f).error();
  if (f->kind != frame_kind::manifest)
    return error{ec::corrupt, owner_.log + " sequence " + std::to_string(sequence) + " is not a manifest", ""};
  if (f->definition != definition_)
    return error{ec::config, "the snapshot on " + owner_.log + " was written by another definition of this pipeline",
                 "restore the old pipeline file, or run the changed one under a new `pipeline:` name"};
  manifest out;
  out.sequence = sequence;
  byte_reader in{f->blob};
  out.position = in.u64();
  out.previous = in.u64();
  for (auto n = in.u64(); n > 0 && in.ok(); --n) {
    out.subjects.emplace_back(in.text());
    out.checksums.push_back(in.u64());
  }
  if (!in.done())
    return error{ec::corrupt, "the manifest at " + owner_.log + " sequence " + std::to_string(sequence) + " is damaged",
                 ""};
  return out;
}

result<std::optional<std::string>> snapshot_log::newest() {
  kept_.clear();
  const auto sequence = parse_sequence(owner_.note);
  if (sequence == 0)
    return std::optional<std::string>{};
  auto m = read_manifest(sequence);
  if (!m)
    return std::move(m).error();
  std::string state;
  for (std::size_t i = 0; i < m->subjects.size(); ++i) {
    auto tail = bus_.tail(owner_.log, m->subjects[i]);
    if (!tail)
      return std::move(tail).error();
    if (!*tail || frame_checksum((*tail)->payload) != m->checksums[i])
      return error{ec::corrupt, "snapshot chunk " + m->subjects[i] + " is missing or altered", ""};
    auto f = decode_frame((*tail)->payload);
    if (!f)
      return std::move(f).error();
    state += f->blob;
  }
  if (m->previous != 0)
    if (auto p = read_manifest(m->previous)) // gone is fine: only needed to forget its chunks
      kept_.push_back(std::move(*p));
  kept_.push_back(std::move(*m));
  drop_orphans();
  return std::optional{std::move(state)};
}

/// Chunks that no kept manifest names: of a snapshot that was interrupted, or not yet forgotten when its owner ended.
void snapshot_log::drop_orphans() {
  auto chunks = bus_.tails(owner_.log, prefix_ + ".snap.>");
  if (!chunks)
    return; // they cost room, nothing else
  for (const auto& c : *chunks) {
    const bool named = std::any_of(kept_.begin(), kept_.end(), [&](const manifest& m) {
      return std::find(m.subjects.begin(), m.subjects.end(), c.subject) != m.subjects.end();
    });
    if (!named)
      (void)bus_.drop(owner_.log, c.subject);
  }
}

result<void> snapshot_log::write(std::string_view state, std::uint64_t position, const append_policy& policy) {
  manifest m;
  m.position = position;
  m.previous = kept_.empty() ? 0 : kept_.back().sequence;
  const auto id = std::to_string(owner_.epoch) + "-" + std::to_string(++counter_);
  std::size_t at = 0;
  do {
    lane chunk;
    chunk.log = owner_.log;
    chunk.subject = prefix_ + ".snap." + id + "." + std::to_string(m.subjects.size());
    chunk.scope = expectation::scope::log;
    chunk.epoch = owner_.epoch;
    chunk.expected = owner_.expected;
    frame f;
    f.kind = frame_kind::chunk;
    f.note = id;
    f.definition = definition_;
    f.blob = state.substr(at, max_chunk);
    at += f.blob.size();
    auto request = next_frame(chunk, f, encoder_, writer_);
    if (auto r = append_all(bus_, {&request, 1}, policy); !r)
      return r;
    owner_.expected = chunk.expected;
    m.subjects.push_back(chunk.subject);
    m.checksums.push_back(chunk.checksum);
  } while (at < state.size());

  byte_writer blob;
  blob.u64(m.position);
  blob.u64(m.previous);
  blob.u64(m.subjects.size());
  for (std::size_t i = 0; i < m.subjects.size(); ++i) {
    blob.text(m.subjects[i]);
    blob.u64(m.checksums[i]);
  }
  frame f;
  f.kind = frame_kind::manifest;
  f.definition = definition_;
  f.blob = blob.take();
  auto request = next_frame(owner_, f, encoder_, writer_);
  if (auto r = append_all(bus_, {&request, 1}, policy); !r)
    return r;
  m.sequence = owner_.last;
  owner_.note = std::to_string(m.sequence);
  kept_.push_back(std::move(m));
  while (kept_.size() > 2) {
    // Failing to forget costs room, nothing else; the next start does not see these chunks.
    for (const auto& s : kept_.front().subjects)
      (void)bus_.drop(owner_.log, s);
    kept_.pop_front();
    (void)bus_.trim(owner_.log, owner_.subject, kept_.front().sequence);
  }
  return {};
}

result<void> snapshot_log::release(const append_policy& policy) {
  frame f;
  f.kind = frame_kind::release;
  f.definition = definition_;
  f.note = owner_.note;
  auto request = next_frame(owner_, f, encoder_, writer_);
  return append_all(bus_, {&request, 1}, policy);
}

} // namespace millrace::runtime
