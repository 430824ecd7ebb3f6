// SPDX-License-Identifier: Apache-2.0
// From the texts of `aggregate` to accumulators and expressions over them.
#include "actors/windows/window_plan.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace::windows {

namespace {

using expressions::node;
using expressions::node_ptr;

bool is_aggregate_call(const node& n) {
  return n.what == node::kind::call && !n.target && find_aggregate(n.name) != nullptr;
}

/// Names of CEL that also occur in messages about types.
bool is_conversion(std::string_view name) {
  static constexpr std::array<std::string_view, 12> names{"double", "int",       "uint",     "string", "bool", "bytes",
                                                          "type",   "timestamp", "duration", "size",   "has",  "dyn"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The first node for which `wanted` holds, parents first.
template <class F>
const node* find_node(const node_ptr& n, F&& wanted) {
  if (!n)
    return nullptr;
  if (wanted(*n))
    return n.get();
  if (const auto* found = find_node(n->target, wanted))
    return found;
  for (const auto& a : n->args)
    if (const auto* found = find_node(a, wanted))
      return found;
  return nullptr;
}

void add_finding(std::vector<diagnostic>& findings, const std::string& path, std::size_t offset, std::string message,
                 std::string hint) {
  findings.push_back(diagnostic{path, offset, std::move(message), std::move(hint)});
}

std::vector<std::string> aggregate_names() {
  std::vector<std::string> names;
  for (const auto& k : aggregate_kinds())
    names.emplace_back(k.name);
  return names;
}

std::string list_of_aggregates() {
  std::string text;
  for (const auto& k : aggregate_kinds()) {
    if (!text.empty())
      text += ", ";
    text += k.name;
  }
  return text;
}

/// How a kind is called: `quantile(x, rank)`.
std::string usage_of(const aggregate_kind& kind) {
  std::string text{kind.name};
  text += kind.max_arguments == 0 ? "(" : "(x";
  for (const auto& p : kind.parameters) {
    text += p.type == aggregate_parameter::kind::duration ? ", duration('10s')" : ", ";
    if (p.type != aggregate_parameter::kind::duration)
      text += p.name;
  }
  return text + ")";
}

std::string range_of(const aggregate_parameter& p) {
  const auto whole = [](double v) { return std::to_string(static_cast<std::int64_t>(v)); };
  switch (p.type) {
  case aggregate_parameter::kind::duration: return "a duration above zero";
  case aggregate_parameter::kind::integer: return "an int from " + whole(p.min) + " to " + whole(p.max);
  case aggregate_parameter::kind::number: break;
  }
  return "a number from " + whole(p.min) + " to " + whole(p.max);
}

/// The first row as a parameter; none when its type does not fit.
std::optional<parameter_value> value_of(const column& c, aggregate_parameter::kind wanted) {
  using kind = aggregate_parameter::kind;
  parameter_value v;
  if (wanted == kind::number && c.type == data_type::float64)
    v.number = c.f64[0];
  else if (wanted == kind::number && c.type == data_type::int64)
    v.number = static_cast<double>(c.i64[0]);
  else if ((wanted == kind::integer && c.type == data_type::int64) ||
           (wanted == kind::duration && c.type == data_type::duration))
    v.integer = c.i64[0];
  else
    return std::nullopt;
  return v;
}

/// Compiles the entries of one window. Works in two passes, because the scope of an expression starts with all
/// accumulators of the window, also those that later entries bring in.
class aggregate_compiler {
public:
  aggregate_compiler(window_plan& w, event_expression_set& events, std::vector<diagnostic>& findings)
    : window_{w}, events_{events}, findings_{findings} {}

  void run(const std::string& path) {
    std::vector<entry> entries;
    for (const auto& [name, text] : window_.options.aggregates)
      entries.push_back(parse(path + "." + name, name, text));
    std::vector<field> scope;
    for (std::size_t k = 0; k < window_.hidden.size(); ++k)
      scope.push_back(field{"#" + std::to_string(k), window_.hidden[k].type, window_.hidden[k].kind->nullable});
    for (const auto c : window_.key_columns)
      scope.push_back(events_.input()[c]);
    window_.base = std::make_shared<const schema>(scope);
    for (const auto& e : entries)
      finish(e, scope);
  }

private:
  struct entry {
    std::string path;
    std::string name;
    /// Null: there were errors.
    node_ptr tree;
    std::optional<std::size_t> bare;
  };

  entry parse(std::string path, const std::string& name, const std::string& text) {
    entry e{std::move(path), name, nullptr, std::nullopt};
    std::vector<expressions::expression_error> errors;
    const auto tree = expressions::parse(text, errors);
    if (!tree) {
      report(errors, e.path, findings_);
      return e;
    }
    bool ok = true;
    auto replaced = expressions::rewrite(tree, [&](const node_ptr& n) -> node_ptr {
      if (!is_aggregate_call(*n))
        return nullptr;
      const auto k = hidden(*n, e.path);
      ok = ok && k.has_value();
      if (n == tree)
        e.bare = k;
      auto id = std::make_shared<node>();
      id->what = node::kind::identifier;
      id->offset = n->offset;
      id->length = n->length;
      id->name = "#" + std::to_string(k.value_or(0));
      return id;
    });
    if (ok)
      e.tree = std::move(replaced);
    return e;
  }

  /// The accumulator of an aggregate call, shared with equal calls; none with a finding when it is wrong.
  std::optional<std::size_t> hidden(const node& call, const std::string& path) {
    const auto text = expressions::unparse(call);
    const auto same =
      std::find_if(window_.hidden.begin(), window_.hidden.end(), [&](const auto& h) { return h.text == text; });
    if (same != window_.hidden.end())
      return static_cast<std::size_t>(same - window_.hidden.begin());
    hidden_aggregate h;
    h.kind = find_aggregate(call.name);
    h.text = text;
    if (!check_arguments(call, h, path))
      return std::nullopt;
    const auto type = h.kind->result(h.argument_type);
    if (!type) {
      add_finding(findings_, path, call.args[0]->offset,
                  std::string{h.kind->name} + "() does not accept " +
                    std::string{to_string(h.argument_type.value_or(data_type::json))},
                  "it accepts " + std::string{h.kind->accepts});
      return std::nullopt;
    }
    h.type = *type;
    window_.hidden.push_back(std::move(h));
    return window_.hidden.size() - 1;
  }

  bool check_arguments(const node& call, hidden_aggregate& h, const std::string& path) {
    const auto& kind = *h.kind;
    if (!check_number_of_arguments(call, kind, path))
      return false;
    if (!check_parameters(call, h, path))
      return false;
    if (call.args.empty())
      return true;
    if (const auto* inner = find_node(call.args[0], is_aggregate_call)) {
      add_finding(findings_, path, inner->offset, "an aggregate inside an aggregate",
                  "give the inner one a name of its own, or write an expression over two aggregates");
      return false;
    }
    h.argument = events_.add(call.args[0], path, findings_);
    if (!h.argument)
      return false;
    h.argument_type = events_.type(*h.argument);
    // A dynamic value is not a bool although CEL might find it to be one at run time.
    if (kind.name == "count_if" && !events_.is_predicate(*h.argument))
      h.argument_type = *h.argument_type == data_type::boolean ? data_type::json : *h.argument_type;
    return true;
  }

  bool check_number_of_arguments(const node& call, const aggregate_kind& kind, const std::string& path) {
    const auto required = static_cast<std::size_t>(
      std::count_if(kind.parameters.begin(), kind.parameters.end(), [](const auto& p) { return !p.otherwise; }));
    const auto least = kind.min_arguments + required;
    const auto most = kind.max_arguments + kind.parameters.size();
    const auto n = call.args.size();
    if (n >= least && n <= most)
      return true;
    const auto limit = n < least ? least : most;
    const std::string takes = least == most ? "takes exactly " : n < least ? "takes at least " : "takes at most ";
    add_finding(findings_, path, call.offset,
                std::string{kind.name} + "() " + takes + std::to_string(limit) +
                  (limit == 1 ? " argument" : " arguments") + ", not " + std::to_string(n),
                std::string{kind.sentence} + " " + usage_of(kind));
    return false;
  }

  bool check_parameters(const node& call, hidden_aggregate& h, const std::string& path) {
    const auto& all = h.kind->parameters;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto place = h.kind->max_arguments + i;
      if (place >= call.args.size()) {
        const auto value = all[i].otherwise.value_or(0.0);
        h.parameters.push_back({value, static_cast<std::int64_t>(value)});
        continue;
      }
      const auto value = parameter(call.args[place], *h.kind, all[i], path);
      if (!value)
        return false;
      h.parameters.push_back(*value);
    }
    return true;
  }

  /// The value of a constant argument; none with a finding.
  std::optional<parameter_value> parameter(const node_ptr& tree, const aggregate_kind& kind,
                                           const aggregate_parameter& p, const std::string& path) {
    const auto wrong = [&](std::string message) {
      add_finding(findings_, path, tree->offset,
                  std::string{p.name} + " of " + std::string{kind.name} + "() " + std::move(message),
                  "it is " + range_of(p) + ": " + usage_of(kind));
      return std::nullopt;
    };
    const schema nothing;
    std::vector<expressions::expression_error> errors;
    const auto program = expressions::expression::compile(tree, nothing, errors);
    if (!program) {
      std::vector<expressions::expression_error> with_fields;
      if (find_node(tree, is_aggregate_call) != nullptr ||
          expressions::expression::compile(tree, events_.input(), with_fields))
        return wrong("must be a constant, known before the first event");
      report(with_fields, path, findings_);
      return std::nullopt;
    }
    batch_builder one_row{std::make_shared<const schema>()};
    one_row.finish_row(0, 0, 0, 0);
    expressions::evaluation e;
    program->evaluate(one_row.finish(), e);
    if (e.is_error(0))
      return wrong("has no value: " + std::string{e.reason(0)});
    if (e.values.is_null(0))
      return wrong("must not be null");
    const auto value = value_of(e.values, p.type);
    if (!value)
      return wrong("must not be " + std::string{to_string(e.values.type)});
    const double bounded =
      p.type == aggregate_parameter::kind::number ? value->number : static_cast<double>(value->integer);
    if (!(bounded >= p.min && bounded <= p.max))
      return wrong("is out of range");
    return value;
  }

  void finish(const entry& e, std::vector<field>& scope) {
    if (!e.tree)
      return;
    value_entry v;
    v.name = e.name;
    v.hidden = e.bare;
    v.scope = std::make_shared<const schema>(scope);
    if (e.bare) {
      v.type = window_.hidden[*e.bare].type;
    } else {
      std::vector<expressions::expression_error> errors;
      v.program = expressions::expression::compile(e.tree, *v.scope, errors);
      if (!v.program) {
        explain(e, *v.scope, errors);
        return;
      }
      v.type = v.program->type();
    }
    if (!v.scope->index_of(e.name))
      scope.push_back(field{e.name, v.type, true});
    window_.values.push_back(std::move(v));
  }

  /// Reports why an expression over aggregates does not compile, the common mistakes in words of their own.
  void explain(const entry& e, const schema& scope, const std::vector<expressions::expression_error>& errors) {
    const auto blamed = [&](const std::string& name) {
      return std::any_of(errors.begin(), errors.end(),
                         [&](const auto& error) { return error.message.find(name) != std::string::npos; });
    };
    // CEL's own functions are calls too: only what the compiler complains about is unknown.
    const auto* unknown = find_node(e.tree, [&](const node& n) {
      return n.what == node::kind::call && !n.target && is_identifier(n.name) && blamed(n.name) &&
             !is_conversion(n.name);
    });
    if (unknown != nullptr) {
      explain_unknown(e, *unknown);
      return;
    }
    const auto* stray = find_node(e.tree, [&](const node& n) {
      return n.what == node::kind::identifier && !scope.index_of(n.name) && events_.input().index_of(n.name);
    });
    if (stray != nullptr) {
      add_finding(findings_, e.path, stray->offset, "field '" + stray->name + "' outside of an aggregate call",
                  "a window has many events: write first(" + stray->name + "), max(" + stray->name + ") or the like");
      return;
    }
    report(errors, e.path, findings_);
  }

  void explain_unknown(const entry& e, const node& unknown) {
    const auto names = aggregate_names();
    const auto near = expressions::nearest(unknown.name, names);
    add_finding(findings_, e.path, unknown.offset, "unknown aggregate or function '" + unknown.name + "'",
                near.empty() ? "aggregates: " + list_of_aggregates() : "did you mean " + near + "?");
  }

  window_plan& window_;
  event_expression_set& events_;
  std::vector<diagnostic>& findings_;
};

} // namespace

void report(const std::vector<expressions::expression_error>& errors, const std::string& path,
            std::vector<diagnostic>& findings) {
  for (const auto& e : errors)
    add_finding(findings, path, e.offset, e.message, e.hint);
}

std::optional<std::size_t> event_expression_set::add(const node_ptr& tree, const std::string& path,
                                                     std::vector<diagnostic>& findings) {
  auto text = expressions::unparse(*tree);
  if (const auto it = known_.find(text); it != known_.end())
    return it->second;
  std::vector<expressions::expression_error> errors;
  event_expression e;
  e.program = expressions::expression::compile(tree, input_, errors);
  if (!e.program) {
    report(errors, path, findings);
    return std::nullopt;
  }
  if (tree->what == node::kind::identifier)
    e.column = input_.index_of(tree->name);
  e.text = text;
  into_.push_back(std::move(e));
  known_.emplace(std::move(text), into_.size() - 1);
  return into_.size() - 1;
}

void compile_aggregates(window_plan& w, const std::string& path, event_expression_set& events,
                        std::vector<diagnostic>& findings) {
  aggregate_compiler{w, events, findings}.run(path);
}

} // namespace millrace::windows
