// SPDX-License-Identifier: Apache-2.0
#include "services/process/storage_url.hpp"

#include <cstdlib>
#include <filesystem>

namespace millrace::process {

result<std::string> sqlite_path(const pipeline::definition& d, const std::string& data_folder) {
  const char* from_environment = std::getenv("MILLRACE_STORAGE_URL");
  const std::string url = from_environment && *from_environment ? from_environment : d.storage_url;
  constexpr std::string_view scheme = "sqlite:";
  if (!url.starts_with(scheme) || url.size() == scheme.size())
    return error{ec::config, "storage url '" + url.substr(0, url.find(':')) + ":...' is not supported in this version",
                 "use sqlite:FILE"};
  std::filesystem::path path = url.substr(scheme.size());
  if (path.is_relative())
    path = std::filesystem::path{data_folder} / path;
  std::error_code ignored;
  if (path.has_parent_path())
    std::filesystem::create_directories(path.parent_path(), ignored);
  return path.string();
}

} // namespace millrace::process
