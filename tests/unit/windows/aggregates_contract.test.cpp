// SPDX-License-Identifier: Apache-2.0
// What every aggregate of the registry must hold, over every type that it accepts.
#include "tests/unit/windows/aggregates_support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

using namespace millrace;
using namespace millrace::windows;
using namespace millrace::windows::testing;

namespace {

constexpr std::array all_types{data_type::boolean, data_type::int64,     data_type::uint64,
                               data_type::float64, data_type::string,    data_type::bytes,
                               data_type::json,    data_type::timestamp, data_type::duration};

using random_engine = std::mt19937_64;

/// Values with repetitions, nulls, disorder and several shards.
value_table random_values(data_type type, std::size_t n, random_engine& random) {
  batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", type, true}})};
  std::normal_distribution<double> normal{100.0, 20.0};
  for (std::size_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::int64_t>(random() % 40);
    if (random() % 10 != 0) {
      switch (type) {
      case data_type::boolean: b.set_bool(0, k % 3 == 0); break;
      case data_type::uint64: b.set_uint(0, static_cast<std::uint64_t>(k)); break;
      case data_type::float64: b.set_double(0, k == 7 ? -0.0 : std::round(normal(random)) * 1.1); break;
      case data_type::string:
      case data_type::bytes: b.set_text(0, "a text that is longer than most " + std::to_string(k)); break;
      case data_type::json: b.set_text(0, "{\"n\":" + std::to_string(k) + "}"); break;
      case data_type::int64:
      case data_type::timestamp:
      case data_type::duration: b.set_int(0, k - 13); break;
      }
    }
    const auto time = static_cast<nanoseconds_t>(1'700'000'000'000'000'000 + random() % 60'000'000'000);
    b.finish_row(time, no_watermark, make_position(i, 0), static_cast<std::uint32_t>(random() % 3));
  }
  return {b.finish()};
}

std::vector<parameter_value> parameters_of(const aggregate_kind& kind) {
  std::vector<parameter_value> out;
  for (const auto& p : kind.parameters) {
    switch (p.type) {
    case aggregate_parameter::kind::number: out.push_back({0.9, 0}); break;
    case aggregate_parameter::kind::integer: out.push_back({0.0, 7}); break;
    case aggregate_parameter::kind::duration: out.push_back({0.0, 10'000'000'000}); break;
    }
  }
  return out;
}

/// Their states hold rounded doubles: order shows in the last digits.
bool rounds(const aggregate_kind& kind, std::optional<data_type> type) {
  static const std::set<std::string_view> always{"variance", "stddev", "slope", "ewma"};
  static const std::set<std::string_view> of_doubles{"sum", "avg", "rate"};
  return always.contains(kind.name) || (type == data_type::float64 && of_doubles.contains(kind.name));
}

/// The state remembers what was merged, beyond what the result is made of.
bool remembers(const aggregate_kind& kind) { return kind.name == "integral"; }

void require_same(const bench& a, cell_id x, const bench& b, cell_id y, const aggregate_kind& kind, data_type type) {
  if (!rounds(kind, type)) {
    REQUIRE(a.text(x) == b.text(y));
    REQUIRE((remembers(kind) || a.save(x) == b.save(y)));
    return;
  }
  REQUIRE(relative_error(a.number(x), b.number(y)) < 1e-9);
}

/// Calls `f(kind, type)` for every kind and every type that it accepts.
template <class F>
void for_all(F&& f) {
  for (const auto& kind : aggregate_kinds()) {
    std::size_t accepted = 0;
    for (const auto type : all_types) {
      if (!kind.result(type))
        continue;
      INFO(kind.name << "(" << to_string(type) << ")");
      f(kind, type);
      ++accepted;
    }
    REQUIRE(accepted > 0);
  }
}

} // namespace

TEST_CASE("parts merged in any order equal the whole, for every aggregate and type") {
  random_engine random{1};
  for_all([&](const aggregate_kind& kind, data_type type) {
    for (int round = 0; round < 8; ++round) {
      const auto table = random_values(type, 300, random);
      bench a{kind, type, parameters_of(kind)};
      a.add(table);
      auto shuffled = table.all();
      std::shuffle(shuffled.begin(), shuffled.end(), random);
      a.add(table, shuffled, 1);
      require_same(a, 0, a, 1, kind, type);

      // Parts in cells 2.., some of them empty, merged into each other until one is left.
      const auto parts = static_cast<cell_id>(1 + random() % 9);
      for (const auto row : shuffled)
        a.add(table, {row}, 2 + static_cast<cell_id>(random() % parts));
      std::vector<cell_id> left;
      for (cell_id p = 0; p <= parts; ++p)
        left.push_back(2 + p);
      while (left.size() > 1) {
        std::shuffle(left.begin(), left.end(), random);
        a.merge(left[0], left.back());
        left.pop_back();
      }
      require_same(a, 0, a, left[0], kind, type);
    }
  });
}

TEST_CASE("a saved state keeps bytes, size and behaviour, for every aggregate and type") {
  random_engine random{2};
  for_all([&](const aggregate_kind& kind, data_type type) {
    const auto table = random_values(type, 400, random);
    const auto all = table.all();
    const rows first{all.begin(), all.begin() + 200};
    const rows rest{all.begin() + 200, all.end()};
    bench a{kind, type, parameters_of(kind)};
    bench b{kind, type, parameters_of(kind)};
    a.add(table, first);
    const auto bytes = a.save();
    REQUIRE(b.load(0, bytes));
    REQUIRE((b.save() == bytes));
    REQUIRE(b.text() == a.text());
    REQUIRE(b.text_bytes() == a.text_bytes());
    a.add(table, rest);
    b.add(table, rest);
    REQUIRE((b.save() == a.save()));
    REQUIRE(b.text() == a.text());
    REQUIRE(b.text_bytes() == a.text_bytes());
    const auto empty = a.save(1);
    REQUIRE(b.load(0, empty));
    REQUIRE((b.save() == empty));
  });
}

TEST_CASE("reset makes a cell as new and gives its memory back, for every aggregate and type") {
  random_engine random{3};
  for_all([&](const aggregate_kind& kind, data_type type) {
    const auto table = random_values(type, 100, random);
    bench a{kind, type, parameters_of(kind)};
    const auto nothing = a.save();
    const auto result = a.text();
    REQUIRE(result == (kind.nullable ? "null" : "0"));
    REQUIRE(a.text_bytes() == 0);
    a.add(table);
    REQUIRE((a.save() != nothing));
    a.reset(0);
    REQUIRE((a.save() == nothing));
    REQUIRE(a.text() == result);
    REQUIRE(a.text_bytes() == 0);
    a.merge(0, 1);
    REQUIRE((a.save() == nothing));
    a.add(table, table.all(), 1);
    a.merge(0, 1);
    REQUIRE((a.save(0) == a.save(1)));
    REQUIRE(a.text(0) == a.text(1));
  });
}

TEST_CASE("nulls are no values, for every aggregate and type") {
  for_all([&](const aggregate_kind& kind, data_type type) {
    batch_builder b{std::make_shared<const schema>(std::vector<field>{{"x", type, true}})};
    for (std::uint64_t i = 0; i < 70; ++i)
      b.finish_row(0, no_watermark, make_position(i, 0), 0);
    const value_table table{b.finish()};
    bench a{kind, type, parameters_of(kind)};
    a.add(table);
    REQUIRE(a.text() == (kind.nullable ? "null" : "0"));
    REQUIRE(a.text_bytes() == 0);
  });
}

TEST_CASE("damaged states fail the reader or load as some state, for every aggregate and type") {
  random_engine random{4};
  for_all([&](const aggregate_kind& kind, data_type type) {
    const auto table = random_values(type, 60, random);
    bench a{kind, type, parameters_of(kind)};
    a.add(table);
    const auto bytes = a.save();
    for (std::size_t n = 0; n < bytes.size(); n += 1 + n / 16)
      REQUIRE(!a.load(1, std::string_view{bytes}.substr(0, n)));
    for (int i = 0; i < 300; ++i) {
      auto damaged = bytes;
      for (auto flips = random() % 3 + 1; flips > 0; --flips)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      a.reset(1);
      if (!a.load(1, damaged))
        continue;
      // Whatever it is now, it can be worked with.
      a.text(1);
      a.add(table, table.all(), 1);
      a.merge(1, 0);
      a.merge(2, 1);
      a.text(2);
      a.reset(2);
    }
    a.reset(1);
    a.reset(0);
    REQUIRE(a.text_bytes() == 0);
  });
}

TEST_CASE("the registry says how parameters look") {
  for (const auto& kind : aggregate_kinds()) {
    for (const auto& p : kind.parameters) {
      REQUIRE(!p.name.empty());
      REQUIRE(p.min <= p.max);
      REQUIRE((!p.otherwise || (*p.otherwise >= p.min && *p.otherwise <= p.max)));
    }
  }
  REQUIRE(aggregate_kinds().size() == 20);
}
