// SPDX-License-Identifier: Apache-2.0
/// @file
/// JSON without a tree: simdjson's vectorised first stage (the one On-Demand stands on: UTF-8 check and the
/// offsets of all tokens; the best instruction set is chosen at run time by the library) over whole blocks of
/// events, and a walk over those offsets that checks the whole grammar and notes where the declared members are.
///
/// On-Demand's own front end is not used: it leaves members that nobody reads unchecked, takes the instruction
/// set of the compiler's flags, and copies every string. Lines that look like the one before need no index at all
/// (`plain_line`).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::codec {

/// Bytes that must be readable behind every block of JSON (their values do not matter).
inline constexpr std::size_t json_slack = 64;

/// Offsets of the tokens of a block. Not thread-safe; reuses its memory.
class structural_index {
public:
  structural_index();
  ~structural_index();
  structural_index(structural_index&&) noexcept;
  structural_index& operator=(structural_index&&) noexcept;

  /// `base[size - 1]` must be a line end. Empty view: indexed; else what is wrong with the block's bytes. A raw line
  /// end never stands inside a string of an indexed block, so it is right exactly when each of its lines is.
  std::string_view build(const char* base, std::size_t size);
  /// Offsets of token starts, then some that point at the block's last byte: a walk always meets an error there.
  const std::uint32_t* tokens() const noexcept { return tokens_; }
  std::size_t size() const noexcept { return size_; }

private:
  struct impl;
  std::unique_ptr<impl> impl_;
  const std::uint32_t* tokens_ = nullptr;
  std::size_t size_ = 0;
};

/// Where the value of a declared member stands: [begin, end) with trailing white space.
struct json_slot {
  std::uint32_t generation = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  /// The value is that of a parent which is not an object.
  bool bad_parent = false;
};

/// Finds declared members. Of equal names in one object the last counts. Not thread-safe.
class json_walker {
public:
  /// Slot i is that of the value at `paths[i]` (equal paths may repeat). Depth of the event itself is 1.
  json_walker(std::span<const std::vector<std::string>> paths, std::size_t max_depth);

  /// The block that following calls speak of. `escapes_from`: offset of its first backslash.
  void bind(const char* base, std::size_t escapes_from) noexcept {
    base_ = base;
    escapes_from_ = escapes_from;
  }
  /// Walks over the object that starts at `*token` and must end before `limit`. The token behind it, or null:
  /// not JSON, see `error_text`, `error_offset`.
  const std::uint32_t* object(const std::uint32_t* token, std::uint32_t limit);
  /// The same for any value, noting nothing.
  const std::uint32_t* value(const std::uint32_t* token, std::uint32_t limit);

  /// The same for a line of the plainest kind: flat, members in the order of the line before, no white space, no
  /// escapes, ASCII. Needs no index. The offset of its line end, or 0: not of that kind (which says nothing
  /// about it). Of values other than strings only the extent is checked.
  std::uint32_t plain_line(std::uint32_t begin) { return (this->*plain_line_)(begin); }

  /// Null when the member was absent in the last object (or its parent was absent or null).
  const json_slot* slot(std::size_t path) const noexcept {
    const json_slot& s = slots_[slot_of_[path]];
    return s.generation == generation_ ? &s : nullptr;
  }
  /// The same by the index of the slot, which paths that are equal share.
  const json_slot* slot_at(std::uint32_t index) const noexcept {
    const json_slot& s = slots_[index];
    return s.generation == generation_ ? &s : nullptr;
  }
  std::uint32_t slot_index(std::size_t path) const noexcept { return slot_of_[path]; }
  /// True when [begin, end) (trailing white space allowed) is a string, number, true, false or null.
  bool is_scalar(std::uint32_t begin, std::uint32_t end) const noexcept;

  const std::string& error_text() const noexcept { return error_text_; }
  std::uint32_t error_offset() const noexcept { return error_offset_; }

private:
  static constexpr std::uint32_t none = 0xffffffffU;
  struct entry {
    /// With slack behind it.
    std::string key;
    std::uint32_t length = 0;
    /// The name in both quotes when it fits 16 bytes, and the mask of those bytes; else the mask is 0.
    std::array<std::uint64_t, 2> quoted{};
    std::array<std::uint64_t, 2> mask{};
    std::uint32_t slot = none;
    std::uint32_t child = none;
    /// The entry that followed this one last time: members mostly keep their order.
    std::uint32_t next = 0;
  };
  struct node {
    std::vector<entry> entries;
    std::uint32_t first = 0;
    std::size_t learned = 0;
  };

  template <class Scan>
  std::uint32_t plain_line_by(std::uint32_t begin);
  std::uint32_t plain_line_portably(std::uint32_t begin);
  std::uint32_t plain_line_avx2(std::uint32_t begin);
  /// The best of the two on this machine.
  static std::uint32_t (json_walker::*choose_plain_line() noexcept)(std::uint32_t);

  bool is_name(const entry& e, std::uint32_t key, std::uint32_t colon) const noexcept;
  std::uint32_t add_entry(node& n, std::string_view key);
  const std::uint32_t* members(std::uint32_t node_index, const std::uint32_t* p, std::size_t depth);
  const std::uint32_t* declared_value(const entry& e, const std::uint32_t* p, std::size_t depth);
  const std::uint32_t* skip(const std::uint32_t* p, std::size_t depth);
  const std::uint32_t* skip_object(const std::uint32_t* p, std::size_t depth);
  const std::uint32_t* skip_array(const std::uint32_t* p, std::size_t depth);
  /// Index of the entry of the member name at `key`, found the slow way; `none`: a bad name.
  std::uint32_t find(node& n, std::uint32_t previous, std::uint32_t key, std::uint32_t colon);
  /// A second object of the same name replaces the first. False: the first was not JSON.
  bool forget(std::uint32_t node_index);
  void next_generation() noexcept {
    if (++generation_ == 0) [[unlikely]]
      restart_generations();
  }
  void restart_generations() noexcept;
  void blame_parent(std::uint32_t node_index, std::uint32_t begin, std::uint32_t end);
  const std::uint32_t* fail(std::uint32_t offset, std::string_view text);
  const std::uint32_t* too_deep(std::uint32_t offset);

  std::vector<node> nodes_;
  std::vector<json_slot> slots_;
  std::vector<std::uint32_t> slot_of_;
  std::size_t max_depth_;
  std::uint32_t generation_ = 0;
  std::uint32_t (json_walker::*plain_line_)(std::uint32_t) = choose_plain_line();
  const char* base_ = nullptr;
  std::size_t escapes_from_ = 0;
  std::uint32_t limit_ = 0;
  std::string error_text_;
  std::uint32_t error_offset_ = 0;
};

/// Cuts trailing JSON white space of [begin, end) of `base`.
inline std::string_view trimmed_token(const char* base, std::uint32_t begin, std::uint32_t end) noexcept {
  while (end > begin &&
         (base[end - 1] == ' ' || base[end - 1] == '\n' || base[end - 1] == '\r' || base[end - 1] == '\t'))
    --end;
  return {base + begin, end - begin};
}

/// Checks single JSON texts (of CSV cells). Not thread-safe.
class json_checker {
public:
  explicit json_checker(std::size_t max_depth) : walker_{{}, max_depth} {}
  /// True when `text` is one whole JSON value.
  bool operator()(std::string_view text);

private:
  structural_index index_;
  json_walker walker_;
  std::string copy_;
};

/// True when the text is valid UTF-8.
bool is_utf8(std::string_view text) noexcept;

} // namespace millrace::codec
