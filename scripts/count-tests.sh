#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Says in one line how many test programs the last ctest run passed. count-tests.sh BUILD
set -eu
log="$1/Testing/Temporary/LastTest.log"
passed=$(grep -c '^Test Passed\.$' "$log" || true)
failed=$(grep -c '^Test Failed\.$' "$log" || true)
echo "$passed passed, $failed failed"
