// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/result_rows.hpp"

#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace millrace::windows {

namespace {

/// Puts the entries of a text column's dictionary in the order in which the rows use them: they came in the order in
/// which windows found their keys, which is no part of the state.
void order_entries(column& c) {
  constexpr auto unseen = 0xFFFFFFFFU;
  if (!is_text(c.type) || !c.dict || c.dict->size() == 0)
    return;
  std::vector<std::uint32_t> code_of(c.dict->size(), unseen);
  std::string bytes;
  std::vector<std::uint32_t> offsets{0};
  for (std::size_t i = 0; i < c.codes.size(); ++i) {
    if (c.is_null(i)) {
      c.codes[i] = 0;
      continue;
    }
    auto& code = code_of[c.codes[i]];
    if (code == unseen) {
      code = static_cast<std::uint32_t>(offsets.size() - 1);
      bytes += (*c.dict)[c.codes[i]];
      offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
    }
    c.codes[i] = code;
  }
  c.dict = std::make_shared<const dictionary>(std::move(bytes), std::move(offsets), c.dict->unique());
}

} // namespace

result_rows::result_rows(const window_plan& w) : plan_{w}, builder_{w.base} {}

void result_rows::add(const cell_store& cells, cell_id cell, const key_table& keys, key_id key, const emission& e) {
  row r;
  r.what = e;
  r.key = key;
  r.place = static_cast<std::uint32_t>(rows_.size());
  if (!e.retracted)
    cells.write(cell, window_span{e.start, e.end}, builder_, r.reasons);
  keys.write(key, builder_, plan_.hidden.size());
  builder_.finish_row(e.end, e.due, 0, e.closing ? row_closing : 0);
  rows_.push_back(std::move(r));
}

/// By number, for each row, where its key stands among the keys of the step in the order of their JSON text.
std::vector<std::uint32_t> result_rows::key_ranks(const key_table& keys) const {
  std::vector<key_id> ids;
  ids.reserve(rows_.size());
  for (const auto& r : rows_)
    ids.push_back(r.key);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::string texts;
  std::vector<std::size_t> offsets{0};
  for (const auto id : ids) {
    keys.append_json(id, texts);
    offsets.push_back(texts.size());
  }
  const auto text = [&](std::size_t i) {
    return std::string_view{texts}.substr(offsets[i], offsets[i + 1] - offsets[i]);
  };
  // Most texts differ within the eight bytes after what all have in common: these compare as one number.
  auto common = ids.empty() ? 0 : text(0).size();
  for (std::size_t i = 1; i < ids.size(); ++i)
    common = static_cast<std::size_t>(
      std::mismatch(text(0).begin(), text(0).begin() + static_cast<std::ptrdiff_t>(std::min(common, text(i).size())),
                    text(i).begin())
        .first -
      text(0).begin());
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_text;
  by_text.reserve(ids.size());
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    std::uint64_t head = 0;
    for (std::size_t k = common; k < common + 8; ++k)
      head = head << 8 | (k < text(i).size() ? static_cast<unsigned char>(text(i)[k]) : 0U);
    by_text.emplace_back(head, i);
  }
  std::sort(by_text.begin(), by_text.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : text(a.second) < text(b.second);
  });
  std::vector<std::uint32_t> rank_of(ids.size());
  for (std::uint32_t i = 0; i < by_text.size(); ++i)
    rank_of[by_text[i].second] = i;
  std::vector<std::uint32_t> ranks;
  ranks.reserve(rows_.size());
  for (const auto& r : rows_)
    ranks.push_back(rank_of[static_cast<std::size_t>(std::lower_bound(ids.begin(), ids.end(), r.key) - ids.begin())]);
  return ranks;
}

void result_rows::order(const key_table& keys) {
  struct place {
    nanoseconds_t due;
    std::uint32_t rank;
    std::uint32_t row;
  };
  const auto ranks = key_ranks(keys);
  std::vector<place> places;
  places.reserve(rows_.size());
  for (std::uint32_t i = 0; i < rows_.size(); ++i)
    places.push_back(place{rows_[i].what.due, ranks[i], i});
  std::sort(places.begin(), places.end(), [&](const place& a, const place& b) {
    if (a.due != b.due)
      return a.due < b.due;
    if (a.rank != b.rank)
      return a.rank < b.rank;
    const auto rest = [](const emission& x) { return std::tie(x.start, x.seq, x.end, x.version); };
    return rest(rows_[a.row].what) < rest(rows_[b.row].what);
  });
  std::vector<row> ordered;
  ordered.reserve(rows_.size());
  for (const auto& p : places)
    ordered.push_back(std::move(rows_[p.row]));
  rows_ = std::move(ordered);
}

std::vector<result_rows::column_reasons> result_rows::accumulator_reasons() const {
  std::vector<column_reasons> known(plan_.base->size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const auto& [k, text] : rows_[i].reasons) {
      known[k].resize(rows_.size());
      known[k][i] = text;
    }
  }
  return known;
}

column result_rows::evaluate(const value_entry& v, const event_batch& scope, const std::vector<column_reasons>& known,
                             column_reasons& reasons) const {
  const auto n = scope.rows;
  expressions::evaluation e;
  v.program->evaluate(scope, e);
  const auto fail = [&](std::size_t i, std::string text) {
    reasons.resize(n);
    reasons[i] = std::move(text);
    e.values.set_null(i, n);
  };
  // An input without result makes the expression one without result, whatever it would do with null.
  for (const auto u : v.program->uses())
    for (std::size_t i = 0; i < known[u].size(); ++i)
      if (!known[u][i].empty() && (reasons.empty() || reasons[i].empty()))
        fail(i, known[u][i]);
  if (e.errors.empty())
    return std::move(e.values);
  for (std::size_t i = 0; i < n; ++i) {
    if (!e.is_error(i) || (!reasons.empty() && !reasons[i].empty()))
      continue;
    const auto uses = v.program->uses();
    const auto null = std::find_if(uses.begin(), uses.end(), [&](auto u) { return scope.columns[u].is_null(i); });
    if (null == uses.end())
      fail(i, std::string{e.reason(i)});
    else
      fail(i, (*null < plan_.hidden.size() ? plan_.hidden[*null].text : (*scope.layout)[*null].name) + " is null");
  }
  return std::move(e.values);
}

void result_rows::add_fixed_columns(event_batch& out) const {
  column start{data_type::timestamp};
  column end{data_type::timestamp};
  column version{data_type::int64};
  column final_{data_type::boolean};
  column retracted{data_type::boolean};
  column seq{data_type::int64};
  for (const auto& r : rows_) {
    start.i64.push_back(r.what.start);
    end.i64.push_back(r.what.end);
    seq.i64.push_back(r.what.seq);
    version.i64.push_back(r.what.version);
    final_.b8.push_back(r.what.final ? 1 : 0);
    retracted.b8.push_back(r.what.retracted ? 1 : 0);
  }
  out.columns.push_back(std::move(start));
  out.columns.push_back(std::move(end));
  if (plan_.options.kind == window_kind::count)
    out.columns.push_back(std::move(seq));
  out.columns.push_back(std::move(version));
  out.columns.push_back(std::move(final_));
  out.columns.push_back(std::move(retracted));
}

column result_rows::errors_column(const std::vector<column_reasons>& known) const {
  const auto first = plan_.base->size();
  column c{data_type::json};
  dictionary_builder texts;
  std::string text;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    text.clear();
    // A retracted window has no values, so none of them can be missing.
    const auto values = rows_[i].what.retracted ? 0 : plan_.values.size();
    for (std::size_t v = 0; v < values; ++v) {
      const auto& reasons = known[first + v];
      if (reasons.empty() || reasons[i].empty())
        continue;
      text += text.empty() ? '{' : ',';
      codec::append_string(text, plan_.values[v].name);
      text += ':';
      codec::append_string(text, reasons[i]);
    }
    if (text.empty())
      c.set_null(i, rows_.size());
    else
      text += '}';
    c.codes.push_back(texts.code(text));
  }
  c.dict = texts.finish();
  return c;
}

event_batch result_rows::finish(const key_table& keys) {
  order(keys);
  std::vector<std::uint32_t> places;
  places.reserve(rows_.size());
  for (const auto& r : rows_)
    places.push_back(r.place);
  auto scope = take(builder_.finish(), places);
  for (auto& c : scope.columns)
    order_entries(c);
  auto known = accumulator_reasons();
  for (const auto& v : plan_.values) {
    scope.layout = v.scope;
    column_reasons reasons;
    if (v.hidden) {
      auto values = scope.columns[*v.hidden];
      reasons = known[*v.hidden];
      scope.columns.push_back(std::move(values));
    } else {
      scope.columns.push_back(evaluate(v, scope, known, reasons));
    }
    known.push_back(std::move(reasons));
  }

  event_batch out;
  out.layout = plan_.result;
  out.rows = rows_.size();
  const auto columns = std::make_move_iterator(scope.columns.begin());
  const auto base = static_cast<std::ptrdiff_t>(plan_.base->size());
  const auto hidden = static_cast<std::ptrdiff_t>(plan_.hidden.size());
  out.columns.assign(columns + hidden, columns + base);
  add_fixed_columns(out);
  out.columns.insert(out.columns.end(), columns + base, std::make_move_iterator(scope.columns.end()));
  out.columns.push_back(errors_column(known));
  out.time = std::move(scope.time);
  out.watermark = std::move(scope.watermark);
  out.shard = std::move(scope.shard);
  for (std::size_t i = 0; i < rows_.size(); ++i)
    out.position.push_back(static_cast<std::int64_t>(i));
  // What many results took is not kept for the next step, which may be far away.
  if (rows_.size() > 1024) {
    rows_ = std::vector<row>{};
    builder_ = batch_builder{plan_.base};
  }
  rows_.clear();
  return out;
}

} // namespace millrace::windows
