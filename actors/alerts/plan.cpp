// SPDX-License-Identifier: Apache-2.0
#include "actors/alerts/plan.hpp"

#include "actors/alerts/compiled_rule.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <set>

namespace millrace::alerts {

namespace {

using expressions::expression;

constexpr std::string_view events_name = "events";

bool is_name(std::string_view s) {
  constexpr auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  constexpr auto rest = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !s.empty() && s.size() <= 40 && letter(s[0]) && std::all_of(s.begin(), s.end(), rest);
}

/// The scope's fields under the names that expressions use, at the same indices as the columns of the section.
schema variables_of(const scope& s) {
  std::vector<field> fields{s.layout->fields().begin(), s.layout->fields().end()};
  if (s.section.empty())
    return schema{std::move(fields)};
  // A value of the user's named `start` or `end` is what the expression means by that name.
  for (auto& f : fields)
    if ((f.name == codec::column_start && !s.layout->index_of("start")) ||
        (f.name == codec::column_end && !s.layout->index_of("end")))
      f.name.erase(0, 1);
  return schema{std::move(fields)};
}

class builder {
public:
  builder(const std::vector<scope>& scopes, std::vector<diagnostic>& findings) : scopes_{scopes}, findings_{findings} {}

  compiled_rule rule(rule_options o, std::size_t index) {
    path_ = "alerts[" + std::to_string(index) + "]";
    compiled_rule out;
    name(o);
    if (o.hold < 0)
      report("for", "`for` is negative");
    const auto* s = on(o);
    if (s != nullptr)
      compile(out, o, *s);
    out.labels = labels(o);
    out.options = std::move(o);
    return out;
  }

  std::vector<std::string> fields() const { return {fields_.begin(), fields_.end()}; }

private:
  void report(std::string_view member, std::string message, std::string hint = {}, std::size_t offset = 0) {
    findings_.push_back({path_ + "." + std::string{member}, offset, std::move(message), std::move(hint)});
  }

  void name(const rule_options& o) {
    if (!is_name(o.name))
      report("name", "`" + o.name + "` is not a rule name", "names match [a-z][a-z0-9_-]{0,39}");
    else if (!names_.insert(o.name).second)
      report("name", "a rule named `" + o.name + "` exists already");
  }

  const scope* on(const rule_options& o) {
    const auto section = o.on == events_name ? std::string_view{} : std::string_view{o.on};
    std::vector<std::string> known;
    for (const auto& s : scopes_) {
      if (s.section == section && (!section.empty() || o.on == events_name))
        return &s;
      known.push_back(s.section.empty() ? std::string{events_name} : s.section);
    }
    if (o.on.empty()) {
      report("on", "a rule needs `on`", "name a window, or `events`");
      return nullptr;
    }
    const auto near = expressions::nearest(o.on, known);
    report("on", "no window named `" + o.on + "`",
           near.empty() ? "name a window, or `events`" : "did you mean `" + near + "`?");
    return nullptr;
  }

  std::shared_ptr<const expression> predicate(std::string_view member, const std::string& text, const schema& vars) {
    std::vector<expressions::expression_error> errors;
    auto e = expression::compile(text, vars, errors);
    for (auto& x : errors)
      report(member, std::move(x.message), std::move(x.hint), x.offset);
    if (e && !e->is_predicate()) {
      report(member, "`" + std::string{member} + "` must be a bool, this is " + std::string{to_string(e->type())},
             "compare it with something");
      return nullptr;
    }
    return e;
  }

  void compile(compiled_rule& out, const rule_options& o, const scope& s) {
    const auto vars = variables_of(s);
    out.section = s.section;
    if (o.when.empty())
      report("when", "a rule needs `when`", "give a condition, such as `change > 0.05`");
    else
      out.when = predicate("when", o.when, vars);
    if (!o.clear.empty())
      out.clear = predicate("clear", o.clear, vars);
    out.summary = summary_template::compile(o.summary, vars, path_ + ".summary", findings_);
    if (s.section.empty())
      place_events(out, s);
    else
      place_window(out, s);
  }

  void place_events(compiled_rule& out, const scope& s) {
    for (const auto& k : s.key) {
      if (const auto i = s.layout->index_of(k))
        out.key.push_back(*i);
      else
        report("on", "a rule on events needs the key field `" + k + "`, which the events no longer have",
               "do not remove it in `enrich`");
    }
    if (out.when)
      out.values.assign(out.when->uses().begin(), out.when->uses().end());
    auto used = out.summary.uses();
    used.insert(used.end(), out.key.begin(), out.key.end());
    used.insert(used.end(), out.values.begin(), out.values.end());
    if (out.clear)
      used.insert(used.end(), out.clear->uses().begin(), out.clear->uses().end());
    for (const auto i : used)
      fields_.insert((*s.layout)[i].name);
  }

  void place_window(compiled_rule& out, const scope& s) {
    const auto place = [&](std::string_view column, std::size_t& to) {
      if (const auto i = s.layout->index_of(column))
        to = *i;
      else
        report("on", "the results of `" + s.section + "` have no column `" + std::string{column} + "`");
    };
    place(codec::column_end, out.window.end);
    place(codec::column_version, out.window.version);
    place(codec::column_final, out.window.final);
    place(codec::column_retracted, out.window.retracted);
  }

  static std::string labels(const rule_options& o) {
    std::string out = "{";
    for (const auto& [k, v] : o.labels) {
      if (out.size() > 1)
        out += ',';
      codec::append_string(out, k);
      out += ':';
      codec::append_string(out, v);
    }
    return out += '}';
  }

  const std::vector<scope>& scopes_;
  std::vector<diagnostic>& findings_;
  std::string path_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
};

} // namespace

bool compiled_plan::reads_events() const {
  return std::any_of(rules.begin(), rules.end(), [](const auto& r) { return r.on_events(); });
}
bool compiled_plan::reads_windows() const {
  return std::any_of(rules.begin(), rules.end(), [](const auto& r) { return !r.on_events(); });
}

void append_object(std::string& out, const event_batch& b, const std::vector<std::size_t>& columns, std::size_t row) {
  char separator = '{';
  for (const auto c : columns) {
    out += separator;
    separator = ',';
    codec::append_string(out, (*b.layout)[c].name);
    out += ':';
    codec::append_value(out, b.columns[c], row);
  }
  if (columns.empty())
    out += '{';
  out += '}';
}

plan_ptr make_plan(std::string pipeline, std::vector<rule_options> rules, std::vector<scope> scopes,
                   std::vector<diagnostic>& findings) {
  const auto before = findings.size();
  builder b{scopes, findings};
  auto out = std::make_shared<compiled_plan>();
  out->pipeline = std::move(pipeline);
  for (auto& r : rules)
    out->rules.push_back(b.rule(std::move(r), out->rules.size()));
  out->fields = b.fields();
  if (findings.size() != before)
    return nullptr;
  return out;
}

schema_ptr alert_schema() {
  static const auto layout = std::make_shared<const schema>(std::vector<field>{
    {"rule", data_type::string, false},
    {"id", data_type::string, false},
    {"key", data_type::json, false},
    {"state", data_type::string, false},
    {"at", data_type::timestamp, false},
    {"since", data_type::timestamp, false},
    {"severity", data_type::string, true},
    {"labels", data_type::json, false},
    {"summary", data_type::string, false},
    {"values", data_type::json, false},
  });
  return layout;
}

} // namespace millrace::alerts
