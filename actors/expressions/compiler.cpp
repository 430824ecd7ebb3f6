// SPDX-License-Identifier: Apache-2.0
// From a checked tree to a program. Parts without variables are folded; registers are reused as soon as they are read.
#include "actors/expressions/column_writer.hpp"
#include "actors/expressions/interpreter.hpp"
#include "actors/expressions/kernels.hpp"
#include "actors/expressions/time.hpp"
#include "actors/expressions/time_zone.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace millrace::expressions {

namespace {

class no_variables : public variable_source {
public:
  value load(std::size_t) override { return value::failure("internal error"); }
};

void collect(const checked& c, std::vector<std::size_t>& variables) {
  if (c.what == checked::op::variable && std::find(variables.begin(), variables.end(), c.index) == variables.end())
    variables.push_back(c.index);
  for (const auto& a : c.args)
    collect(a, variables);
}

/// The variables that a part of the tree reads. It reads no locals but those of its own macros: the compiler does not
/// go into macros.
std::vector<std::size_t> reads_of(const checked& c) {
  std::vector<std::size_t> variables;
  collect(c, variables);
  return variables;
}

bool is_number(data_type t) noexcept {
  return t == data_type::int64 || t == data_type::uint64 || t == data_type::float64;
}

/// The number as a value of another type, if it is exactly that.
std::optional<value> exactly(const value& v, data_type t) {
  value out;
  if (!v.is_number())
    return std::nullopt;
  if (t == data_type::float64)
    out = v.is(value_kind::int64)    ? value::of_double(static_cast<double>(v.i))
          : v.is(value_kind::uint64) ? value::of_double(static_cast<double>(v.u))
                                     : v;
  else {
    value copy = v;
    // Out of range gives an error, a fraction a different number: both fail the comparison below.
    out = t == data_type::int64 ? native::to_int({&copy, 1}) : native::to_uint({&copy, 1});
  }
  return equal(out, v) ? std::optional{out} : std::nullopt;
}

std::optional<kernels::relation> relation_of(std::string_view name) {
  using enum kernels::relation;
  static constexpr std::pair<std::string_view, kernels::relation> table[] = {
    {"_==_", equal}, {"_!=_", differs}, {"_<_", less}, {"_<=_", less_equal}, {"_>_", greater}, {"_>=_", greater_equal}};
  for (const auto& [n, r] : table)
    if (n == name)
      return r;
  return std::nullopt;
}

} // namespace

class compiler {
public:
  compiler(program& p, const schema& variables) : p_{p}, variables_{variables} {}

  /// The view that will hold the part's value; nullopt if it has no vector form.
  std::optional<std::uint32_t> compile(const checked& c) {
    const auto used = reads_of(c);
    if (used.empty())
      return fold(c);
    const auto mark = save();
    if (const auto v = direct(c))
      return v;
    restore(mark);
    return interpreted(c, used);
  }

private:
  using slot = std::optional<std::uint32_t>;

  /// What to go back to when a part turns out to have no kernel. Constants made meanwhile stay, unused.
  struct snapshot {
    std::size_t code;
    std::size_t registers;
    std::size_t owners;
    std::vector<std::uint32_t> free;
  };
  snapshot save() const { return {p_.code_.size(), p_.registers_, owner_.size(), free_}; }
  void restore(const snapshot& s) {
    p_.code_.resize(s.code);
    p_.registers_ = s.registers;
    owner_.resize(s.owners);
    free_ = s.free;
  }

  std::uint32_t new_view() { return static_cast<std::uint32_t>(p_.views_++); }

  /// A view onto column `index`, the same for every use.
  slot column_view(std::size_t index) {
    for (const auto& s : p_.sources_)
      if (s.column == index)
        return s.view;
    const auto v = new_view();
    p_.sources_.push_back({v, index});
    return v;
  }

  slot fold(const checked& c) {
    no_variables none;
    const auto v = interpret(c, none);
    if (!has_column(c.type) || v.is_null())
      return std::nullopt;
    if (v.is_error()) {
      instruction i;
      i.run = kernels::failure;
      return emit(i, column_type(c.type), {});
    }
    return constant(v, column_type(c.type));
  }

  slot constant(const value& v, data_type type) {
    column c{type};
    std::vector<std::uint64_t> errors;
    column_writer writer{c, errors, 1};
    if (!writer.write(v).empty())
      return std::nullopt;
    writer.finish();
    p_.constants_.push_back(std::move(c));
    const auto view = new_view();
    p_.constant_views_.push_back(view);
    return view;
  }

  const column* constant_of(std::uint32_t view) const {
    for (std::size_t k = 0; k < p_.constant_views_.size(); ++k)
      if (p_.constant_views_[k] == view)
        return &p_.constants_[k];
    return nullptr;
  }

  /// Appends an instruction on `operands`, whose registers are free afterwards.
  std::uint32_t emit(instruction i, data_type type, std::span<const std::uint32_t> operands) {
    std::copy(operands.begin(), operands.end(), i.in.begin());
    i.type = type;
    i.out = new_view();
    // The target is taken before the operands are given back: no kernel writes what it reads.
    if (free_.empty()) {
      i.target = static_cast<std::uint32_t>(p_.registers_++);
    } else {
      i.target = free_.back();
      free_.pop_back();
    }
    owner_.emplace_back(i.out, i.target);
    for (const auto o : operands)
      for (const auto& [view, target] : owner_)
        if (view == o)
          free_.push_back(target);
    p_.code_.push_back(i);
    return i.out;
  }

  slot emit(kernel k, const checked& c, std::span<const std::uint32_t> operands) {
    if (k == nullptr)
      return std::nullopt;
    instruction i;
    i.run = k;
    return emit(i, column_type(c.type), operands);
  }

  /// By the interpreter, inside the program.
  slot interpreted(const checked& c, const std::vector<std::size_t>& used) {
    if (!has_column(c.type))
      return std::nullopt;
    instruction i;
    i.tree = &c;
    if (used.size() == 1 && is_text(variables_[used[0]].type)) {
      i.run = kernels::by_dictionary;
      const auto column = column_view(used[0]);
      return emit(i, column_type(c.type), {&*column, 1});
    }
    i.run = kernels::by_row;
    return emit(i, column_type(c.type), {});
  }

  slot direct(const checked& c) {
    switch (c.what) {
    case checked::op::variable:
      return variables_[c.index].type == data_type::json ? std::nullopt : column_view(c.index);
    case checked::op::logical_and: return operation(kernels::logical_and, c);
    case checked::op::logical_or: return operation(kernels::logical_or, c);
    case checked::op::conditional: return conditional(c);
    case checked::op::not_null: return null_test(c.args[0], false);
    case checked::op::call: return call(c);
    default: return std::nullopt;
    }
  }

  slot operation(kernel k, const checked& c) {
    std::array<std::uint32_t, 3> operands{};
    if (k == nullptr || c.args.size() > operands.size())
      return std::nullopt;
    for (std::size_t n = 0; n < c.args.size(); ++n) {
      // A dynamic operand, which only the interpreter understands, has no column type to choose a kernel by.
      const auto v = has_column(c.args[n].type) ? compile(c.args[n]) : std::nullopt;
      if (!v)
        return std::nullopt;
      operands[n] = *v;
    }
    return emit(k, c, std::span{operands}.first(c.args.size()));
  }

  slot conditional(const checked& c) {
    if (!has_column(c.type) || reads_of(c.args[0]).empty())
      return std::nullopt;
    return operation(kernels::choice(column_type(c.type)), c);
  }

  slot null_test(const checked& operand, bool wanted) {
    if (operand.what != checked::op::variable || variables_[operand.index].type == data_type::json)
      return std::nullopt;
    const auto v = column_view(operand.index);
    instruction i;
    i.run = kernels::null_test;
    i.number = wanted ? 1 : 0;
    return emit(i, data_type::boolean, {&*v, 1});
  }

  static bool is_null(const checked& c) { return c.what == checked::op::constant && c.constant.is_null(); }

  slot call(const checked& c) {
    const auto name = c.function->name;
    if (const auto r = relation_of(name))
      return compare(c, *r);
    if (name == "@in")
      return member_of(c);
    if (!has_column(c.type))
      return std::nullopt;
    if (c.function->style == call_style::member && c.args[0].what == checked::op::variable && c.args.size() == 2)
      if (const auto v = text_test(c, 0, 1))
        return v;
    if (kernels::accessor(name, column_type(c.args[0].type)) != nullptr)
      return accessor(c);
    if (c.args.size() == 1)
      return operation(kernels::unary(name, column_type(c.args[0].type), column_type(c.type)), c);
    if (c.args.size() == 2 && c.function->style == call_style::op) {
      // One text column and constants: the dictionary knows.
      const auto used = reads_of(c);
      if (used.size() == 1 && is_text(column_type(c.type)))
        return std::nullopt;
      return operation(
        kernels::arithmetic(name, column_type(c.args[0].type), column_type(c.args[1].type), column_type(c.type)), c);
    }
    return std::nullopt;
  }

  /// A text column against a constant.
  slot text_test(const checked& c, std::size_t variable, std::size_t constant) {
    const auto& column = c.args[variable];
    const auto& text = c.args[constant];
    const auto type = column_type(column.type);
    if (column.what != checked::op::variable || text.what != checked::op::constant ||
        (type != data_type::string && type != data_type::bytes) || column_type(text.type) != type || is_null(text) ||
        text.type.what == type_kind::type)
      return std::nullopt;
    instruction i;
    i.run = kernels::text_test(c.function->name);
    i.tree = &text;
    if (i.run == nullptr)
      return std::nullopt;
    const auto v = column_view(column.index);
    return emit(i, data_type::boolean, {&*v, 1});
  }

  slot compare(const checked& c, kernels::relation r) {
    const auto& a = c.args[0];
    const auto& b = c.args[1];
    const bool equality = r == kernels::relation::equal || r == kernels::relation::differs;
    if (equality && (is_null(a) || is_null(b)))
      return null_test(is_null(a) ? b : a, r == kernels::relation::equal);
    if (equality) {
      if (const auto v = text_test(c, 0, 1))
        return v;
      if (const auto v = text_test(c, 1, 0))
        return v;
    }
    if (!has_column(a.type) || !has_column(b.type) || a.type.what == type_kind::type || b.type.what == type_kind::type)
      return std::nullopt;
    if (is_text(column_type(a.type)) && reads_of(c).size() == 1)
      return std::nullopt;
    auto va = compile(a);
    auto vb = va ? compile(b) : std::nullopt;
    if (!vb)
      return std::nullopt;
    auto ta = column_type(a.type);
    auto tb = column_type(b.type);
    if (ta != tb && is_number(ta) && is_number(tb)) {
      // A constant of another type is most often also a number of the column's: price > 0.
      if (const auto v = as_type(*vb, ta)) {
        vb = v;
        tb = ta;
      } else if (const auto w = as_type(*va, tb)) {
        va = w;
        ta = tb;
      }
    }
    const std::array operands{*va, *vb};
    return emit(kernels::comparison(r, ta, tb), c, operands);
  }

  slot as_type(std::uint32_t view, data_type wanted) {
    const auto* c = constant_of(view);
    if (c == nullptr)
      return std::nullopt;
    const auto v = exactly(value_at(*c, 0), wanted);
    return v ? constant(*v, wanted) : std::nullopt;
  }

  /// `x in [constants]` for numbers; other lists go by dictionary or by row.
  slot member_of(const checked& c) {
    const auto type = column_type(c.args[0].type);
    instruction i;
    i.run = kernels::membership(type);
    if (i.run == nullptr || c.args[1].type.what != type_kind::list || !reads_of(c.args[1]).empty())
      return std::nullopt;
    no_variables none;
    const auto list = interpret(c.args[1], none);
    if (!list.is(value_kind::list))
      return std::nullopt;
    std::vector<std::int64_t> numbers;
    std::vector<double> reals;
    for (const auto& item : *list.items) {
      if (item.is_null())
        return std::nullopt;
      const auto v = exactly(item, type);
      if (!v)
        continue; // equal to no value of this type
      if (type == data_type::float64)
        reals.push_back(v->d);
      else
        numbers.push_back(v->i);
    }
    std::erase_if(reals, [](double d) { return std::isnan(d); });
    std::sort(numbers.begin(), numbers.end());
    std::sort(reals.begin(), reals.end());
    i.numbers = p_.number_lists_.emplace_back(std::move(numbers));
    i.reals = p_.real_lists_.emplace_back(std::move(reals));
    const auto v = compile(c.args[0]);
    if (!v)
      return std::nullopt;
    return emit(i, data_type::boolean, {&*v, 1});
  }

  slot accessor(const checked& c) {
    instruction i;
    i.run = kernels::accessor(c.function->name, column_type(c.args[0].type));
    if (c.args.size() == 2) {
      const auto& zone = c.args[1];
      if (zone.what != checked::op::constant || zone.type.what != type_kind::string || !find_zone(zone.constant.s) ||
          column_type(c.args[0].type) != data_type::timestamp)
        return std::nullopt;
      if (const auto fixed = parse_zone(zone.constant.s)) {
        i.number = *fixed;
      } else {
        i.run = kernels::zoned_accessor(c.function->name);
        i.tree = &zone;
      }
    }
    const auto v = compile(c.args[0]);
    if (!v)
      return std::nullopt;
    return emit(i, data_type::int64, {&*v, 1});
  }

  program& p_;
  const schema& variables_;
  std::vector<std::uint32_t> free_;
  /// View and the register it shows.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> owner_;
};

std::unique_ptr<const program> program::make(const checked& root, const schema& variables) {
  if (!has_column(root.type))
    return nullptr;
  auto p = std::make_unique<program>();
  compiler c{*p, variables};
  const auto result = c.compile(root);
  if (!result)
    return nullptr;
  p->result_ = *result;
  return p;
}

} // namespace millrace::expressions
