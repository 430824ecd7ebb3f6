#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C++ file is as .clang-format says.
set -eu
git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror
echo "format: ok"
