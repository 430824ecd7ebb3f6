// SPDX-License-Identifier: Apache-2.0
/// @file
/// Events, tables and plans in a few words, for the tests of the enrich stage.
#pragma once

#include "actors/enrich/plan.hpp"
#include "messaging/codec/json_writer.hpp"
#include "tests/support/catch.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace enrich_test {

using namespace millrace;
using namespace millrace::enrich;

using cell = std::variant<std::monostate, bool, int, double, std::string>;
using row = std::vector<cell>;

inline schema_ptr layout(std::vector<field> fields) { return std::make_shared<const schema>(std::move(fields)); }

/// Row i has time i, watermark i - 5, position (100 + i, 2), shard 1.
inline event_batch events(const schema_ptr& s, const std::vector<row>& rows) {
  batch_builder b{s};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t c = 0; c < rows[i].size(); ++c) {
      const auto& v = rows[i][c];
      if (const auto* x = std::get_if<bool>(&v))
        b.set_bool(c, *x);
      else if (const auto* n = std::get_if<int>(&v)) {
        if ((*s)[c].type == data_type::uint64)
          b.set_uint(c, static_cast<std::uint64_t>(*n));
        else
          b.set_int(c, *n);
      } else if (const auto* d = std::get_if<double>(&v))
        b.set_double(c, *d);
      else if (const auto* t = std::get_if<std::string>(&v))
        b.set_text(c, *t);
    }
    const auto t = static_cast<nanoseconds_t>(i);
    b.finish_row(t, t - 5, make_position(100 + i, 2), 1);
  }
  return b.finish();
}

inline std::vector<std::string> lines(const event_batch& b) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < b.rows; ++i) {
    out.emplace_back();
    codec::append_event(out.back(), b, i);
  }
  return out;
}

inline table_ptr csv(std::string name, std::string key, std::string_view text,
                     std::map<std::string, data_type> types = {}) {
  auto t = parse_csv_table({std::move(name), "table.csv", std::move(key), std::move(types)}, text);
  REQUIRE(t);
  return *t;
}

/// A plan that must be good.
inline plan_ptr good_plan(const schema_ptr& s, std::vector<step> steps, const table_map& tables = {},
                          std::optional<std::vector<std::string>> kept = {}) {
  options o;
  o.steps = std::move(steps);
  o.kept = std::move(kept);
  for (const auto& [name, t] : tables)
    o.tables.push_back({name, name + ".csv", "", {}});
  std::vector<diagnostic> findings;
  auto p = make_plan(o, s, tables, findings);
  for (const auto& f : findings)
    UNSCOPED_INFO(f.path << ": " << f.message);
  REQUIRE(p);
  REQUIRE(findings.empty());
  return p;
}

struct outcome {
  std::vector<std::string> rows;
  std::vector<rejected_event> rejected;
  millrace::ledger ledger;
};

inline outcome run(processor& p, const event_batch& in) {
  output out;
  input step;
  step.batch = &in;
  p.process(step, out);
  outcome r;
  for (const auto& s : out.sections) {
    CHECK(s.name.empty());
    for (auto& l : lines(s.batch))
      r.rows.push_back(std::move(l));
  }
  r.rejected = std::move(out.rejected);
  r.ledger = p.counters();
  CHECK(r.ledger.imbalance() == 0);
  return r;
}

inline outcome run(const schema_ptr& s, std::vector<step> steps, const std::vector<row>& rows,
                   const table_map& tables = {}) {
  const auto plan = good_plan(s, std::move(steps), tables);
  auto p = make_processor(plan, tables);
  return run(*p, events(s, rows));
}

using list = std::vector<std::string>;

} // namespace enrich_test
