// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/sections.hpp"

#include "actors/expressions/ast.hpp"

#include <string>
#include <xxhash.h>

namespace millrace::pipeline {

namespace {

/// Length-prefixed texts, so that no two definitions have the same canonical text.
class canonical {
public:
  canonical& text(std::string_view s) {
    out_ += std::to_string(s.size());
    out_ += ':';
    out_ += s;
    out_ += '\n';
    return *this;
  }
  template <class Integer>
  canonical& number(Integer n) {
    return text(std::to_string(n));
  }
  template <class Texts>
  canonical& list(const Texts& texts) {
    number(texts.size());
    for (const auto& t : texts)
      text(t);
    return *this;
  }
  /// White space and redundant parentheses do not change an expression.
  canonical& expression(const std::string& source) {
    std::vector<expressions::expression_error> errors;
    const auto tree = source.empty() ? nullptr : expressions::parse(source, errors);
    return text(tree ? expressions::unparse(*tree) : source);
  }
  std::uint64_t hash() const noexcept { return XXH3_64bits(out_.data(), out_.size()); }

private:
  std::string out_;
};

void add_event(canonical& c, const definition& def) {
  const auto& o = def.decode;
  c.number(static_cast<int>(o.format)).number(o.fields.size());
  for (const auto& f : o.fields) {
    c.text(f.field.name).text(to_string(f.field.type)).number(static_cast<int>(f.field.nullable));
    c.number(static_cast<int>(f.source)).list(f.path).number(static_cast<int>(f.unit)).text(f.pattern);
    c.number(static_cast<int>(f.kept));
  }
  c.number(o.time ? static_cast<std::int64_t>(*o.time) : -1).number(static_cast<int>(o.time_from_attribute));
  c.list(def.key).text(def.id).number(def.max_delay).number(def.idle_timeout).number(def.max_ahead);
}

void add_sources(canonical& c, const definition& def) {
  c.number(def.sources.size());
  for (const auto& s : def.sources)
    c.text(s.shard).text(s.nats.subject).text(s.nats.stream).text(s.http.path);
}

void add_step(canonical& c, const enrich::step& step) {
  c.number(step.index());
  if (const auto* filter = std::get_if<enrich::filter_step>(&step))
    c.expression(filter->condition);
  if (const auto* set = std::get_if<enrich::set_step>(&step))
    for (const auto& f : set->fields)
      c.text(f.first).expression(f.second);
  if (const auto* remove = std::get_if<enrich::remove_step>(&step))
    c.list(remove->fields);
  if (const auto* lookup = std::get_if<enrich::lookup_step>(&step))
    c.text(lookup->table).text(lookup->on).list(lookup->add).number(static_cast<int>(lookup->missing));
}

void add_enrich(canonical& c, const enrich::options& o) {
  c.number(o.tables.size());
  for (const auto& t : o.tables) {
    c.text(t.name).text(t.key).number(t.types.size());
    for (const auto& [column, type] : t.types)
      c.text(column).text(to_string(type));
    // Where a server is may change; a file's path does not count either.
    if (t.remote.what != enrich::remote_table::kind::none)
      c.number(static_cast<int>(t.remote.what)).text(t.remote.bucket).text(t.remote.query).list(t.columns);
  }
  // The key and the id are part of the event's.
  if (o.duplicates)
    c.text("duplicates").number(o.duplicates->within);
  c.number(o.steps.size());
  for (const auto& step : o.steps)
    add_step(c, step);
}

void add_windows(canonical& c, const std::vector<windows::window_options>& windows) {
  c.number(windows.size());
  for (const auto& w : windows) {
    c.text(w.name).list(w.key).number(static_cast<int>(w.kind)).number(w.size).number(w.every).number(w.lateness);
    for (const auto n : {w.gap, w.max, w.count, w.count_every, w.early})
      c.number(n);
    c.expression(w.where).number(w.aggregates.size());
    for (const auto& a : w.aggregates)
      c.text(a.first).expression(a.second);
  }
}

void add_alerts(canonical& c, const std::vector<alerts::rule_options>& rules) {
  c.number(rules.size());
  for (const auto& r : rules) {
    c.text(r.name).text(r.on).expression(r.when).expression(r.clear).number(r.hold).text(r.severity).text(r.summary);
    c.number(r.labels.size());
    for (const auto& l : r.labels)
      c.text(l.first).text(l.second);
  }
}

} // namespace

std::uint64_t fingerprint(const draft& d) {
  canonical c;
  c.text("millrace definition 1").text(d.def.name).number(d.def.partitions);
  add_event(c, d.def);
  add_sources(c, d.def);
  add_enrich(c, d.def.enrich_options);
  add_windows(c, d.windows);
  add_alerts(c, d.rules);
  return c.hash();
}

} // namespace millrace::pipeline
