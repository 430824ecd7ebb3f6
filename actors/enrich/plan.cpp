// SPDX-License-Identifier: Apache-2.0
#include "actors/enrich/plan.hpp"

#include "actors/enrich/compiled_steps.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace millrace::enrich {

namespace {

using expressions::expression;

bool is_identifier(std::string_view s) {
  static constexpr std::array<std::string_view, 21> reserved{
    "as",  "break", "const", "continue",  "else",    "false",  "for",  "function", "if",   "import", "in",
    "let", "loop",  "null",  "namespace", "package", "return", "true", "var",      "void", "while"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !s.empty() && letter(s[0]) && std::all_of(s.begin(), s.end(), rest) &&
         std::find(reserved.begin(), reserved.end(), s) == reserved.end();
}

/// Whether `n` mentions one of `names`.
bool mentions(const expressions::node& n, const std::set<std::string>& names) {
  if (n.what == expressions::node::kind::identifier && names.contains(n.name))
    return true;
  if (n.target && mentions(*n.target, names))
    return true;
  return std::any_of(n.args.begin(), n.args.end(), [&](const auto& a) { return a && mentions(*a, names); });
}

class builder {
public:
  builder(const options& o, schema_ptr input, const table_map& tables, std::vector<diagnostic>& findings)
    : options_{o}, tables_{tables}, findings_{findings}, out_{std::make_shared<compiled_plan>()} {
    out_->input = std::move(input);
    for (const auto& f : out_->input->fields()) {
      names_.push_back(add_slot(f));
    }
  }

  plan_ptr build() {
    if (options_.duplicates)
      add(*options_.duplicates);
    for (std::size_t i = 0; i < options_.steps.size(); ++i) {
      path_ = "enrich.steps[" + std::to_string(i) + "]";
      std::visit([&](const auto& s) { this->add(s); }, options_.steps[i]);
    }
    if (failed_)
      return nullptr;
    finish();
    return out_;
  }

private:
  void report(const std::string& path, std::string message, std::string hint = {}, std::size_t offset = 0) {
    findings_.push_back({path, offset, std::move(message), std::move(hint)});
    failed_ = true;
  }

  std::size_t add_slot(const field& f) {
    slots_.push_back(f);
    out_->needed_until.push_back(0);
    return slots_.size() - 1;
  }

  /// The position in `names_` of the field named `name`, or their number.
  std::size_t place_of(std::string_view name) const {
    const auto it = std::find_if(names_.begin(), names_.end(), [&](auto slot) { return slots_[slot].name == name; });
    return static_cast<std::size_t>(it - names_.begin());
  }

  std::string did_you_mean(std::string_view name) const {
    std::vector<std::string> known;
    for (const auto slot : names_)
      known.push_back(slots_[slot].name);
    return hint(name, known);
  }
  static std::string hint(std::string_view name, const std::vector<std::string>& known) {
    const auto near = expressions::nearest(name, known);
    return near.empty() ? std::string{} : "did you mean `" + near + "`?";
  }

  /// Names of the slots at this point, for expressions; forgotten ones cannot be written in CEL.
  schema variables() const {
    auto fields = slots_;
    std::vector<bool> named(slots_.size());
    for (const auto slot : names_)
      named[slot] = true;
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (!named[i])
        fields[i].name = "$" + std::to_string(i);
    return schema{std::move(fields)};
  }

  expression_ptr compile(const std::string& text, const std::string& path) {
    std::vector<expressions::expression_error> errors;
    auto e = expression::compile(text, variables(), errors);
    if (e)
      return e;
    failed_ = true;
    // A field whose own definition was wrong is reported there only.
    std::vector<expressions::expression_error> ignored;
    if (const auto tree = expressions::parse(text, ignored); tree && mentions(*tree, unknown_))
      return nullptr;
    for (auto& x : errors)
      report(path, std::move(x.message), std::move(x.hint), x.offset);
    return nullptr;
  }

  void need(std::size_t slot, bool by_step = true) {
    auto& until = out_->needed_until[slot];
    until = std::max(until, out_->operations.size() + 1);
    if (by_step && slot < out_->input->size())
      read_.insert(slot);
  }

  void append(operation op) { out_->operations.push_back(std::move(op)); }

  void add(const duplicates_options& o) {
    compiled_duplicates d;
    d.within = o.within;
    d.limits = o.limits;
    const auto use = [&](const std::string& name) {
      const auto at = out_->input->index_of(name);
      if (at)
        read_.insert(*at);
      else
        report("enrich.duplicates", "no field named `" + name + "`", did_you_mean(name));
      return at.value_or(0);
    };
    for (const auto& name : o.key)
      d.columns.push_back(use(name));
    d.id = use(o.id);
    d.columns.push_back(d.id);
    // The loader's stand-in for the id of CloudEvents: nothing else can name it.
    std::erase_if(names_, [&](auto slot) { return slots_[slot].name.starts_with('$'); });
    out_->duplicates = std::move(d);
  }

  void add(const filter_step& s) {
    const auto path = path_ + ".filter";
    auto e = compile(s.condition, path);
    if (!e)
      return;
    if (!e->is_predicate()) {
      report(path, "a filter must be a bool, this is " + std::string{to_string(e->type())},
             "compare it with something");
      return;
    }
    for (const auto slot : e->uses())
      need(slot);
    append({filter_op{std::move(e)}, path});
  }

  void add(const set_step& s) {
    for (const auto& [name, text] : s.fields) {
      const auto path = path_ + ".set." + name;
      if (!is_identifier(name))
        report(path, "`" + name + "` is not a field name", "use letters, digits and _, and no word of CEL");
      auto e = compile(text, path);
      if (!e) {
        unknown_.insert(name);
        continue;
      }
      unknown_.erase(name);
      for (const auto slot : e->uses())
        need(slot);
      const auto place = place_of(name);
      const auto slot = add_slot({name, e->type(), e->nullable()});
      if (place < names_.size())
        names_[place] = slot;
      else
        names_.push_back(slot);
      append({set_op{std::move(e)}, path});
    }
  }

  void add(const remove_step& s) {
    for (std::size_t i = 0; i < s.fields.size(); ++i) {
      const auto& name = s.fields[i];
      const auto place = place_of(name);
      if (place == names_.size()) {
        failed_ = true;
        if (unknown_.erase(name) == 0)
          report(path_ + ".remove[" + std::to_string(i) + "]", "no field named `" + name + "`", did_you_mean(name));
        continue;
      }
      if (names_[place] < out_->input->size())
        read_.insert(names_[place]);
      names_.erase(names_.begin() + static_cast<std::ptrdiff_t>(place));
    }
  }

  const table* find_table(const lookup_step& s) {
    if (const auto it = tables_.find(s.table); it != tables_.end())
      return it->second.get();
    std::vector<std::string> known;
    for (const auto& t : options_.tables)
      known.push_back(t.name);
    // One that is declared but not there could not be loaded, and that is reported already.
    failed_ = true;
    if (std::find(known.begin(), known.end(), s.table) == known.end())
      report(path_ + ".lookup.table", "no table named `" + s.table + "`", hint(s.table, known));
    return nullptr;
  }

  void add(const lookup_step& s) {
    const auto* t = find_table(s);
    lookup_op op;
    op.table = s.table;
    op.on_name = s.on;
    op.missing = s.missing;
    const auto place = place_of(s.on);
    if (place < names_.size()) {
      op.on = names_[place];
      if (t != nullptr)
        check_key(*t, slots_[op.on], s);
    } else if (!unknown_.contains(s.on)) {
      report(path_ + ".lookup.on", "no field named `" + s.on + "`", did_you_mean(s.on));
    }
    if (t == nullptr) {
      unknown_.insert(s.add.begin(), s.add.end());
      return;
    }
    op.key_type = t->columns()[t->key_column()].type;
    if (place < names_.size())
      need(op.on);
    for (std::size_t i = 0; i < s.add.size(); ++i)
      add_column(op, *t, s, i);
    append({std::move(op), path_ + ".lookup"});
  }

  void check_key(const table& t, const field& on, const lookup_step& s) {
    const auto& key = t.columns()[t.key_column()];
    if (key.type != on.type)
      report(path_ + ".lookup.on",
             "`" + s.on + "` is " + std::string{to_string(on.type)} + ", but the key `" + key.name + "` of table `" +
               s.table + "` is " + std::string{to_string(key.type)},
             "convert it with `set`, or give the column a type under `tables`");
  }

  void add_column(lookup_op& op, const table& t, const lookup_step& s, std::size_t i) {
    const auto path = path_ + ".lookup.add[" + std::to_string(i) + "]";
    const auto& name = s.add[i];
    const auto c = t.columns().index_of(name);
    if (!c) {
      std::vector<std::string> known;
      for (const auto& f : t.columns().fields())
        known.push_back(f.name);
      report(path, "table `" + s.table + "` has no column `" + name + "`", hint(name, known));
      unknown_.insert(name);
      return;
    }
    if (!is_identifier(name)) {
      report(path, "column `" + name + "` cannot be a field", "name it with letters, digits and _, and no word of CEL");
      return;
    }
    if (place_of(name) < names_.size()) {
      report(path, "a field named `" + name + "` exists already", "remove it first, or rename the column");
      return;
    }
    auto f = t.columns()[*c];
    f.nullable = f.nullable || s.missing == missing_policy::keep;
    names_.push_back(add_slot(f));
    op.columns.push_back(*c);
  }

  void finish() {
    std::vector<field> fields;
    for (const auto slot : names_) {
      const auto& f = slots_[slot];
      if (options_.kept && std::find(options_.kept->begin(), options_.kept->end(), f.name) == options_.kept->end())
        continue;
      fields.push_back(f);
      out_->output_slots.push_back(slot);
      need(slot, false);
    }
    out_->output = std::make_shared<const schema>(std::move(fields));
    out_->declared = options_.tables;
    for (const auto& t : options_.tables)
      out_->layouts.emplace(t.name, layout_of(t.name));
    for (const auto slot : read_)
      out_->read.push_back((*out_->input)[slot].name);
  }

  /// Contents may have nulls in later versions, unless a field of the output was promised to have none.
  schema layout_of(const std::string& name) const {
    const auto it = tables_.find(name);
    if (it == tables_.end())
      return {};
    const auto& t = *it->second;
    std::vector<field> fields{t.columns().fields().begin(), t.columns().fields().end()};
    for (auto& f : fields)
      f.nullable = true;
    fields[t.key_column()].nullable = false;
    for (const auto& o : out_->operations)
      if (const auto* op = std::get_if<lookup_op>(&o.what);
          op && op->table == name && op->missing != missing_policy::keep)
        for (const auto c : op->columns)
          fields[c].nullable = t.columns()[c].nullable;
    return schema{std::move(fields)};
  }

  const options& options_;
  const table_map& tables_;
  std::vector<diagnostic>& findings_;
  std::shared_ptr<compiled_plan> out_;
  std::string path_;
  bool failed_ = false;
  std::vector<field> slots_;
  /// Slots of the fields that exist at this point, in the order of the schema.
  std::vector<std::size_t> names_;
  std::set<std::size_t> read_;
  /// Fields that would exist, but for errors reported already.
  std::set<std::string> unknown_;
};

} // namespace

const schema& compiled_plan::table_columns(std::string_view table) const {
  static const schema none;
  const auto it = layouts.find(table);
  return it == layouts.end() ? none : it->second;
}

plan_ptr make_plan(const options& o, schema_ptr input, const table_map& tables, std::vector<diagnostic>& findings) {
  return builder{o, std::move(input), tables, findings}.build();
}

} // namespace millrace::enrich
