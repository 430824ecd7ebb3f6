// SPDX-License-Identifier: Apache-2.0
/// @file
/// Vectorised programs: a checked tree as a list of kernels over whole columns. What has no kernel is
/// interpreted inside the program, once per distinct text where a part reads one text column, else row by row.
#pragma once

#include "actors/expressions/checker.hpp"
#include "actors/expressions/expression.hpp"
#include "messaging/event_batch.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace millrace::expressions {

/// What a kernel reads: a column of the batch, a constant (`scalar`: element 0 stands for every row) or a register.
struct view {
  data_type type = data_type::int64;
  bool scalar = false;
  const std::uint8_t* b8 = nullptr;
  const std::int64_t* i64 = nullptr;
  const double* f64 = nullptr;
  const std::uint32_t* codes = nullptr;
  dictionary_ptr dict;
  /// Bitmaps; null pointers where no row is null or has an error.
  const std::uint64_t* nulls = nullptr;
  const std::uint64_t* errors = nullptr;
};

/// What a kernel writes. Capacity is kept from evaluation to evaluation.
struct storage {
  column values;
  std::vector<std::uint64_t> errors;
};

struct execution;
struct instruction;
using kernel = void (*)(execution& x, const instruction& i);

struct instruction {
  kernel run = nullptr;
  /// Indices of views.
  std::array<std::uint32_t, 3> in{};
  std::uint32_t out = 0;
  /// Index of a register, written to view `out`.
  std::uint32_t target = 0;
  data_type type = data_type::int64;
  /// For kernels that need more than operands.
  const checked* tree = nullptr;
  std::int64_t number = 0;
  std::span<const std::int64_t> numbers;
  std::span<const double> reals;
};

/// One evaluation of one batch.
struct execution {
  const event_batch& in;
  std::vector<view>& views;
  std::vector<storage>& registers;
  std::size_t rows = 0;
  std::size_t words = 0;
  /// Set when a kernel met a value that 64-bit nanoseconds cannot hold but the interpreter can.
  bool inexact = false;
};

/// Immutable, thread-safe; holds pointers into the tree it was made from, which must live as long.
class program {
public:
  /// Null when the whole tree is better interpreted: its result is dynamic, a list or a map.
  static std::unique_ptr<const program> make(const checked& root, const schema& variables);

  /// Computes values and error bits, no reasons. False when the interpreter must decide.
  bool run(const event_batch& in, evaluation& out) const;

private:
  friend class compiler;

  struct source {
    std::uint32_t view;
    std::size_t column;
  };

  std::vector<instruction> code_;
  std::vector<source> sources_;
  /// Constants as one-row columns; addresses are stable in a deque.
  std::deque<column> constants_;
  std::vector<std::uint32_t> constant_views_;
  std::deque<std::vector<std::int64_t>> number_lists_;
  std::deque<std::vector<double>> real_lists_;
  std::size_t views_ = 0;
  std::size_t registers_ = 0;
  std::uint32_t result_ = 0;
};

} // namespace millrace::expressions
