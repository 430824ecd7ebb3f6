#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the sources (not tests), two at a time. check-tidy.sh BUILD [FILE...]
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- $(git ls-files 'metrics/*.cpp' 'messaging/*.cpp' 'actors/*.cpp' 'services/*.cpp')
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet --warnings-as-errors='*' 2>/dev/null
echo "tidy: ok"
