#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The figures of bench/README.md: sh bench/run.sh BUILD_FOLDER [--all]
set -eu
build=${1:-build/release}
grep -m1 'model name' /proc/cpuinfo 2>/dev/null || uname -m
echo "cores: $(nproc)"
# Steps take turns, so that what disturbs the machine disturbs all of them.
"$build/bench/bench-ysb" --benchmark_enable_random_interleaving=true
if [ "${2:-}" = --all ]; then
  for name in decode frame windows expressions; do
    echo
    "$build/bench/bench-$name"
  done
fi
