// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/table_source.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <sys/stat.h>

namespace millrace::enrich {

namespace {

using contents = result<std::optional<std::string>>;

contents made(result<std::string> text) {
  if (!text)
    return std::move(text).error();
  return std::optional{*std::move(text)};
}

error unusable(const table_options& o, std::string message, std::string hint = {}) {
  return {ec::unavailable, "table `" + o.name + "`: " + std::move(message), std::move(hint)};
}

class file_look final : public table_look {
public:
  file_look(table_options o, schema layout) : options_{std::move(o)}, layout_{std::move(layout)} {}

  contents look() override {
    const auto before = mark_of();
    if (before && before == seen_)
      return std::optional<std::string>{};
    auto text = read_table_file(options_);
    if (!text)
      return std::move(text).error();
    // Somebody is writing: the next look is soon.
    if (before != mark_of())
      return std::optional<std::string>{};
    seen_ = before;
    // The errors of this one name the line.
    if (options_.remote.what == remote_table::kind::none)
      if (auto parsed = parse_csv_table(options_, *text); !parsed)
        return std::move(parsed).error();
    return made(contents_of_csv(options_, layout_, *text));
  }

private:
  struct mark {
    std::uint64_t device = 0;
    std::uint64_t node = 0;
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const mark&, const mark&) = default;
  };
  std::optional<mark> mark_of() const {
    struct stat s {};
    if (::stat(options_.file.c_str(), &s) != 0)
      return std::nullopt;
    return mark{s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
  }

  table_options options_;
  schema layout_;
  std::optional<mark> seen_;
};

class bucket_look final : public table_look {
public:
  bucket_look(table_options o, schema layout, std::shared_ptr<bus> b)
    : options_{std::move(o)}, layout_{std::move(layout)}, bus_{std::move(b)} {}

  contents look() override {
    if (auto ok = watch(); !ok)
      return std::move(ok).error();
    // The watch tells at once; the list now and then is for what a broker that was made anew forgot.
    if (!changed_->exchange(false) && ++quiet_ < most_quiet)
      return std::optional<std::string>{};
    quiet_ = 0;
    auto entries = bus_->kv_list(options_.remote.bucket);
    if (!entries) {
      *changed_ = true; // what changed was not seen
      return unusable(options_, entries.error().message, entries.error().hint);
    }
    raw_rows rows;
    for (const auto& f : layout_.fields())
      rows.columns.push_back(f.name);
    for (const auto& e : *entries)
      if (!e.deleted)
        if (auto ok = add_json_row(options_, rows, e.key, e.value); !ok)
          return std::move(ok).error();
    return made(contents_of(options_, layout_, std::move(rows)));
  }

private:
  static constexpr int most_quiet = 300;

  result<void> watch() {
    if (watch_)
      return {};
    const auto& bucket = options_.remote.bucket;
    if (auto ok = bus_->kv_open(bucket, std::chrono::nanoseconds{0}); !ok)
      return unusable(options_, ok.error().message, ok.error().hint);
    // The callback may outlive this object by a moment.
    auto w = bus_->kv_watch(bucket, [changed = changed_](const kv_entry&) { *changed = true; });
    if (!w)
      return unusable(options_, w.error().message, w.error().hint);
    watch_ = *std::move(w);
    *changed_ = true;
    return {};
  }

  table_options options_;
  schema layout_;
  std::shared_ptr<bus> bus_;
  std::shared_ptr<std::atomic<bool>> changed_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<subscription> watch_;
  int quiet_ = 0;
};

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// By content type; servers of plain files know none, so then by the first character.
bool is_json(const http_answer& a) {
  const auto type = lower(a.content_type.substr(0, a.content_type.find(';')));
  if (type.find("json") != std::string::npos)
    return true;
  if (type.find("csv") != std::string::npos)
    return false;
  const auto at = a.body.find_first_not_of(" \t\r\n");
  return at != std::string::npos && a.body[at] == '[';
}

class http_look final : public table_look {
public:
  http_look(table_options o, schema layout, http_get get)
    : options_{std::move(o)}, layout_{std::move(layout)}, get_{std::move(get)} {}

  contents look() override {
    auto headers = options_.remote.headers;
    if (!etag_.empty())
      headers.emplace_back("If-None-Match", etag_);
    auto answer = get_(headers);
    if (!answer)
      return unusable(options_, answer.error().message, answer.error().hint);
    if (answer->status == 304)
      return std::optional<std::string>{};
    if (answer->status != 200)
      return unusable(options_, "the server answered " + std::to_string(answer->status));
    // Also of contents that are no use: they are so until they change.
    etag_ = answer->etag;
    return made(is_json(*answer) ? contents_of_json(options_, layout_, answer->body)
                                 : contents_of_csv(options_, layout_, answer->body));
  }

private:
  table_options options_;
  schema layout_;
  http_get get_;
  std::string etag_;
};

class rows_look final : public table_look {
public:
  rows_look(table_options o, schema layout, row_query query)
    : options_{std::move(o)}, layout_{std::move(layout)}, query_{std::move(query)} {}

  contents look() override {
    auto rows = query_();
    if (!rows)
      return unusable(options_, rows.error().message, rows.error().hint);
    return made(contents_of(options_, layout_, *std::move(rows)));
  }

private:
  table_options options_;
  schema layout_;
  row_query query_;
};

} // namespace

std::unique_ptr<table_look> look_at_file(table_options o, schema layout) {
  return std::make_unique<file_look>(std::move(o), std::move(layout));
}
std::unique_ptr<table_look> look_at_bucket(table_options o, schema layout, std::shared_ptr<bus> b) {
  return std::make_unique<bucket_look>(std::move(o), std::move(layout), std::move(b));
}
std::unique_ptr<table_look> look_at_http(table_options o, schema layout, http_get get) {
  return std::make_unique<http_look>(std::move(o), std::move(layout), std::move(get));
}
std::unique_ptr<table_look> look_at_rows(table_options o, schema layout, row_query query) {
  return std::make_unique<rows_look>(std::move(o), std::move(layout), std::move(query));
}

} // namespace millrace::enrich
