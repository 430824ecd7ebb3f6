// SPDX-License-Identifier: Apache-2.0
/// @file
/// Summary templates: text with `{{expression}}` holes.
#pragma once

#include "actors/expressions/expression.hpp"
#include "messaging/errors.hpp"
#include "messaging/schema.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::alerts {

/// A parsed template. Immutable, thread-safe.
class summary_template {
public:
  /// Reports findings under `path`, their offsets counted in `text`. Always usable; holes with errors are left out.
  static summary_template compile(std::string_view text, const schema& variables, const std::string& path,
                                  std::vector<diagnostic>& findings);

  /// The text of every row of `in`: strings without quotes, other values as in JSON, null as `null`, errors as
  /// nothing.
  std::vector<std::string> render(const event_batch& in) const;
  /// Indices of the variables that the holes read; may repeat.
  std::vector<std::size_t> uses() const;

private:
  struct part {
    std::string text;
    std::shared_ptr<const expressions::expression> hole;
  };
  std::vector<part> parts_;
};

} // namespace millrace::alerts
