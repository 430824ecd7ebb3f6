// SPDX-License-Identifier: Apache-2.0
#include "services/pipeline/definition.hpp"

#include "services/pipeline/sections.hpp"
#include "services/pipeline/yaml.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace millrace::pipeline {

namespace {

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path{path}.parent_path().string();
  return parent.empty() ? "." : parent;
}

load_result failure(const std::string& path, std::string message, std::string hint = {}) {
  return {nullptr, {{path, 1, 1, true, false, std::move(message), std::move(hint)}}};
}

load_result read_definition(std::string_view text, const std::string& path) {
  std::vector<yaml_error> errors;
  auto root = parse_yaml(text, errors);
  load_result out;
  if (!root) {
    for (auto& e : errors)
      out.findings.push_back({path, e.line + 1, e.column + 1, true, false, std::move(e.message), std::move(e.hint)});
    return out;
  }
  reader r{path, std::move(root)};
  draft d;
  d.def.folder = folder_of(path);
  read_root(r, d);
  if (r.root().is_map())
    make_plans(r, d);
  const bool planned = d.def.enrich && d.def.windows && d.def.alerts;
  if (!r.failed() && planned)
    if (auto decoder = codec::make_decoder(d.def.decode); !decoder)
      r.finding({"event.fields", 0, decoder.error().message, decoder.error().hint});
  if (!r.failed() && !planned)
    r.error(r.root(), "the plans of this pipeline could not be made, and no reason was given",
            "this is an error of Millrace; please report it with the file");
  if (!r.failed()) {
    d.def.fingerprint = fingerprint(d);
    out.value = std::make_shared<const definition>(std::move(d.def));
  }
  out.findings = std::move(r).take();
  return out;
}

} // namespace

std::string to_string(const located_diagnostic& d) {
  auto text = d.file + ':' + std::to_string(d.line) + ':' + std::to_string(d.column) +
              (d.is_error ? ": error: " : ": warning: ") + d.message;
  if (!d.hint.empty())
    text += "; " + d.hint;
  return text;
}

load_result load_text(std::string_view text, const std::string& path) {
  try {
    return read_definition(text, path);
  } catch (const std::exception& e) {
    return failure(path, std::string{"the file cannot be read: "} + e.what());
  }
}

load_result load(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return failure(path, "this is a folder, not a pipeline file");
  errno = 0;
  std::ifstream in{path, std::ios::binary};
  if (!in)
    return failure(path, std::string{"the file cannot be opened: "} + std::strerror(errno == 0 ? ENOENT : errno));
  // One byte more than is accepted, so that the parser sees that it is too much.
  std::string text(max_yaml_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return failure(path, "the file cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return load_text(text, path);
}

} // namespace millrace::pipeline
