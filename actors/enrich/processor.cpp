// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/binary.hpp"
#include "actors/enrich/compiled_steps.hpp"
#include "actors/enrich/table_contents.hpp"
#include "actors/enrich/table_state.hpp"
#include "actors/enrich/working_set.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <array>

namespace millrace::enrich {

namespace {

constexpr char snapshot_version = 2;

std::string origin_of(const event_batch& b, std::size_t row) {
  return std::to_string(b.shard[row]) + ":" + std::to_string(position_place(b.position[row])) + ":" +
         std::to_string(position_index(b.position[row]));
}

/// A lookup's table and what it remembers between batches for speed; nothing of it reaches the output.
struct lookup_memory {
  table_ptr source;
  lookup_counters* counters = nullptr;
  dictionary_ptr dict;
  /// For each code of `dict`: the table's row, `not_found` or `not_asked`.
  std::vector<std::uint32_t> row_of_code;

  static constexpr std::uint32_t not_asked = table::not_found - 1;
};

class steps_processor final : public enrich_processor {
public:
  steps_processor(std::shared_ptr<const compiled_plan> p, const table_map& tables)
    : plan_{std::move(p)}, lookups_(plan_->operations.size()) {
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (const auto* op = std::get_if<lookup_op>(&plan_->operations[i].what)) {
        lookups_[i].source = tables.at(op->table);
        lookups_[i].counters = &lookup_counters_[op->table];
      }
    if (plan_->duplicates)
      duplicates_.emplace(*plan_->duplicates);
  }

  void process(const input& in, output& out) override {
    if (in.batch->rows > 0)
      take_rows(*in.batch, out);
    if (duplicates_)
      duplicates_->advance(in.watermark);
  }

  result<void> control(std::string_view name, std::string_view contents) override {
    auto taken = replaced_.take(*plan_, name, contents);
    if (!taken)
      return std::move(taken).error();
    use(name, *taken);
    return {};
  }

  std::string snapshot() const override {
    std::string out(1, snapshot_version);
    for (const auto n : {counters_.in, counters_.forwarded, counters_.filtered, counters_.duplicate, counters_.late,
                         counters_.rejected})
      put<8>(out, n);
    put<8>(out, lookup_counters_.size());
    for (const auto& [name, c] : lookup_counters_) {
      put_text(out, name);
      put<8>(out, c.hits);
      put<8>(out, c.misses);
    }
    replaced_.save(out);
    if (duplicates_)
      duplicates_->save(out);
    return out;
  }

  result<void> restore(std::string_view bytes) override {
    const error broken{ec::corrupt, "the state of enrich is not of version " + std::to_string(snapshot_version), ""};
    if (bytes.empty() || bytes[0] != snapshot_version)
      return broken;
    bytes.remove_prefix(1);
    counters_ = {};
    for (auto* n : {&counters_.in, &counters_.forwarded, &counters_.filtered, &counters_.duplicate, &counters_.late,
                    &counters_.rejected})
      if (!take_number<8>(bytes, *n))
        return broken;
    if (!restore_lookups(bytes))
      return broken;
    auto tables = replaced_.load(*plan_, bytes);
    if (!tables)
      return std::move(tables).error();
    for (const auto& [name, contents] : *tables)
      use(name, contents);
    if (duplicates_)
      if (auto ok = duplicates_->load(bytes); !ok)
        return ok;
    return bytes.empty() ? result<void>{} : broken;
  }

  const ledger& counters() const noexcept override { return counters_; }
  std::size_t state_keys() const noexcept override { return duplicates_ ? duplicates_->seen().keys() : 0; }
  std::size_t state_bytes() const noexcept override { return duplicates_ ? duplicates_->seen().bytes() : 0; }

  const std::map<std::string, lookup_counters>& lookups() const noexcept override { return lookup_counters_; }
  std::vector<lookup_totals::totals> lookup_tables() const override {
    std::vector<lookup_totals::totals> out;
    for (const auto& [name, c] : lookup_counters_)
      out.push_back({name, c.hits, c.misses, table_in_use(name)->rows()});
    return out;
  }
  table_ptr table_in_use(std::string_view name) const override {
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (const auto* op = std::get_if<lookup_op>(&plan_->operations[i].what); op && op->table == name)
        return lookups_[i].source;
    return nullptr;
  }

private:
  void take_rows(const event_batch& in, output& out) {
    rejects_.clear();
    working_set w{*plan_, in};
    std::size_t late = 0;
    std::size_t duplicates = 0;
    if (duplicates_) {
      at_ = 0;
      late = drop_duplicates(w);
      duplicates = in.rows - w.rows() - rejects_.size();
    }
    for (at_ = 0; at_ < plan_->operations.size() && w.rows() > 0; ++at_) {
      w.begin_operation(at_);
      std::visit([&](const auto& op) { this->run(op, w); }, plan_->operations[at_].what);
    }
    counters_.in += in.rows;
    counters_.forwarded += w.rows();
    counters_.duplicate += duplicates;
    counters_.late += late;
    counters_.rejected += rejects_.size() - late;
    counters_.filtered += in.rows - w.rows() - duplicates - rejects_.size();
    // Input order, whatever the step that found them.
    std::stable_sort(rejects_.begin(), rejects_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [row, r] : rejects_)
      out.rejected.push_back(std::move(r));
    if (w.rows() > 0)
      out.sections.push_back({{}, w.finish()});
  }

  /// How many rows were late.
  std::size_t drop_duplicates(working_set& w) {
    duplicates_->judge(w.input());
    std::size_t late = 0;
    for (const auto& r : duplicates_->refused()) {
      late += r.reason == "late" ? 1U : 0U;
      reject(w, r.row, r.reason, "enrich.duplicates", r.detail);
    }
    if (duplicates_->kept().size() < w.rows())
      w.keep(duplicates_->kept());
    return late;
  }

  bool restore_lookups(std::string_view& bytes) {
    std::uint64_t n = 0;
    if (!take_number<8>(bytes, n) || n != lookup_counters_.size())
      return false;
    for (auto& [name, c] : lookup_counters_) {
      std::string_view stored;
      if (!take_text(bytes, stored) || stored != name || !take_number<8>(bytes, c.hits) ||
          !take_number<8>(bytes, c.misses))
        return false;
    }
    return true;
  }

  /// All lookups in a table change at once, between two batches.
  void use(std::string_view name, const table_ptr& contents) {
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (const auto* op = std::get_if<lookup_op>(&plan_->operations[i].what); op && op->table == name) {
        lookups_[i].source = contents;
        lookups_[i].dict.reset();
        lookups_[i].row_of_code.clear();
      }
  }

  void reject(const working_set& w, std::size_t row, std::string_view reason, std::string_view what) {
    reject(w, row, reason, plan_->operations[at_].path, what);
  }
  void reject(const working_set& w, std::size_t row, std::string_view reason, std::string_view path,
              std::string_view what) {
    const auto from = w.input_row(row);
    const auto& b = w.input();
    rejected_event r;
    r.stage = "enrich";
    r.reason = reason;
    r.origin = origin_of(b, from);
    r.detail = path;
    r.detail += ": ";
    r.detail += what;
    codec::append_event(r.body, b, from);
    r.watermark = b.watermark[from];
    r.position = b.position[from];
    r.shard = b.shard[from];
    rejects_.emplace_back(from, std::move(r));
  }

  void run(const filter_op& op, working_set& w) {
    op.condition->evaluate(w.view(op.condition->uses()), evaluation_);
    selected_.clear();
    failed_.clear();
    select_rows(evaluation_, w.rows(), selected_, failed_);
    for (const auto row : failed_)
      reject(w, row, "expression", evaluation_.is_error(row) ? evaluation_.reason(row) : "the condition is null");
    if (selected_.size() < w.rows())
      w.keep(selected_);
  }

  void run(const set_op& op, working_set& w) {
    expressions::evaluation e;
    op.value->evaluate(w.view(op.value->uses()), e);
    w.append(std::move(e.values));
    if (e.errors.empty())
      return;
    selected_.clear();
    for (std::uint32_t row = 0; row < w.rows(); ++row) {
      if (e.is_error(row))
        reject(w, row, "expression", e.reason(row));
      else
        selected_.push_back(row);
    }
    if (selected_.size() < w.rows())
      w.keep(selected_);
  }

  void run(const lookup_op& op, working_set& w) {
    const auto& source = *lookups_[at_].source;
    const auto& keys = w.values(op.on);
    bool missed = is_text(keys.type) ? find_texts(keys, w.rows()) : find_numbers(source, keys, w.rows());
    const auto misses =
      missed ? static_cast<std::uint64_t>(std::count(found_.begin(), found_.end(), table::not_found)) : 0;
    lookups_[at_].counters->hits += w.rows() - misses;
    lookups_[at_].counters->misses += misses;
    if (missed && op.missing != missing_policy::keep) {
      drop_missing(op, keys, w);
      missed = false;
    }
    for (const auto c : op.columns)
      w.append(gather(source.values(c), missed));
  }

  /// Fills `found_`; true when some row has no match.
  bool find_texts(const column& keys, std::size_t rows) {
    auto& memory = lookups_[at_];
    if (memory.dict != keys.dict) {
      memory.dict = keys.dict;
      memory.row_of_code.assign(keys.dict ? keys.dict->size() : 0, lookup_memory::not_asked);
    }
    found_.resize(rows);
    bool missed = false;
    for (std::size_t row = 0; row < rows; ++row) {
      auto to = table::not_found;
      if (!keys.is_null(row)) {
        const auto code = keys.codes[row];
        auto& known = memory.row_of_code[code];
        if (known == lookup_memory::not_asked)
          known = memory.source->find((*keys.dict)[code]);
        to = known;
      }
      found_[row] = to;
      missed |= to == table::not_found;
    }
    return missed;
  }

  bool find_numbers(const table& source, const column& keys, std::size_t rows) {
    found_.resize(rows);
    bool missed = false;
    for (std::size_t row = 0; row < rows; ++row) {
      found_[row] = keys.is_null(row) ? table::not_found : source.find(keys.i64[row]);
      missed |= found_[row] == table::not_found;
    }
    return missed;
  }

  void drop_missing(const lookup_op& op, const column& keys, working_set& w) {
    selected_.clear();
    for (std::uint32_t row = 0; row < w.rows(); ++row) {
      if (found_[row] != table::not_found) {
        found_[selected_.size()] = found_[row];
        selected_.push_back(row);
      } else if (op.missing == missing_policy::reject) {
        std::string value;
        codec::append_value(value, keys, row);
        reject(w, row, "lookup", "`" + op.on_name + "` " + value + " is not in table `" + op.table + "`");
      }
    }
    found_.resize(selected_.size());
    w.keep(selected_);
  }

  /// The table's values at the found rows; null where nothing was found.
  column gather(const column& from, bool missed) const {
    if (!missed)
      return take(from, found_);
    const auto rows = found_.size();
    column out{from.type};
    out.dict = from.dict;
    out.nulls.assign((rows + 63) / 64, 0);
    const auto fill = [&](auto& to, const auto& values) {
      to.resize(rows);
      for (std::size_t row = 0; row < rows; ++row) {
        const auto at = found_[row];
        if (at == table::not_found || from.is_null(at))
          out.nulls[row >> 6] |= std::uint64_t{1} << (row & 63);
        else
          to[row] = values[at];
      }
    };
    if (is_text(from.type))
      fill(out.codes, from.codes);
    else if (from.type == data_type::boolean)
      fill(out.b8, from.b8);
    else if (from.type == data_type::float64)
      fill(out.f64, from.f64);
    else
      fill(out.i64, from.i64);
    return out;
  }

  std::shared_ptr<const compiled_plan> plan_;
  std::vector<lookup_memory> lookups_;
  std::map<std::string, lookup_counters> lookup_counters_;
  std::optional<duplicates_filter> duplicates_;
  table_state replaced_;
  ledger counters_;
  /// The operation that runs.
  std::size_t at_ = 0;
  /// With their rows of the input.
  std::vector<std::pair<std::uint32_t, rejected_event>> rejects_;
  expressions::evaluation evaluation_;
  std::vector<std::uint32_t> selected_;
  std::vector<std::uint32_t> failed_;
  std::vector<std::uint32_t> found_;
};

} // namespace

std::unique_ptr<enrich_processor> make_processor(plan_ptr p, table_map tables) {
  return std::make_unique<steps_processor>(std::static_pointer_cast<const compiled_plan>(std::move(p)), tables);
}

} // namespace millrace::enrich
