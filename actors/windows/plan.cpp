// SPDX-License-Identifier: Apache-2.0
#include "actors/windows/plan.hpp"

#include "actors/windows/window_plan.hpp"
#include "messaging/codec/json_writer.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

namespace millrace::windows {

namespace {

constexpr nanoseconds_t second = 1'000'000'000;
/// Far beyond use, far below overflow of nanoseconds.
constexpr nanoseconds_t longest = nanoseconds_t{10} * 366 * 24 * 3600 * second;
constexpr std::int64_t max_slices = 100'000;

bool is_window_name(std::string_view name) {
  if (name.empty() || name.size() > 40 || name.front() < 'a' || name.front() > 'z')
    return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

class plan_builder {
public:
  plan_builder(schema_ptr input, std::vector<diagnostic>& findings)
    : plan_{std::make_shared<checked_plan>()}, events_{*input, plan_->events}, findings_{findings} {
    plan_->input = std::move(input);
  }

  plan_ptr run(std::vector<window_options> windows) {
    const auto before = findings_.size();
    for (std::size_t i = 0; i < windows.size(); ++i)
      add(std::move(windows[i]), "windows[" + std::to_string(i) + "]");
    if (findings_.size() != before)
      return nullptr;
    for (const auto& w : plan_->windows)
      describe(w);
    return plan_;
  }

private:
  void fail(std::string path, std::string message, std::string hint) {
    findings_.push_back(diagnostic{std::move(path), 0, std::move(message), std::move(hint)});
  }

  void add(window_options options, const std::string& path) {
    window_plan w;
    w.options = std::move(options);
    if (w.options.kind == window_kind::tumbling)
      w.options.every = w.options.size;
    check_name(w.options, path);
    check_lateness(w.options, path);
    switch (w.options.kind) {
    case window_kind::tumbling:
    case window_kind::sliding: check_times(w, path); break;
    case window_kind::session: check_session(w.options, path); break;
    case window_kind::count: check_count(w.options, path); break;
    case window_kind::global: check_global(w, path); break;
    }
    check_key(w, path);
    check_where(w, path);
    check_aggregate_names(w.options, path + ".aggregate");
    compile_aggregates(w, path + ".aggregate", events_, findings_);
    w.result = layout(w);
    plan_->windows.push_back(std::move(w));
  }

  void check_name(const window_options& o, const std::string& path) {
    if (!is_window_name(o.name))
      fail(path + ".name", "'" + o.name + "' is not a window name",
           "a lower-case letter, then up to 39 of a-z 0-9 _ -");
    else if (o.name == "events")
      fail(path + ".name", "a window cannot be named 'events'", "alert rules use that name for the events");
    else if (!names_.insert(o.name).second)
      fail(path + ".name", "two windows are named '" + o.name + "'", "rename one of them");
  }

  void check_times(window_plan& w, const std::string& path) {
    const auto& o = w.options;
    const bool tumbling = o.kind == window_kind::tumbling;
    const auto size_path = path + (tumbling ? ".tumbling" : ".sliding.size");
    const auto every_path = path + (tumbling ? ".tumbling" : ".sliding.every");
    bool ok = true;
    const auto check = [&](bool good, const std::string& where, const char* message, const char* hint) {
      if (!good)
        fail(where, message, hint);
      ok = ok && good;
    };
    check(o.size > 0 && o.size <= longest, size_path, "a window's size must be positive and at most 10 years",
          "for example 1m");
    if (!tumbling)
      check(o.every > 0 && o.every <= o.size, every_path, "`every` must be positive and at most `size`",
            "windows further apart than their size would skip events");
    if (!ok)
      return;
    w.grid = window_grid{o.size, o.every, o.lateness, std::gcd(o.size, o.every)};
    check(o.size / w.grid.width <= max_slices, every_path,
          "a window would consist of more than 100000 slices of the greatest common divisor of `size` and `every`",
          "choose `every` so that it divides `size`, or a longer one");
  }

  void check_lateness(const window_options& o, const std::string& path) {
    if (o.lateness < 0 || o.lateness > longest)
      fail(path + ".lateness", "lateness must be between 0s and 10 years", "for example 30s");
    if (o.early < 0 || o.early > longest)
      fail(path + ".early", "`early` must be between 0s (off) and 10 years", "for example 5s");
    const bool timed = o.kind != window_kind::count && o.kind != window_kind::global;
    if (o.lateness > 0 && !timed)
      fail(path + ".lateness", "a count or global window has no lateness",
           "its events are never late: take the line out");
    if (o.early > 0 && !timed)
      fail(path + ".early", "a count or global window has no early results",
           o.kind == window_kind::global ? "`every` says how often it is emitted" : "use a smaller `every`");
  }

  void check_session(const window_options& o, const std::string& path) {
    if (o.gap <= 0 || o.gap > longest)
      fail(path + ".session.gap", "the gap of a session must be positive and at most 10 years", "for example 30s");
    if (o.max < 0 || o.max > longest || (o.max > 0 && o.max < o.gap))
      fail(path + ".session.max", "`max` must be at least `gap` and at most 10 years", "for example 10m");
  }

  void check_count(const window_options& o, const std::string& path) {
    if (o.count < 1 || o.count > static_cast<std::int64_t>(max_count))
      fail(path + ".count.size", "a count window holds 1 to 1000000 events", "for example 100");
    if (o.count_every < 1 || o.count_every > o.count)
      fail(path + ".count.every", "`every` must be at least 1 and at most `size`",
           "windows further apart than their size would skip events");
  }

  void check_global(window_plan& w, const std::string& path) {
    if (w.options.every <= 0 || w.options.every > longest)
      fail(path + ".global.every", "the period of a global window must be positive and at most 10 years",
           "for example 10s");
    else
      w.grid = window_grid{w.options.every, w.options.every, 0, w.options.every};
  }

  void check_key(window_plan& w, const std::string& path) {
    std::set<std::string> seen;
    std::vector<std::string> known;
    for (const auto& f : plan_->input->fields())
      known.push_back(f.name);
    for (std::size_t i = 0; i < w.options.key.size(); ++i) {
      const auto& name = w.options.key[i];
      const auto here = path + ".key[" + std::to_string(i) + "]";
      const auto column = plan_->input->index_of(name);
      if (!column) {
        const auto near = expressions::nearest(name, known);
        fail(here, "unknown field '" + name + "'", near.empty() ? "" : "did you mean " + near + "?");
      } else if (!seen.insert(name).second) {
        fail(here, "field '" + name + "' is twice in the key", "remove one");
      } else if ((*plan_->input)[*column].type == data_type::json) {
        fail(here, "field '" + name + "' is json and cannot be a key", "declare the member you need as a field");
      } else {
        w.key_columns.push_back(*column);
      }
    }
  }

  void check_where(window_plan& w, const std::string& path) {
    if (w.options.where.empty())
      return;
    std::vector<expressions::expression_error> errors;
    const auto tree = expressions::parse(w.options.where, errors);
    if (!tree) {
      report(errors, path + ".where", findings_);
      return;
    }
    w.where = events_.add(tree, path + ".where", findings_);
    if (w.where && !events_.is_predicate(*w.where))
      fail(path + ".where", "`where` must be a condition (bool)", "for example: size < 1000");
  }

  void check_aggregate_names(const window_options& o, const std::string& path) {
    if (o.aggregates.empty())
      fail(path, "a window needs at least one aggregate", "for example: events: count()");
    std::set<std::string> seen;
    for (const auto& [name, text] : o.aggregates) {
      const auto here = path + "." + name;
      if (!is_identifier(name))
        fail(here, "'" + name + "' is not an identifier", "letters, digits and _, not starting with a digit");
      else if (std::find(o.key.begin(), o.key.end(), name) != o.key.end())
        fail(here, "aggregate '" + name + "' is named like a key field", "rename it");
      else if (!seen.insert(name).second)
        fail(here, "two aggregates are named '" + name + "'", "rename one of them");
    }
  }

  schema_ptr layout(const window_plan& w) const {
    std::vector<field> fields;
    for (const auto c : w.key_columns)
      fields.push_back((*plan_->input)[c]);
    fields.push_back(field{std::string{codec::column_start}, data_type::timestamp, false});
    fields.push_back(field{std::string{codec::column_end}, data_type::timestamp, false});
    if (w.options.kind == window_kind::count)
      fields.push_back(field{std::string{codec::column_seq}, data_type::int64, false});
    fields.push_back(field{std::string{codec::column_version}, data_type::int64, false});
    fields.push_back(field{std::string{codec::column_final}, data_type::boolean, false});
    fields.push_back(field{std::string{codec::column_retracted}, data_type::boolean, false});
    for (const auto& v : w.values)
      fields.push_back(field{v.name, v.type, true});
    fields.push_back(field{std::string{codec::column_errors}, data_type::json, true});
    return std::make_shared<const schema>(std::move(fields));
  }

  /// Everything that a snapshot's meaning depends on.
  void describe(const window_plan& w) {
    auto& out = plan_->fingerprint;
    const auto add_text = [&](std::string_view t) { out.append(std::to_string(t.size())).append(":").append(t); };
    add_text(w.options.name);
    for (const auto c : w.key_columns) {
      add_text((*plan_->input)[c].name);
      add_text(to_string((*plan_->input)[c].type));
    }
    out += '|' + std::to_string(w.grid.size) + '|' + std::to_string(w.grid.every) + '|' +
           std::to_string(w.options.lateness) + '|';
    for (const auto n : {static_cast<std::int64_t>(w.options.kind), w.options.gap, w.options.max, w.options.count,
                         w.options.count_every, w.options.early, static_cast<std::int64_t>(w.options.merged)})
      out += std::to_string(n) + '|';
    add_text(w.options.where);
    for (const auto& h : w.hidden) {
      add_text(h.text);
      add_text(to_string(h.type));
      // avg(x) is a double over int and over double, but its states differ.
      add_text(h.argument_type ? to_string(*h.argument_type) : "");
    }
    out += '\n';
  }

  std::shared_ptr<checked_plan> plan_;
  event_expression_set events_;
  std::vector<diagnostic>& findings_;
  std::set<std::string> names_;
};

} // namespace

bool is_identifier(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 22> reserved{
    "true", "false",  "null", "in",   "as",      "break",     "const",  "continue", "else", "for",   "function",
    "if",   "import", "let",  "loop", "package", "namespace", "return", "var",      "void", "while", "__proto__"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !letter(name.front()))
    return false;
  if (!std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); }))
    return false;
  return std::find(reserved.begin(), reserved.end(), name) == reserved.end();
}

std::vector<std::string> checked_plan::fields_read() const {
  std::set<std::size_t> columns;
  for (const auto& w : windows)
    columns.insert(w.key_columns.begin(), w.key_columns.end());
  for (const auto& e : events)
    columns.insert(e.program->uses().begin(), e.program->uses().end());
  std::vector<std::string> names;
  for (const auto c : columns)
    names.push_back((*input)[c].name);
  return names;
}

plan_ptr make_plan(std::vector<window_options> windows, schema_ptr input, std::vector<diagnostic>& findings) {
  return plan_builder{std::move(input), findings}.run(std::move(windows));
}

} // namespace millrace::windows
