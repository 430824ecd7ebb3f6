// SPDX-License-Identifier: Apache-2.0
/// @file
/// A folder of its own with a pipeline and a test file, and `millrace test` on it.
#pragma once

#include "services/cli/test.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace millrace::cli::testing {

class work_folder {
public:
  work_folder() {
    auto name = (std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path_ = name;
  }
  ~work_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  work_folder(const work_folder&) = delete;
  work_folder& operator=(const work_folder&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{path_ / name, std::ios::binary} << text;
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ifstream in{path_ / name, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

private:
  std::filesystem::path path_;
};

struct outcome {
  int code = 0;
  std::string out;
  std::string err;
};

inline outcome run(const std::string& file, bool update = false) {
  std::ostringstream out;
  std::ostringstream err;
  const auto code = test({{file}, update, false}, out, err);
  return {code, out.str(), err.str()};
}

inline const std::string clicks = R"(pipeline: clicks
event:
  fields:
    user: string
    n: int
    ts: timestamp
    arrived: {type: timestamp?, path: $arrival}
    subject: {type: string?, path: $subject}
  time: ts
  key: user
  max_delay: 5s
windows:
  - name: minute
    tumbling: 1m
    aggregate: {clicks: count(), total: sum(n), arrived: last(arrived), subject: last(subject)}
alerts:
  - {name: many, on: minute, when: clicks > 2}
)";

} // namespace millrace::cli::testing
