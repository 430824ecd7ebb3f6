// SPDX-License-Identifier: Apache-2.0
#include "services/cli/bench_ysb.hpp"

#include "actors/ingest/shard.hpp"
#include "services/cli/batch.hpp"
#include "services/generate/generate.hpp"
#include "services/pipeline/definition.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <streambuf>
#include <unistd.h>

namespace millrace::cli {
namespace {

/// examples/ads.yaml with every field declared, so that every field is checked.
constexpr std::string_view pipeline_file = R"(pipeline: ads
partitions: 1
event:
  fields:
    user_id: string
    page_id: string
    ad_id: string
    ad_type: string
    event_type: string
    event_time: timestamp_ms
    ip_address: string
  time: event_time
  key: ad_id
enrich:
  tables:
    campaigns: {file: ads.csv, key: ad_id}
  steps:
    - filter: event_type == "view"
    - lookup: {table: campaigns, on: ad_id, add: [campaign_id], missing: drop}
windows:
  - name: views
    key: [campaign_id]
    tumbling: 10s
    aggregate:
      views: count()
storage:
  url: sqlite:ads.db
)";

constexpr std::size_t slack = 64;

/// Swallows what is written.
class null_buffer final : public std::streambuf {
  int overflow(int c) override { return traits_type::not_eof(c); }
  std::streamsize xsputn(const char*, std::streamsize n) override { return n; }
};

class folder {
public:
  explicit folder(std::filesystem::path path) : path_{std::move(path)} {}
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

result<std::unique_ptr<folder>> make_folder() {
  std::error_code failed;
  auto path = std::filesystem::temp_directory_path(failed);
  auto name = (path / "millrace-bench-XXXXXX").string();
  if (failed || mkdtemp(name.data()) == nullptr)
    return error{ec::io, "cannot make a folder in " + path.string(), "set TMPDIR to a folder that can be written"};
  return std::make_unique<folder>(name);
}

result<void> write_file(const std::string& path, std::string_view text) {
  std::ofstream out{path, std::ios::binary};
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out)
    return error{ec::io, "cannot write " + path, "set TMPDIR to a folder with more room"};
  return {};
}

class ysb final : public ysb_work {
public:
  ysb(std::unique_ptr<folder> files, std::string text, std::uint64_t events, pipeline::definition_ptr d)
    : files_{std::move(files)}, text_{std::move(text)}, size_{text_.size()}, events_{events}, definition_{
                                                                                                std::move(d)} {
    text_.append(slack, '\0');
    const std::size_t most = batch_options{}.chunk_bytes;
    for (std::size_t at = 0; at < size_;) {
      const std::size_t end = text_.rfind('\n', std::min(size_, at + most) - 1) + 1;
      chunks_.push_back(this->text().substr(at, end - at));
      at = end;
    }
  }

  std::uint64_t events() const override { return events_; }
  std::string_view text() const override { return std::string_view{text_}.substr(0, size_); }

  std::size_t decode_all() override {
    auto o = definition_->decode;
    for (auto& f : o.fields)
      f.kept = true;
    return decode(o);
  }

  std::size_t decode_needed() override { return decode(definition_->decode); }

  std::size_t pipeline() override {
    const auto& d = *definition_;
    ingest::shard_options o;
    o.decode = d.decode;
    o.key = d.key;
    o.max_delay = d.max_delay;
    auto source = ingest::shard::make(std::move(o), 0);
    if (!source)
      return 0;
    const auto enrich = enrich::make_processor(d.enrich, d.tables);
    const auto windows = windows::make_processor(d.windows, d.limits);
    output enriched;
    output windowed;
    std::uint64_t place = 0;
    for (const auto chunk : chunks_) {
      codec::source_message m;
      m.payload = chunk;
      m.place = place;
      place += chunk.size();
      (*source)->feed_lines(m);
      const auto taken = (*source)->take();
      enriched.clear();
      windowed.clear();
      input in;
      in.batch = &taken.batch;
      in.watermark = (*source)->watermark();
      in.high_time = (*source)->high_time();
      enrich->process(in, enriched);
      if (enriched.sections.empty())
        continue;
      in.batch = &enriched.sections.front().batch;
      windows->process(in, windowed);
    }
    return enrich->counters().in;
  }

  std::size_t batch() override {
    null_buffer nowhere;
    std::ostream out{&nowhere};
    std::ostringstream err;
    batch_options o;
    o.pipeline = files_->file("ads.yaml");
    o.files = {files_->file("ads.ndjson")};
    return cli::batch(o, out, err) == 0 ? events_ : 0;
  }

private:
  std::size_t decode(const codec::decode_options& o) {
    auto decoder = codec::make_decoder(o);
    if (!decoder)
      return 0;
    std::size_t rows = 0;
    for (const auto chunk : chunks_) {
      codec::source_message m;
      m.payload = chunk;
      (*decoder)->decode_lines(m);
      rows += (*decoder)->finish().rows;
    }
    return rows;
  }

  std::unique_ptr<folder> files_;
  std::string text_;
  std::size_t size_;
  std::uint64_t events_;
  pipeline::definition_ptr definition_;
  /// Whole lines, as `millrace batch` reads them.
  std::vector<std::string_view> chunks_;
};

} // namespace

result<std::unique_ptr<ysb_work>> ysb_work::make(std::uint64_t events) {
  auto files = make_folder();
  if (!files)
    return std::move(files).error();
  generate::options g;
  g.kind = "ysb";
  g.events = events;
  std::ostringstream lines;
  std::ostringstream complaints;
  if (generate::run(g, lines, complaints) != 0)
    return error{ec::io, "cannot generate events: " + complaints.str(), ""};
  auto text = std::move(lines).str();
  const auto path = (*files)->file("ads.yaml");
  if (auto r = write_file(path, pipeline_file); !r)
    return std::move(r).error();
  if (auto r = write_file((*files)->file("ads.csv"), generate::table("ysb")); !r)
    return std::move(r).error();
  if (auto r = write_file((*files)->file("ads.ndjson"), text); !r)
    return std::move(r).error();
  auto loaded = pipeline::load(path);
  if (!loaded.value)
    return error{ec::config, loaded.findings.empty() ? "no pipeline" : to_string(loaded.findings.front()), ""};
  return std::unique_ptr<ysb_work>{
    std::make_unique<ysb>(std::move(*files), std::move(text), events, std::move(loaded.value))};
}

} // namespace millrace::cli
