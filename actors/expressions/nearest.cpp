// SPDX-License-Identifier: Apache-2.0
#include "actors/expressions/expression.hpp"

#include <algorithm>
#include <vector>

namespace millrace::expressions {

namespace {

/// Edits (insert, delete, replace, swap of neighbours) from a to b: optimal string alignment.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (std::size_t k = 0; k <= b.size(); ++k)
    previous[k] = k;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t k = 1; k <= b.size(); ++k) {
      row[k] = std::min({previous[k] + 1, row[k - 1] + 1, previous[k - 1] + (a[i - 1] == b[k - 1] ? 0U : 1U)});
      if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
        row[k] = std::min(row[k], before[k - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, row);
  }
  return previous[b.size()];
}

} // namespace

std::string nearest(std::string_view name, std::span<const std::string> known) {
  constexpr std::size_t longest = 128; // names beyond are no slips of the finger
  if (name.size() > longest)
    return {};
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const auto& k : known) {
    if (k.size() > longest)
      continue;
    // A guess that shares nothing with the name helps nobody.
    const auto d = distance(name, k);
    if (d < least && d < std::max(name.size(), k.size())) {
      least = d;
      best = &k;
    }
  }
  return best != nullptr ? *best : std::string{};
}

} // namespace millrace::expressions
