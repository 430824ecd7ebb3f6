// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/compiled_steps.hpp"
#include "actors/enrich/working_set.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <array>

namespace millrace::enrich {

namespace {

constexpr char snapshot_version = 1;

std::string origin_of(const event_batch& b, std::size_t row) {
  return std::to_string(b.shard[row]) + ":" + std::to_string(position_place(b.position[row])) + ":" +
         std::to_string(position_index(b.position[row]));
}

/// A lookup's table and what it remembers between batches for speed; nothing of it reaches the output.
struct lookup_memory {
  table_ptr source;
  dictionary_ptr dict;
  /// For each code of `dict`: the table's row, `not_found` or `not_asked`.
  std::vector<std::uint32_t> row_of_code;

  static constexpr std::uint32_t not_asked = table::not_found - 1;
};

class enrich_processor final : public processor {
public:
  enrich_processor(std::shared_ptr<const compiled_plan> p, const table_map& tables)
    : plan_{std::move(p)}, lookups_(plan_->operations.size()) {
    for (std::size_t i = 0; i < lookups_.size(); ++i)
      if (const auto* op = std::get_if<lookup_op>(&plan_->operations[i].what))
        lookups_[i].source = tables.at(op->table);
  }

  void process(const input& in, output& out) override {
    if (in.batch->rows == 0)
      return;
    rejects_.clear();
    working_set w{*plan_, *in.batch};
    for (at_ = 0; at_ < plan_->operations.size() && w.rows() > 0; ++at_) {
      w.begin_operation(at_);
      std::visit([&](const auto& op) { this->run(op, w); }, plan_->operations[at_].what);
    }
    counters_.in += in.batch->rows;
    counters_.forwarded += w.rows();
    counters_.rejected += rejects_.size();
    counters_.filtered += in.batch->rows - w.rows() - rejects_.size();
    // Input order, whatever the step that found them.
    std::stable_sort(rejects_.begin(), rejects_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [row, r] : rejects_)
      out.rejected.push_back(std::move(r));
    if (w.rows() > 0)
      out.sections.push_back({{}, w.finish()});
  }

  std::string snapshot() const override {
    std::string out(1, snapshot_version);
    for (const auto n : {counters_.in, counters_.forwarded, counters_.filtered, counters_.rejected})
      for (unsigned i = 0; i < 8; ++i)
        out += static_cast<char>((n >> (8 * i)) & 0xff);
    return out;
  }

  result<void> restore(std::string_view bytes) override {
    std::array<std::uint64_t, 4> n{};
    if (bytes.size() != 1 + 8 * n.size() || bytes[0] != snapshot_version)
      return error{ec::corrupt, "the state of enrich is not of version 1", ""};
    for (std::size_t i = 0; i < 8 * n.size(); ++i)
      n[i / 8] |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[1 + i])) << (8 * (i % 8));
    counters_ = {};
    counters_.in = n[0];
    counters_.forwarded = n[1];
    counters_.filtered = n[2];
    counters_.rejected = n[3];
    return {};
  }

  const ledger& counters() const noexcept override { return counters_; }

private:
  void reject(const working_set& w, std::size_t row, std::string_view reason, std::string_view what) {
    const auto from = w.input_row(row);
    const auto& b = w.input();
    rejected_event r;
    r.stage = "enrich";
    r.reason = reason;
    r.origin = origin_of(b, from);
    r.detail = plan_->operations[at_].path + ": ";
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

std::unique_ptr<processor> make_processor(plan_ptr p, table_map tables) {
  return std::make_unique<enrich_processor>(std::static_pointer_cast<const compiled_plan>(std::move(p)), tables);
}

} // namespace millrace::enrich
