// SPDX-License-Identifier: Apache-2.0
#include "actors/runtime/snapshot_log.hpp"

#include "actors/runtime/bytes.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace millrace::runtime {

namespace {

/// Rule 6.1.
constexpr std::size_t max_chunk = 512 * 1024;

constexpr std::string_view snapshot_part = ".snap.";
constexpr std::string_view control_part = ".control.";

std::uint64_t parse_sequence(std::string_view text) {
  std::uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

void put_pieces(byte_writer& out, const std::vector<std::string>& subjects,
                const std::vector<std::uint64_t>& checksums) {
  out.u64(subjects.size());
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    out.text(subjects[i]);
    out.u64(checksums[i]);
  }
}

void take_pieces(byte_reader& in, std::vector<std::string>& subjects, std::vector<std::uint64_t>& checksums) {
  for (auto n = in.u64(); n > 0 && in.ok(); --n) {
    subjects.emplace_back(in.text());
    checksums.push_back(in.u64());
  }
}

} // namespace

snapshot_log::snapshot_log(bus& b, std::string log, std::string prefix, std::string writer, std::uint64_t definition)
  : bus_{b}, prefix_{std::move(prefix)}, writer_{std::move(writer)}, definition_{definition} {
  owner_.log = std::move(log);
  owner_.subject = prefix_ + ".owner";
  owner_.scope = expectation::scope::log;
}

error snapshot_log::other_definition() const {
  return {ec::config, "the snapshot on " + owner_.log + " was written by another definition of this pipeline",
          "restore the old pipeline file, or run the changed one under a new `pipeline:` name"};
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
    return other_definition();
  manifest out;
  out.sequence = sequence;
  byte_reader in{f->blob};
  out.position = in.u64();
  out.previous = in.u64();
  take_pieces(in, out.chunks.subjects, out.chunks.checksums);
  if (in.ok() && !in.done())
    out.controls = in.u64(); // not said by states without controls
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
  for (std::size_t i = 0; i < m->chunks.subjects.size(); ++i) {
    auto tail = bus_.tail(owner_.log, m->chunks.subjects[i]);
    if (!tail)
      return std::move(tail).error();
    if (!*tail || frame_checksum((*tail)->payload) != m->chunks.checksums[i])
      return error{ec::corrupt, "snapshot chunk " + m->chunks.subjects[i] + " is missing or altered", ""};
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
  auto chunks = bus_.tails(owner_.log, prefix_ + std::string{snapshot_part} + ">");
  if (!chunks)
    return; // they cost room, nothing else
  for (const auto& c : *chunks) {
    const bool named = std::any_of(kept_.begin(), kept_.end(), [&](const manifest& m) {
      const auto& s = m.chunks.subjects;
      return std::find(s.begin(), s.end(), c.subject) != s.end();
    });
    if (!named)
      (void)bus_.drop(owner_.log, c.subject);
  }
}

/// Record of a control; its contents are still in the chunks.
result<std::pair<control_record, snapshot_log::pieces>> snapshot_log::read_record(const frame& f,
                                                                                  const std::string& subject) const {
  if (f.definition != definition_)
    return other_definition();
  auto what = std::make_shared<control>();
  std::pair<control_record, pieces> out;
  byte_reader in{f.blob};
  out.first.serial = in.u64();
  out.first.position = in.u64();
  what->name = in.text();
  what->hash = in.u64();
  take_pieces(in, out.second.subjects, out.second.checksums);
  if (!in.done())
    return error{ec::corrupt, "the control at " + subject + " is damaged", ""};
  out.first.what = std::move(what);
  return out;
}

result<std::vector<control_record>> snapshot_log::controls() {
  controls_.clear();
  auto found = bus_.tails(owner_.log, prefix_ + std::string{control_part} + ">");
  if (!found)
    return std::move(found).error();
  const auto contained = kept_.empty() ? 0 : kept_.back().controls;
  const auto needed = kept_.empty() ? 0 : kept_.front().controls;
  chunk_map chunks;
  record_map records;
  std::set<std::string, std::less<>> named;
  for (const auto& m : *found) {
    auto f = decode_frame(m.payload);
    if (!f)
      return std::move(f).error();
    if (f->kind != frame_kind::manifest) {
      chunks.emplace(m.subject, chunk{std::move(f->blob), frame_checksum(m.payload)});
      continue;
    }
    auto r = read_record(*f, m.subject);
    if (!r)
      return std::move(r).error();
    if (r->first.serial <= needed)
      continue;
    named.insert(m.subject);
    named.insert(r->second.subjects.begin(), r->second.subjects.end());
    auto& kept = controls_.emplace_back(kept_control{r->first.serial, r->second.subjects});
    kept.subjects.insert(kept.subjects.begin(), m.subject);
    if (r->first.serial > contained)
      records.emplace(r->first.serial, std::move(*r));
  }
  for (const auto& m : *found)
    if (!named.contains(m.subject))
      (void)bus_.drop(owner_.log, m.subject);
  std::sort(controls_.begin(), controls_.end(), [](const auto& a, const auto& b) { return a.serial < b.serial; });
  return whole_controls(std::move(records), chunks, contained);
}

/// Puts the contents together and checks that no record is missing.
result<std::vector<control_record>> snapshot_log::whole_controls(record_map records, const chunk_map& chunks,
                                                                 std::uint64_t contained) const {
  std::vector<control_record> out;
  for (auto& [serial, r] : records) {
    if (serial != contained + out.size() + 1)
      return error{ec::corrupt,
                   "control " + std::to_string(contained + out.size() + 1) + " is missing on " + owner_.log,
                   "restore the log, or start the pipeline under a new name"};
    auto whole = std::make_shared<control>(*r.first.what);
    for (std::size_t i = 0; i < r.second.subjects.size(); ++i) {
      const auto at = chunks.find(r.second.subjects[i]);
      if (at == chunks.end() || at->second.checksum != r.second.checksums[i])
        return error{ec::corrupt, "control chunk " + r.second.subjects[i] + " is missing or altered", ""};
      whole->contents += at->second.bytes;
    }
    r.first.what = std::move(whole);
    out.push_back(std::move(r.first));
  }
  return out;
}

result<std::uint64_t> snapshot_log::append_alone(const std::string& subject, frame& f, const append_policy& policy) {
  lane to;
  to.log = owner_.log;
  to.subject = subject;
  to.scope = expectation::scope::log;
  to.epoch = owner_.epoch;
  to.expected = owner_.expected;
  f.definition = definition_;
  auto request = next_frame(to, f, encoder_, writer_);
  if (auto r = append_all(bus_, {&request, 1}, policy); !r)
    return r.error();
  owner_.expected = to.expected;
  return to.checksum;
}

result<snapshot_log::pieces> snapshot_log::append_pieces(const std::string& prefix, const std::string& id,
                                                         std::string_view bytes, const append_policy& policy) {
  pieces out;
  std::size_t at = 0;
  do {
    frame f;
    f.kind = frame_kind::chunk;
    f.note = id;
    f.blob = bytes.substr(at, max_chunk);
    at += f.blob.size();
    auto subject = prefix + id + "." + std::to_string(out.subjects.size());
    auto checksum = append_alone(subject, f, policy);
    if (!checksum)
      return std::move(checksum).error();
    out.subjects.push_back(std::move(subject));
    out.checksums.push_back(*checksum);
  } while (at < bytes.size());
  return out;
}

result<void> snapshot_log::write(std::string_view state, std::uint64_t position, std::uint64_t controls,
                                 const append_policy& policy) {
  manifest m;
  m.position = position;
  m.previous = kept_.empty() ? 0 : kept_.back().sequence;
  m.controls = controls;
  const auto id = std::to_string(owner_.epoch) + "-" + std::to_string(++counter_);
  auto chunks = append_pieces(prefix_ + std::string{snapshot_part}, id, state, policy);
  if (!chunks)
    return chunks.error();
  m.chunks = std::move(*chunks);

  byte_writer blob;
  blob.u64(m.position);
  blob.u64(m.previous);
  put_pieces(blob, m.chunks.subjects, m.chunks.checksums);
  if (controls > 0)
    blob.u64(controls);
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
    for (const auto& s : kept_.front().chunks.subjects)
      (void)bus_.drop(owner_.log, s);
    kept_.pop_front();
    (void)bus_.trim(owner_.log, owner_.subject, kept_.front().sequence);
  }
  forget_controls();
  return {};
}

/// Those that the older kept snapshot contains: nothing goes back behind it.
void snapshot_log::forget_controls() {
  while (!controls_.empty() && controls_.front().serial <= kept_.front().controls) {
    // The record first: what is left of a control without one is an orphan.
    for (const auto& s : controls_.front().subjects)
      (void)bus_.drop(owner_.log, s);
    controls_.pop_front();
  }
}

result<void> snapshot_log::record(const control_record& c, const append_policy& policy) {
  const auto prefix = prefix_ + std::string{control_part};
  const auto id = std::to_string(owner_.epoch) + "-" + std::to_string(++counter_);
  auto chunks = append_pieces(prefix, id, c.what->contents, policy);
  if (!chunks)
    return chunks.error();
  byte_writer blob;
  blob.u64(c.serial);
  blob.u64(c.position);
  blob.text(c.what->name);
  blob.u64(c.what->hash);
  put_pieces(blob, chunks->subjects, chunks->checksums);
  frame f;
  f.kind = frame_kind::manifest;
  f.blob = blob.take();
  if (auto r = append_alone(prefix + id, f, policy); !r)
    return r.error();
  kept_control kept{c.serial, std::move(chunks->subjects)};
  kept.subjects.insert(kept.subjects.begin(), prefix + id);
  controls_.push_back(std::move(kept));
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
