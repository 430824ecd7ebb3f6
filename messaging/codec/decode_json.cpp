// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/decode_core.hpp"
#include "messaging/codec/decode_split.hpp"
#include "messaging/codec/json_kernel.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace millrace::codec {
namespace {

/// Bytes indexed at once: small enough for text and offsets to stay in the nearest caches.
constexpr std::size_t block_bytes = 32 * 1024;

/// Path of a field inside the event; empty for what is not in it. `structured`: CloudEvents in JSON, whose
/// attributes are members and whose fields are below `data`.
std::vector<std::string> path_in_event(const field_spec& f, bool structured) {
  if (f.source == field_source::attribute)
    return structured ? f.path : std::vector<std::string>{};
  if (f.source != field_source::body)
    return {};
  std::vector<std::string> path = f.path;
  if (structured)
    path.insert(path.begin(), "data");
  return path;
}

constexpr std::size_t not_in_event = static_cast<std::size_t>(-1);
constexpr std::uint32_t no_slot = static_cast<std::uint32_t>(-1);

/// One way to read an event: the walker and each field's place in it.
struct reading {
  std::vector<std::size_t> path_of_field;
  json_walker walker;
  std::vector<std::uint32_t> slot_of_field;

  static reading make(const std::vector<field_plan>& plan, std::size_t max_depth, bool structured) {
    std::vector<std::vector<std::string>> paths;
    std::vector<std::size_t> path_of_field;
    for (const field_plan& f : plan) {
      auto path = path_in_event(f.spec, structured);
      path_of_field.push_back(path.empty() ? not_in_event : paths.size());
      if (!path.empty())
        paths.push_back(std::move(path));
    }
    reading r{std::move(path_of_field), json_walker{paths, max_depth}, {}};
    for (const std::size_t path : r.path_of_field)
      r.slot_of_field.push_back(path == not_in_event ? no_slot : r.walker.slot_index(path));
    return r;
  }
};

class json_decoder final : public decode_core {
public:
  explicit json_decoder(const decode_options& o)
    : decode_core{o}, structured_{reading::make(plan(), o.max_depth, o.format == event_format::cloudevents)},
      plain_{reading::make(plan(), o.max_depth, false)} {}

  void decode(const source_message& m) override;
  void decode_lines(const source_message& m) override;

private:
  void choose_reading() noexcept { reading_ = has_attributes() ? &plain_ : &structured_; }
  void lines(std::string_view payload, std::size_t from, std::size_t to);
  /// One line, far too long: not worth an index.
  void too_long_line(std::string_view text, std::size_t at);
  void block_of_lines(const char* base, std::size_t size, std::size_t at);
  /// Decodes plain lines from the start of a block; where it stopped.
  std::size_t plain_lines(const char* base, std::size_t size, std::size_t at);
  void padded_block_of_lines(std::string_view text, std::size_t at);
  void elements(std::string_view payload, std::span<const byte_range> ranges);
  void one_alone(std::string_view text, std::size_t at);
  void bind(const char* base, std::size_t size, std::size_t at);
  /// Starts an event; false when it was rejected by its size or number.
  bool begin_event(event_place& e, std::string_view text, std::size_t at);
  /// The event's tokens start at `token`.
  void event(const event_place& e, const std::uint32_t* token);
  void row(const event_place& e, const std::uint32_t* token, std::uint32_t limit);
  /// Sets the values of a row; the field that has none, or null when all have one.
  const field_plan* values(bool may_escape, put& why);
  /// The same for a plain line; false: some field has none.
  bool plain_values();
  void reject_row(const event_place& e, const field_plan& f, put why, const std::uint32_t* token, std::uint32_t limit);
  void reject_no_object(const event_place& e, const std::uint32_t* token, std::uint32_t limit);

  reading structured_;
  reading plain_;
  reading* reading_ = nullptr;
  structural_index index_;
  body_layout layout_;
  std::string copy_;
  std::string alone_;
  /// The bound block, and its offset in the message.
  const char* base_ = nullptr;
  std::size_t base_at_ = 0;
  std::size_t escapes_from_ = 0;
  /// Consecutive blocks in which few lines were plain.
  std::size_t unusual_blocks_ = 0;
};

void json_decoder::decode(const source_message& m) {
  begin_message(m, false);
  choose_reading();
  split_body(m.payload, layout_);
  switch (layout_.shape) {
  case body_shape::none: break;
  case body_shape::one: elements(m.payload, {&layout_.all, 1}); break;
  case body_shape::array: elements(m.payload, layout_.elements); break;
  case body_shape::lines: lines(m.payload, layout_.all.begin, layout_.all.end); break;
  }
}

void json_decoder::decode_lines(const source_message& m) {
  begin_message(m, true);
  choose_reading();
  const bool marked = m.place == 0 && m.payload.starts_with("\xef\xbb\xbf");
  layout_.broken_from = not_in_event;
  lines(m.payload, marked ? 3 : 0, m.payload.size());
}

void json_decoder::lines(std::string_view payload, std::size_t from, std::size_t to) {
  // Blocks are read in place, except at the end of the payload, behind which nothing may be read.
  while (from < to) {
    std::size_t end = std::min(from + block_bytes, to);
    const auto* const last = static_cast<const char*>(memrchr(payload.data() + from, '\n', end - from));
    if (last != nullptr) {
      const auto behind = static_cast<std::size_t>(last - payload.data()) + 1;
      end = end == to && behind != to ? to : behind;
    } else if (end != to) {
      const std::size_t next = payload.find('\n', end);
      end = next == std::string_view::npos ? to : std::min(next + 1, to);
    }
    const std::string_view text = payload.substr(from, end - from);
    if (text.size() > block_bytes && text.size() > options().max_event_bytes + 2) {
      too_long_line(text, from);
    } else if (text.back() == '\n' && payload.size() - end >= json_slack) {
      block_of_lines(text.data(), text.size(), from);
    } else {
      padded_block_of_lines(text, from);
    }
    from = end;
  }
}

void json_decoder::padded_block_of_lines(std::string_view text, std::size_t at) {
  copy_.assign(text);
  if (text.back() != '\n')
    copy_ += '\n';
  const std::size_t size = copy_.size();
  copy_.append(json_slack, '\0');
  block_of_lines(copy_.data(), size, at);
}

void json_decoder::bind(const char* base, std::size_t size, std::size_t at) {
  const void* const escape = std::memchr(base, '\\', size);
  base_ = base;
  base_at_ = at;
  escapes_from_ = escape == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(escape) - base);
  reading_->walker.bind(base, escapes_from_);
}

std::size_t json_decoder::plain_lines(const char* base, std::size_t size, std::size_t at) {
  base_ = base;
  base_at_ = at;
  json_walker& walker = reading_->walker;
  walker.bind(base, size);
  std::size_t begin = 0;
  while (begin < size) {
    const std::uint32_t end = walker.plain_line(static_cast<std::uint32_t>(begin));
    if (end == 0 || end - begin > options().max_event_bytes)
      break;
    event_place e;
    if (!begin_event(e, {base + begin, end - begin}, at + begin))
      return end + 1;
    if (!plain_values()) {
      // What is wrong is said by the general way.
      undo();
      break;
    }
    commit(e);
    begin = end + 1;
  }
  return begin;
}

void json_decoder::block_of_lines(const char* base, std::size_t size, std::size_t at) {
  // One unusual line in a block is tolerable; lines that are never plain are not worth trying each time.
  if (unusual_blocks_ < 4 || (unusual_blocks_ & 63U) == 0) {
    const std::size_t plain = plain_lines(base, size, at);
    unusual_blocks_ = plain > size / 4 ? 0 : unusual_blocks_ + 1;
    base += plain;
    size -= plain;
    at += plain;
    if (size == 0)
      return;
  } else {
    ++unusual_blocks_;
  }
  const bool indexed = index_.build(base, size).empty();
  bind(base, size, at);
  const std::uint32_t* token = index_.tokens();
  for (std::size_t begin = 0; begin < size;) {
    const auto* const newline = static_cast<const char*>(std::memchr(base + begin, '\n', size - begin));
    const auto end = static_cast<std::size_t>(newline - base);
    std::size_t text_end = end;
    if (text_end > begin && base[text_end - 1] == '\r')
      --text_end;
    const std::string_view text{base + begin, text_end - begin};
    if (!indexed) {
      one_alone(text, at + begin);
    } else if (*token < end) {
      event_place e;
      if (begin_event(e, text, at + begin))
        event(e, token);
      const std::uint32_t* const last = index_.tokens() + index_.size();
      while (token != last && *token < end)
        ++token;
    }
    begin = end + 1;
  }
}

void json_decoder::too_long_line(std::string_view text, std::size_t at) {
  text.remove_suffix(text.back() == '\n' ? 1 : 0);
  const byte_range r = trim_range(text, {0, text.size()});
  event_place e;
  if (r.begin != r.end)
    begin_event(e, text, at);
}

void json_decoder::elements(std::string_view payload, std::span<const byte_range> ranges) {
  copy_.assign(payload);
  copy_ += '\n';
  const std::size_t size = copy_.size();
  copy_.append(json_slack, '\0');
  const bool indexed = index_.build(copy_.data(), size).empty();
  bind(copy_.data(), size, 0);
  const std::uint32_t* token = index_.tokens();
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const byte_range r = ranges[i];
    const std::string_view text = std::string_view{copy_}.substr(r.begin, r.end - r.begin);
    if (!indexed && i < layout_.broken_from && !text.empty()) {
      one_alone(text, r.begin);
      continue;
    }
    event_place e;
    if (!begin_event(e, text, r.begin))
      continue;
    if (i >= layout_.broken_from) {
      reject_malformed(e, layout_.broken_why, r.begin);
    } else if (text.empty()) {
      reject_malformed(e, "an element of the array is empty", r.begin);
    } else {
      while (*token < r.begin)
        ++token;
      event(e, token);
    }
  }
}

void json_decoder::one_alone(std::string_view text, std::size_t at) {
  const byte_range r = trim_range(text, {0, text.size()});
  event_place e;
  if (r.begin == r.end || !begin_event(e, text, at))
    return;
  alone_.assign(text);
  alone_ += '\n';
  alone_.append(json_slack, '\0');
  const std::string_view wrong = index_.build(alone_.data(), text.size() + 1);
  if (!wrong.empty()) {
    reject_malformed(e, wrong, at);
    return;
  }
  bind(alone_.data(), text.size() + 1, at);
  event(e, index_.tokens());
}

bool json_decoder::begin_event(event_place& e, std::string_view text, std::size_t at) {
  e.offset = at;
  e.text = text;
  e.position = next_position(at);
  if (text.size() > options().max_event_bytes) {
    reject_oversize(e);
    return false;
  }
  return within_index(e);
}

void json_decoder::event(const event_place& e, const std::uint32_t* token) {
  const auto limit = static_cast<std::uint32_t>(e.offset - base_at_ + e.text.size());
  json_walker& walker = reading_->walker;
  if (base_[*token] != '{') {
    reject_no_object(e, token, limit);
    return;
  }
  const std::uint32_t* const end = walker.object(token, limit);
  if (end == nullptr)
    reject_malformed(e, walker.error_text(), base_at_ + walker.error_offset());
  else if (*end < limit)
    reject_malformed(e, "text after the object", base_at_ + *end);
  else
    row(e, token, limit);
}

void json_decoder::row(const event_place& e, const std::uint32_t* token, std::uint32_t limit) {
  put why = put::done;
  const field_plan* const lacking = values(limit > escapes_from_, why);
  if (lacking == nullptr)
    commit(e);
  else
    reject_row(e, *lacking, why, token, limit);
}

bool json_decoder::plain_values() {
  const reading& r = *reading_;
  const std::uint32_t* slot_index = r.slot_of_field.data();
  for (const field_plan& f : plan()) {
    const std::uint32_t index = *slot_index++;
    put done = put::done;
    if (index != no_slot) [[likely]] {
      const json_slot* const slot = r.walker.slot_at(index);
      done = slot == nullptr ? put_null(f) : put_plain_token(f, base_ + slot->begin, base_ + slot->end);
    } else {
      done = f.spec.source == field_source::attribute ? put_attribute(f) : put_envelope(f);
    }
    if (done != put::done) [[unlikely]]
      return false;
  }
  return true;
}

const field_plan* json_decoder::values(bool may_escape, put& why) {
  const reading& r = *reading_;
  for (const field_plan& f : plan()) {
    const std::size_t path = r.path_of_field[f.index];
    put done = put::done;
    if (path != not_in_event) [[likely]] {
      const json_slot* const slot = r.walker.slot(path);
      if (slot == nullptr)
        done = put_null(f);
      else if (slot->bad_parent)
        done = put::wrong;
      else
        done = put_token(f, base_, slot->begin, slot->end, may_escape);
    } else {
      done = f.spec.source == field_source::attribute ? put_attribute(f) : put_envelope(f);
    }
    if (done != put::done) [[unlikely]] {
      why = done;
      return &f;
    }
  }
  return nullptr;
}

void json_decoder::reject_row(const event_place& e, const field_plan& f, put why, const std::uint32_t* token,
                              std::uint32_t limit) {
  json_walker& walker = reading_->walker;
  const std::size_t path = reading_->path_of_field[f.index];
  const json_slot* const slot = path == not_in_event ? nullptr : walker.slot(path);
  // Members that no field has converted yet may be no JSON at all: that comes first, so that the reason
  // does not depend on the order of fields.
  if (walker.value(token, limit) == nullptr) {
    reject_malformed(e, walker.error_text(), base_at_ + walker.error_offset());
    return;
  }
  if (slot == nullptr) {
    reject_field(e, f, why == put::null ? "" : "a text of another form", e.offset, true);
    return;
  }
  std::string found = describe_json(trimmed_token(base_, slot->begin, slot->end));
  if (slot->bad_parent)
    found += " instead of an object around it";
  reject_field(e, f, found, base_at_ + slot->begin, true);
}

void json_decoder::reject_no_object(const event_place& e, const std::uint32_t* token, std::uint32_t limit) {
  json_walker& walker = reading_->walker;
  const std::uint32_t* const end = walker.value(token, limit);
  if (end == nullptr) {
    reject_malformed(e, walker.error_text(), base_at_ + walker.error_offset());
  } else if (*end < limit) {
    reject_malformed(e, "text after the value", base_at_ + *end);
  } else {
    reject(e, "type",
           "expected an object, found " + describe_json(trimmed_token(base_, *token, limit)) + " " + where(e.offset) +
             "; an event is a JSON object",
           true);
  }
}

} // namespace

result<std::unique_ptr<event_decoder>> make_json_decoder(const decode_options& options) {
  return std::unique_ptr<event_decoder>{std::make_unique<json_decoder>(options)};
}

} // namespace millrace::codec
