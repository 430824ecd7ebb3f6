// SPDX-License-Identifier: Apache-2.0
#include "messaging/bus_checks.hpp"

#include "messaging/subjects.hpp"

#include <algorithm>

namespace millrace {

namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
  });
}

} // namespace

result<void> check_headers(const header_list& headers) {
  for (const auto& [name, value] : headers) {
    if (name.empty() || name.find_first_of(": ") != std::string::npos || has_control(name))
      return error{ec::invalid, "'" + name + "' is not a header name", {}};
    if (has_control(value))
      return error{ec::invalid, "the value of header " + name + " has control characters", {}};
    // The bus owns these: a caller's expectation or message id would undo the fencing (rule 2.3).
    if (name.starts_with("Nats-"))
      return error{ec::invalid, "header " + name + " is reserved", {}};
  }
  return {};
}

result<void> check_append(const append_request& request) {
  if (!valid_subject(request.subject))
    return error{ec::invalid, "'" + std::string{request.subject} + "' is not a subject", {}};
  if (auto ok = check_token("log name", request.log); !ok)
    return ok;
  return check_headers(request.headers);
}

result<void> check_spec(const log_spec& spec) {
  if (auto ok = check_token("log name", spec.name); !ok)
    return ok;
  if (spec.subjects.empty())
    return error{ec::invalid, "log " + spec.name + " has no subjects", {}};
  for (const auto& s : spec.subjects)
    if (!valid_filter(s))
      return error{ec::invalid, "'" + s + "' of log " + spec.name + " is not a subject", {}};
  if (spec.max_bytes == 0 || spec.max_age.count() < 0 || spec.replicas < 1)
    return error{ec::invalid, "log " + spec.name + " has limits that cannot be", "max_bytes and replicas are above 0"};
  return {};
}

result<void> check_read(std::uint64_t from, std::string_view filter) {
  if (from == 0)
    return error{ec::invalid, "sequences start at 1", {}};
  if (!filter.empty() && !valid_filter(filter))
    return error{ec::invalid, "'" + std::string{filter} + "' is not a subject", {}};
  return {};
}

result<void> same_subjects(const log_spec& spec, std::vector<std::string> existing) {
  auto wanted = spec.subjects;
  std::sort(wanted.begin(), wanted.end());
  std::sort(existing.begin(), existing.end());
  if (wanted == existing)
    return {};
  std::string list;
  for (const auto& s : existing)
    list += (list.empty() ? "" : ", ") + s;
  return error{ec::config, "log " + spec.name + " exists and stores other subjects: " + list,
               "it belongs to something else, or to another version: choose another name or remove it"};
}

error partly_covered(std::string_view log, std::string_view subject) {
  return {ec::config, "log " + std::string{log} + " stores a part of " + std::string{subject},
          "name a subject that it stores completely, or one that no stream stores"};
}

} // namespace millrace
