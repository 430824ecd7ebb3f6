// SPDX-License-Identifier: Apache-2.0
#include "services/cli/batch.hpp"

#include "actors/runtime/clock.hpp"
#include "actors/storage/store.hpp"
#include "services/cli/batch_input.hpp"
#include "services/cli/batch_printer.hpp"
#include "services/cli/direct_run.hpp"
#include "services/pipeline/definition.hpp"
#include "services/process/storage_url.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iomanip>
#include <map>
#include <ostream>

namespace millrace::cli {

namespace {

constexpr int exit_config = 2;
constexpr int exit_runtime = 3;
/// Rows stored in one transaction.
constexpr std::size_t store_rows = 20'000;

class batch_run final : record_sink {
public:
  batch_run(const batch_options& o, pipeline::definition_ptr d, std::ostream& out, std::ostream& err)
    : options_{o}, definition_{std::move(d)}, err_{err}, printer_{out}, stages_{definition_} {}

  int run();

private:
  void rejected(const rejected_event& r) override;
  void windows(std::string_view name, const event_batch& rows) override;
  void alerts(const event_batch& rows) override;

  result<void> open();
  result<void> open_store();
  result<void> step(std::size_t shard);
  void process(const event_batch& rows, nanoseconds_t after);
  result<void> store(bool all);
  void progress(bool last);
  void summary(double seconds);
  nanoseconds_t watermark() const;
  void close(batch_input& in);

  const batch_options& options_;
  pipeline::definition_ptr definition_;
  std::ostream& err_;
  batch_printer printer_;
  std::vector<std::unique_ptr<batch_input>> inputs_;
  direct_run stages_;

  std::unique_ptr<storage::store_writer> store_;
  storage::position position_;
  std::vector<section> unstored_;
  std::size_t unstored_rows_ = 0;

  runtime::clock_source clock_ = runtime::machine_clock();
  std::uint64_t total_bytes_ = 0;
  std::int64_t shown_ = 0;
  std::uint64_t results_ = 0;
  std::uint64_t alerts_ = 0;
  std::map<std::string, std::uint64_t> reasons_;
};

result<void> batch_run::open() {
  const auto& d = *definition_;
  auto files = options_.files;
  if (files.empty())
    for (const auto& s : d.sources)
      if (s.what == pipeline::source::kind::file)
        files.push_back(s.file.path);
  if (files.empty())
    files.emplace_back("-");
  if (std::count(files.begin(), files.end(), "-") > 1)
    return error{ec::invalid, "stdin (-) can be read once only", ""};
  ingest::shard_options s;
  s.decode = d.decode;
  s.key = d.key;
  s.partitions = 1;
  s.max_delay = d.max_delay;
  for (const auto& f : files) {
    auto in = batch_input::open(f, s, static_cast<std::uint32_t>(inputs_.size()), options_.chunk_bytes);
    if (!in)
      return std::move(in).error();
    std::error_code ignored;
    if (const auto n = std::filesystem::file_size(f, ignored); !ignored)
      total_bytes_ += n;
    inputs_.push_back(std::move(*in));
  }
  return options_.store ? open_store() : result<void>{};
}

result<void> batch_run::open_store() {
  auto url = process::sqlite_path(*definition_, ".");
  if (!url)
    return std::move(url).error();
  auto w = storage::open_sqlite_writer({*url, 5000, definition_->store_events});
  if (!w)
    return std::move(w).error();
  store_ = std::move(*w);
  auto p = store_->claim(definition_->name, "batch");
  if (!p)
    return std::move(p).error();
  position_ = std::move(*p);
  return {};
}

nanoseconds_t batch_run::watermark() const {
  auto low = end_watermark;
  for (const auto& in : inputs_)
    low = std::min(low, in->watermark());
  return low;
}

void batch_run::rejected(const rejected_event& r) {
  ++reasons_[r.stage + " " + r.reason];
  if (options_.late)
    printer_.add_rejected(r);
}

void batch_run::windows(std::string_view name, const event_batch& rows) {
  results_ += rows.rows;
  printer_.add_windows(name, rows);
}

void batch_run::alerts(const event_batch& rows) {
  alerts_ += rows.rows;
  printer_.add_alerts(rows);
}

/// Takes rows through all stages; `after` is the watermark behind them.
void batch_run::process(const event_batch& rows, nanoseconds_t after) {
  printer_.begin(rows.watermark, after);
  for (auto& x : inputs_)
    for (auto& r : x->take_rejected())
      rejected(r);
  stages_.process(rows, after, 0, *this);
  printer_.flush();
  if (!store_)
    return;
  const auto before = unstored_.size();
  stages_.take_sections(unstored_, definition_->store_events);
  for (auto i = before; i < unstored_.size(); ++i)
    unstored_rows_ += unstored_[i].batch.rows;
}

result<void> batch_run::store(bool all) {
  if (!store_ || unstored_.empty() || (!all && unstored_rows_ < store_rows))
    return {};
  auto next = position_;
  ++next.sequence;
  next.watermark = all ? end_watermark : watermark();
  if (auto r = store_->write(definition_->name, "batch", {unstored_, next}); !r)
    return r;
  position_ = next;
  unstored_.clear();
  unstored_rows_ = 0;
  return {};
}

/// Reads from one input as long as it is the one with the lowest watermark (ties: command order).
result<void> batch_run::step(std::size_t shard) {
  auto& in = *inputs_[shard];
  auto bound = end_watermark;
  bool inclusive = true;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (i == shard)
      continue;
    const auto w = inputs_[i]->watermark();
    if (w < bound || (w == bound && i < shard)) {
      bound = w;
      inclusive = i > shard;
    }
  }
  const auto& marks = in.rows().watermark;
  const auto first = in.next();
  auto end = in.rows().rows;
  if (inputs_.size() > 1) {
    const auto from = marks.begin() + static_cast<std::ptrdiff_t>(first);
    const auto to = inclusive ? std::upper_bound(from, marks.end(), bound) : std::lower_bound(from, marks.end(), bound);
    end = std::max<std::size_t>(static_cast<std::size_t>(to - marks.begin()), std::min(first + 1, end));
  }
  in.advance(end);
  if (first == 0 && end == in.rows().rows) {
    const auto after = watermark();
    const auto rows = in.take_all();
    process(rows, after);
  } else {
    process(slice(in.rows(), first, end), watermark());
  }
  if (auto r = in.fill(); !r)
    return r;
  close(in);
  return store(false);
}

/// The end of an input is a step of its own, whether it was found with the last event or after it.
void batch_run::close(batch_input& in) {
  if (!in.done())
    return;
  in.close();
  process(event_batch::make(definition_->events), watermark());
}

void batch_run::progress(bool last) {
  if (!options_.progress || total_bytes_ == 0)
    return;
  const auto now = clock_.steady();
  if (!last && now - shown_ < 200'000'000)
    return;
  shown_ = now;
  std::uint64_t done = 0;
  for (const auto& in : inputs_)
    done += in->bytes_read();
  const auto percent = std::min<std::uint64_t>(100, done * 100 / total_bytes_);
  err_ << '\r' << '[' << std::string(percent / 4, '#') << std::string(25 - percent / 4, ' ') << "] " << percent << " % "
       << results_ << " results";
  if (last)
    err_ << '\n';
  err_.flush();
}

int batch_run::run() {
  const auto begin = clock_.steady();
  auto fail = [&](const error& e) {
    err_ << "error: " << e.message << (e.hint.empty() ? "" : "; " + e.hint) << '\n';
    return e.code == ec::config || e.code == ec::invalid ? exit_config : exit_runtime;
  };
  if (auto r = open(); !r)
    return fail(r.error());
  for (auto& in : inputs_)
    if (auto r = in->fill(); !r)
      return fail(r.error());
  for (auto& in : inputs_)
    close(*in);
  for (;;) {
    std::size_t lowest = inputs_.size();
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (!inputs_[i]->done() && (lowest == inputs_.size() || inputs_[i]->watermark() < inputs_[lowest]->watermark()))
        lowest = i;
    if (lowest == inputs_.size())
      break;
    if (auto r = step(lowest); !r)
      return fail(r.error());
    progress(false);
  }
  printer_.finish();
  if (auto r = store(true); !r)
    return fail(r.error());
  progress(true);
  summary(static_cast<double>(clock_.steady() - begin) / 1e9);
  return 0;
}

void batch_run::summary(double seconds) {
  ledger in;
  for (const auto& x : inputs_)
    in += x->shard().counters();
  err_ << definition_->name << ": " << in.in << " events in " << std::fixed << std::setprecision(2) << seconds << " s ("
       << std::setprecision(0) << (seconds > 0 ? static_cast<double>(in.in) / seconds : 0.0) << " events/s), "
       << results_ << " window results, " << alerts_ << " alert transitions\n";
  err_ << "ledger          in  forwarded   absorbed   filtered  duplicate       late   rejected  balance\n";
  auto line = [&](std::string_view stage, const ledger& l) {
    err_ << std::left << std::setw(7) << stage << std::right << std::setw(11) << l.in << std::setw(11) << l.forwarded
         << std::setw(11) << l.absorbed << std::setw(11) << l.filtered << std::setw(11) << l.duplicate << std::setw(11)
         << l.late << std::setw(11) << l.rejected
         << (l.imbalance() == 0 ? "  ok" : "  OFF BY " + std::to_string(l.imbalance())) << '\n';
  };
  line("ingest", in);
  line("enrich", stages_.enrich_counters());
  if (stages_.has_windows())
    line("window", stages_.window_counters());
  if (stages_.has_alerts())
    line("alert", stages_.alert_counters());
  for (const auto& [reason, n] : reasons_)
    err_ << "rejected by " << reason << ": " << n << '\n';
}

} // namespace

int batch(const batch_options& o, std::ostream& out, std::ostream& err) {
  auto loaded = pipeline::load(o.pipeline);
  for (const auto& f : loaded.findings)
    if (f.is_error || !loaded.value)
      err << to_string(f) << '\n';
  if (!loaded.value)
    return exit_config;
  if (auto ok = pipeline::check_offline(*loaded.value); !ok) {
    err << "error: " << ok.error().message << "; " << ok.error().hint << '\n';
    return exit_config;
  }
  batch_run run{o, loaded.value, out, err};
  const auto code = run.run();
  out.flush();
  if (!out) {
    err << "error: cannot write to stdout\n";
    return exit_runtime;
  }
  return code;
}

} // namespace millrace::cli
