// SPDX-License-Identifier: Apache-2.0
#include "messaging/codec/csv.hpp"
#include "messaging/codec/decode_core.hpp"
#include "messaging/codec/decode_split.hpp"

#include <algorithm>
#include <optional>

namespace millrace::codec {
namespace {

class csv_decoder final : public decode_core, public csv_header_sink {
public:
  explicit csv_decoder(const decode_options& o) : decode_core{o}, column_of_field_(plan().size()) {}

  result<void> set_header(std::string_view line) override;
  void decode(const source_message& m) override;
  void decode_lines(const source_message& m) override;

private:
  static constexpr std::size_t no_column = static_cast<std::size_t>(-1);

  /// The payload with slack behind it; without byte order mark.
  std::string_view keep(std::string_view payload, std::size_t& skipped);
  result<void> map_columns(const std::vector<std::string_view>& names);
  void records(std::string_view text, std::size_t from, std::size_t shift);
  void record(event_place e);
  void row(const event_place& e);

  std::vector<std::size_t> column_of_field_;
  std::size_t columns_ = 0;
  csv_record record_;
  std::string copy_;
};

std::string_view without_line_end(std::string_view text) noexcept {
  text.remove_suffix(text.ends_with('\n') ? 1 : 0);
  text.remove_suffix(text.ends_with('\r') ? 1 : 0);
  return text;
}

std::string_view csv_decoder::keep(std::string_view payload, std::size_t& skipped) {
  skipped = payload.starts_with("\xef\xbb\xbf") ? 3 : 0;
  copy_.assign(payload.substr(skipped));
  const std::size_t size = copy_.size();
  copy_.append(text_slack, '\0');
  return {copy_.data(), size};
}

result<void> csv_decoder::map_columns(const std::vector<std::string_view>& names) {
  columns_ = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
                               names.begin() + static_cast<std::ptrdiff_t>(i))
      return error{ec::config, "the CSV header names column " + quote_start(names[i]) + " twice",
                   "give every column its own name"};
  }
  for (const field_plan& f : plan()) {
    if (f.spec.source != field_source::body)
      continue;
    const auto found = std::find(names.begin(), names.end(), f.spec.path.front());
    column_of_field_[f.index] = found == names.end() ? no_column : static_cast<std::size_t>(found - names.begin());
    if (found == names.end() && (!f.spec.field.nullable || f.is_time))
      return error{
        ec::config,
        "the CSV header has no column " + quote_start(f.spec.path.front()) + " for field \"" + f.spec.field.name + "\"",
        "add the column, or declare the field optional (\"" + std::string{to_string(f.spec.field.type)} + "?\")"};
  }
  return {};
}

result<void> csv_decoder::set_header(std::string_view line) {
  columns_ = 0;
  std::size_t skipped = 0;
  const std::string_view text = without_line_end(keep(line, skipped));
  if (text.empty())
    return error{ec::config, "the CSV header is empty", "the first line names the columns"};
  read_csv_record(text, record_);
  if (!record_.wrong.empty() || record_.size != text.size())
    return error{ec::config, "the CSV header is malformed: " + std::string{record_.wrong}, ""};
  auto mapped = map_columns(record_.fields);
  if (!mapped)
    columns_ = 0;
  return mapped;
}

void csv_decoder::decode(const source_message& m) {
  begin_message(m, false);
  std::size_t skipped = 0;
  const std::string_view text = keep(m.payload, skipped);
  const byte_range all = trim_range(text, {0, text.size()});
  if (all.begin == all.end)
    return;
  read_csv_record(text.substr(all.begin), record_);
  result<void> mapped;
  if (!record_.wrong.empty())
    mapped = error{ec::config, "the CSV header is malformed: " + std::string{record_.wrong}, ""};
  else
    mapped = map_columns(record_.fields);
  const std::size_t from = all.begin + record_.size;
  if (mapped) {
    records(text, from, skipped);
  } else if (trim_range(text, {std::min(from, text.size()), text.size()}).begin != text.size()) {
    // Without its columns nothing in the message can be read: it is rejected whole.
    event_place e{0, m.payload, next_position(0)};
    reject(e, record_.wrong.empty() ? "missing" : "malformed",
           mapped.error().message + " " + where(0) + "; " + mapped.error().hint, false);
  }
  columns_ = 0;
}

void csv_decoder::decode_lines(const source_message& m) {
  begin_message(m, true);
  std::size_t skipped = 0;
  const std::string_view text = keep(m.payload, skipped);
  records(text, 0, skipped);
}

void csv_decoder::records(std::string_view text, std::size_t from, std::size_t shift) {
  const bool valid = is_utf8(text.substr(from));
  while (from < text.size()) {
    read_csv_record(text.substr(from), record_);
    const std::string_view whole = without_line_end(text.substr(from, record_.size));
    const std::size_t offset = from + shift;
    from += record_.size;
    if (whole.empty())
      continue;
    const event_place e{offset, whole, next_position(offset)};
    if (whole.size() > options().max_event_bytes)
      reject_oversize(e);
    else if (!valid && !is_utf8(whole))
      reject_malformed(e, "invalid UTF-8", offset);
    else if (within_index(e))
      record(e);
  }
}

void csv_decoder::record(event_place e) {
  if (!record_.wrong.empty()) {
    reject_malformed(e, record_.wrong, e.offset);
  } else if (columns_ == 0) {
    reject_malformed(e, "no header was given", e.offset);
  } else if (record_.fields.size() != columns_) {
    reject_malformed(
      e, "the record has " + std::to_string(record_.fields.size()) + " fields, the header " + std::to_string(columns_),
      e.offset);
  } else {
    row(e);
  }
}

void csv_decoder::row(const event_place& e) {
  for (const field_plan& f : plan()) {
    put done = put::done;
    std::string_view cell;
    if (f.spec.source == field_source::body) {
      const std::size_t column = column_of_field_[f.index];
      cell = column == no_column ? std::string_view{} : record_.fields[column];
      done = cell.empty() ? put_null(f) : put_text(f, cell);
    } else {
      done = put_envelope(f);
    }
    if (done != put::done) {
      const std::size_t at =
        !cell.empty() && cell.data() >= e.text.data() && cell.data() < e.text.data() + e.text.size()
          ? static_cast<std::size_t>(cell.data() - e.text.data())
          : 0;
      reject_field(e, f, done == put::null ? std::string{} : "text " + quote_start(cell), e.offset + at, false);
      return;
    }
  }
  commit(e);
}

} // namespace

result<std::unique_ptr<event_decoder>> make_csv_decoder(const decode_options& options) {
  return std::unique_ptr<event_decoder>{std::make_unique<csv_decoder>(options)};
}

} // namespace millrace::codec
