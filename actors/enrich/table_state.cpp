// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_state.hpp"

#include "actors/enrich/binary.hpp"
#include "actors/enrich/table_contents.hpp"

#include <algorithm>
#include <zstd.h>

namespace millrace::enrich {

namespace {

/// Part of the state: another level gives other bytes.
constexpr int compression_level = 3;

error broken(std::string_view why) { return {ec::corrupt, "the state of a lookup table " + std::string{why}, ""}; }

result<std::string> pack(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const auto n = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), compression_level);
  if (ZSTD_isError(n) != 0)
    return error{ec::internal, std::string{"a lookup table cannot be compressed: "} + ZSTD_getErrorName(n), ""};
  out.resize(n);
  out.shrink_to_fit();
  return out;
}

result<std::string> unpack(std::string_view packed) {
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_table_bytes)
    return broken("is damaged");
  std::string out(static_cast<std::size_t>(size), '\0');
  const auto n = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(n) != 0 || n != out.size())
    return broken("is damaged");
  return out;
}

const table_options* find_options(const plan& p, std::string_view name) {
  const auto& all = p.tables();
  const auto it = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == name; });
  return it == all.end() ? nullptr : &*it;
}

} // namespace

result<table_ptr> table_state::take(const plan& p, std::string_view name, std::string_view contents) {
  const auto* options = find_options(p, name);
  if (!options)
    return error{ec::not_found, "the pipeline has no table `" + std::string{name} + "`", ""};
  if (contents.size() > max_table_bytes)
    return error{ec::too_large,
                 "table `" + options->name + "`: more than " + std::to_string(max_table_bytes >> 20) + " MiB", ""};
  auto table = parse_contents(*options, p.table_columns(name), contents);
  if (!table)
    return table;
  auto packed = pack(contents);
  if (!packed)
    return std::move(packed).error();
  packed_.insert_or_assign(options->name, *std::move(packed));
  return table;
}

void table_state::save(std::string& out) const {
  put<8>(out, packed_.size());
  for (const auto& [name, packed] : packed_) {
    put_text(out, name);
    put_text(out, packed);
  }
}

result<table_map> table_state::load(const plan& p, std::string_view& in) {
  packed_.clear();
  table_map tables;
  std::uint64_t n = 0;
  if (!take_number<8>(in, n))
    return broken("is cut short");
  for (; n > 0; --n) {
    std::string_view name;
    std::string_view packed;
    if (!take_text(in, name) || !take_text(in, packed))
      return broken("is cut short");
    auto contents = unpack(packed);
    if (!contents)
      return std::move(contents).error();
    const auto* options = find_options(p, name);
    if (!options)
      return broken("is that of another pipeline");
    auto table = parse_contents(*options, p.table_columns(name), *contents);
    if (!table)
      return broken("is that of another definition: " + table.error().message);
    tables.emplace(name, *std::move(table));
    packed_.emplace(name, packed);
  }
  return tables;
}

} // namespace millrace::enrich
