// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/json_kernel.hpp"

#include <bit>
#include <cstring>
#include <new>
#include <simdjson.h>

namespace millrace::codec {

struct structural_index::impl {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
  std::size_t capacity = 0;
};

structural_index::structural_index() : impl_{std::make_unique<impl>()} {}
structural_index::~structural_index() = default;
structural_index::structural_index(structural_index&&) noexcept = default;
structural_index& structural_index::operator=(structural_index&&) noexcept = default;

namespace {

std::string_view explain(simdjson::error_code e) noexcept {
  switch (e) {
  case simdjson::UTF8_ERROR: return "invalid UTF-8";
  case simdjson::UNESCAPED_CHARS: return "control character inside a string";
  case simdjson::UNCLOSED_STRING: return "a string is not closed";
  case simdjson::CAPACITY: return "too long";
  default: return "not JSON";
  }
}

} // namespace

std::string_view structural_index::build(const char* base, std::size_t size) {
  tokens_ = nullptr;
  size_ = 0;
  if (size > impl_->capacity) {
    impl_->capacity = std::bit_ceil(size < 4096 ? std::size_t{4096} : size);
    // Depth is checked by the walk; this one only sizes memory of the second stage, which never runs.
    const auto made =
      impl_->parser
        ? impl_->parser->set_capacity(impl_->capacity)
        : simdjson::get_active_implementation()->create_dom_parser_implementation(impl_->capacity, 1, impl_->parser);
    if (made != simdjson::SUCCESS) {
      impl_->capacity = 0;
      impl_->parser.reset();
      throw std::bad_alloc{};
    }
  }
  auto& parser = *impl_->parser;
  const auto done = parser.stage1(reinterpret_cast<const std::uint8_t*>(base), size, simdjson::stage1_mode::regular);
  if (done == simdjson::EMPTY)
    parser.n_structural_indexes = 0;
  else if (done != simdjson::SUCCESS)
    return explain(done);
  size_ = parser.n_structural_indexes;
  // The library leaves room for some more than `capacity` offsets.
  for (std::size_t i = 0; i < 4; ++i)
    parser.structural_indexes[size_ + i] = static_cast<std::uint32_t>(size - 1);
  tokens_ = parser.structural_indexes.get();
  return {};
}

bool is_utf8(std::string_view text) noexcept { return simdjson::validate_utf8(text.data(), text.size()); }

bool json_checker::operator()(std::string_view text) {
  copy_.assign(text);
  const std::size_t escape = copy_.find('\\');
  copy_ += '\n';
  const std::size_t size = copy_.size();
  copy_.append(json_slack, '\0');
  if (!index_.build(copy_.data(), size).empty() || index_.size() == 0)
    return false;
  walker_.bind(copy_.data(), escape);
  const auto* const end = walker_.value(index_.tokens(), static_cast<std::uint32_t>(size));
  return end == index_.tokens() + index_.size();
}

} // namespace millrace::codec
