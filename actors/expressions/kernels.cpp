// SPDX-License-Identifier: Apache-2.0
// What kernels share, and the kernels of logic, choice and null.
#include "actors/expressions/kernels.hpp"

#include "actors/expressions/column_writer.hpp"

#include <cstring>

namespace millrace::expressions::kernels {

namespace {

/// The word of a bitmap that may be absent.
std::uint64_t word(const std::uint64_t* bits, std::size_t i) noexcept { return bits == nullptr ? 0 : bits[i]; }

/// Null and error alike: a bool operand without a value.
std::uint64_t no_value(const view& v, std::size_t i) noexcept { return word(v.nulls, i) | word(v.errors, i); }

std::uint64_t truths(const execution& x, const view& v, std::size_t i) noexcept {
  if (v.scalar)
    return v.b8[0] != 0 ? ~std::uint64_t{0} : 0;
  return pack(v.b8 + i * 64, std::min<std::size_t>(64, x.rows - i * 64));
}

template <bool IsAnd>
void logical(execution& x, const instruction& i) {
  if constexpr (IsAnd)
    zip_rows<std::uint8_t, std::uint8_t, std::uint8_t>(
      x, i, [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a & b); });
  else
    // The value at a null may be any byte; the result of a row that has a value is 0 or 1.
    zip_rows<std::uint8_t, std::uint8_t, std::uint8_t>(
      x, i, [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>((a | b) & 1U); });
  const auto& a = x.views[i.in[0]];
  const auto& b = x.views[i.in[1]];
  if (a.nulls != nullptr || a.errors != nullptr || b.nulls != nullptr || b.errors != nullptr) {
    auto& errors = x.registers[i.target].errors;
    errors.resize(x.words);
    for (std::size_t w = 0; w < x.words; ++w) {
      const auto ea = no_value(a, w);
      const auto eb = no_value(b, w);
      if ((ea | eb) == 0) {
        errors[w] = 0;
        continue;
      }
      const auto ta = IsAnd ? ~truths(x, a, w) : truths(x, a, w);
      const auto tb = IsAnd ? ~truths(x, b, w) : truths(x, b, w);
      // A decisive side without error decides.
      errors[w] = (ea | eb) & ~((ta & ~ea) | (tb & ~eb));
    }
  }
  publish(x, i);
}

} // namespace

std::uint64_t pack(const std::uint8_t* bools, std::size_t count) noexcept {
  std::uint64_t out = 0;
  std::size_t k = 0;
  for (; k + 8 <= count; k += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bools + k, 8);
    // Gathers the lowest bit of each byte: the product's top byte is their sum at distinct places.
    out |= (((eight & 0x0101010101010101U) * 0x0102040810204080U) >> 56) << k;
  }
  for (; k < count; ++k)
    out |= static_cast<std::uint64_t>(bools[k] & 1U) << k;
  return out;
}

view& publish(execution& x, const instruction& i) {
  auto& v = x.views[i.out];
  auto& r = x.registers[i.target];
  r.values.type = i.type;
  v.type = i.type;
  v.scalar = false;
  v.b8 = r.values.b8.data();
  v.i64 = r.values.i64.data();
  v.f64 = r.values.f64.data();
  v.codes = r.values.codes.data();
  v.dict = r.values.dict;
  v.nulls = r.values.nulls.empty() ? nullptr : r.values.nulls.data();
  v.errors = r.errors.empty() ? nullptr : r.errors.data();
  return v;
}

void inherit_errors(execution& x, const instruction& i, unsigned count, bool nulls) {
  auto& errors = x.registers[i.target].errors;
  const auto add = [&](const std::uint64_t* bits) {
    if (bits == nullptr)
      return;
    if (errors.empty()) {
      errors.assign(bits, bits + x.words);
      return;
    }
    for (std::size_t w = 0; w < x.words; ++w)
      errors[w] |= bits[w];
  };
  for (unsigned k = 0; k < count; ++k) {
    add(x.views[i.in[k]].errors);
    if (nulls)
      add(x.views[i.in[k]].nulls);
  }
}

void set_error(execution& x, const instruction& i, std::size_t row) {
  set_bit(x.registers[i.target].errors, row, x.rows);
}

void logical_and(execution& x, const instruction& i) { logical<true>(x, i); }
void logical_or(execution& x, const instruction& i) { logical<false>(x, i); }

void logical_not(execution& x, const instruction& i) {
  map_rows<std::uint8_t, std::uint8_t>(x, i, [](std::uint8_t a) { return static_cast<std::uint8_t>((a ^ 1U) & 1U); });
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

void null_test(execution& x, const instruction& i) {
  const auto& a = x.views[i.in[0]];
  auto* out = room<std::uint8_t>(x, i);
  const auto wanted = static_cast<std::uint8_t>(i.number);
  for (std::size_t row = 0; row < x.rows; ++row)
    out[row] = static_cast<std::uint8_t>(test(a.nulls, row) ? wanted : wanted ^ 1U);
  inherit_errors(x, i, 1, false);
  publish(x, i);
}

void failure(execution& x, const instruction& i) {
  switch (i.type) {
  case data_type::boolean: room<std::uint8_t>(x, i); break;
  case data_type::float64: room<double>(x, i); break;
  case data_type::string:
  case data_type::bytes:
  case data_type::json:
    x.registers[i.target].values.codes.assign(x.rows, 0);
    x.registers[i.target].values.dict = std::make_shared<const dictionary>();
    break;
  default: room<std::int64_t>(x, i); break;
  }
  x.registers[i.target].errors.assign(x.words, ~std::uint64_t{0});
  publish(x, i);
}

namespace {

/// The bits of a choice: of `a` where the condition holds, of `b` elsewhere.
void choose_bits(execution& x, const view& condition, const std::uint64_t* a, const std::uint64_t* b,
                 std::vector<std::uint64_t>& out) {
  if (a == nullptr && b == nullptr)
    return;
  out.resize(x.words);
  for (std::size_t w = 0; w < x.words; ++w) {
    const auto yes = truths(x, condition, w);
    out[w] = (yes & word(a, w)) | (~yes & word(b, w));
  }
}

/// Bitmaps of `_?_:_`, its values being written.
void finish_choice(execution& x, const instruction& i) {
  const auto& condition = x.views[i.in[0]];
  const auto& a = x.views[i.in[1]];
  const auto& b = x.views[i.in[2]];
  auto& r = x.registers[i.target];
  choose_bits(x, condition, a.nulls, b.nulls, r.values.nulls);
  choose_bits(x, condition, a.errors, b.errors, r.errors);
  inherit_errors(x, i, 1, true);
  publish(x, i);
}

template <class T>
void choose(execution& x, const instruction& i) {
  const auto& condition = x.views[i.in[0]];
  const auto& a = x.views[i.in[1]];
  const auto& b = x.views[i.in[2]];
  const T* pa = data<T>(a);
  const T* pb = data<T>(b);
  const std::size_t sa = a.scalar ? 0 : 1;
  const std::size_t sb = b.scalar ? 0 : 1;
  const auto* c = condition.b8;
  T* __restrict out = room<T>(x, i);
  for (std::size_t row = 0; row < x.rows; ++row)
    out[row] = c[row] != 0 ? pa[row * sa] : pb[row * sb];
  finish_choice(x, i);
}

/// Takes over the texts of one operand into a new dictionary, each once.
class merger {
public:
  merger(const view& v, dictionary_builder& texts) : v_{v}, texts_{texts}, known_(v.dict->size(), unknown) {}
  std::uint32_t code(std::size_t row) {
    const auto old = v_.codes[v_.scalar ? 0 : row];
    // A null in an empty dictionary has a code that stands for nothing.
    if (old >= known_.size())
      return 0;
    if (known_[old] == unknown)
      known_[old] = texts_.code((*v_.dict)[old]);
    return known_[old];
  }

private:
  static constexpr std::uint32_t unknown = ~std::uint32_t{0};
  const view& v_;
  dictionary_builder& texts_;
  std::vector<std::uint32_t> known_;
};

void choose_text(execution& x, const instruction& i) {
  const auto* c = x.views[i.in[0]].b8;
  const auto& a = x.views[i.in[1]];
  const auto& b = x.views[i.in[2]];
  auto& out = x.registers[i.target].values;
  out.codes.resize(x.rows);
  if (a.dict == b.dict && !a.scalar && !b.scalar) {
    for (std::size_t row = 0; row < x.rows; ++row)
      out.codes[row] = c[row] != 0 ? a.codes[row] : b.codes[row];
    out.dict = a.dict;
  } else if (a.scalar && b.scalar) {
    dictionary_builder texts;
    const auto yes = texts.code((*a.dict)[0]);
    const auto no = texts.code((*b.dict)[0]);
    for (std::size_t row = 0; row < x.rows; ++row)
      out.codes[row] = c[row] != 0 ? yes : no;
    out.dict = texts.finish();
  } else {
    dictionary_builder texts;
    merger from_a{a, texts};
    merger from_b{b, texts};
    for (std::size_t row = 0; row < x.rows; ++row)
      out.codes[row] = c[row] != 0 ? from_a.code(row) : from_b.code(row);
    out.dict = texts.finish();
  }
  finish_choice(x, i);
}

} // namespace

kernel choice(data_type result) {
  switch (result) {
  case data_type::boolean: return choose<std::uint8_t>;
  case data_type::float64: return choose<double>;
  case data_type::string:
  case data_type::bytes: return choose_text;
  case data_type::json: return nullptr;
  default: return choose<std::int64_t>;
  }
}

} // namespace millrace::expressions::kernels
