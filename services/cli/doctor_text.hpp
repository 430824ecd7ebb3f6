// SPDX-License-Identifier: Apache-2.0
/// @file
/// How the findings of `millrace doctor` word sizes, ages and lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace::cli {

/// `2.0 GiB`
std::string size_text(std::uint64_t bytes);
/// `1.5s`, whole tenths of a second.
std::string span_text(std::int64_t ns);
std::string plural(std::size_t n, const std::string& one, const std::string& many);
/// The first few, joined by `; `, and how many more there are.
std::string some_of(const std::vector<std::string>& all);

} // namespace millrace::cli
