#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages (12 and 13) that Millrace builds, runs and is tested with. Does nothing when all are there.
set -eu

packages="
  build-essential ca-certificates ccache clang-format clang-tidy cmake curl git mold ninja-build pkg-config python3
  catch2 libbenchmark-dev
  libabsl-dev libcaf-dev libcli11-dev libcpp-httplib-dev libflatbuffers-dev flatbuffers-compiler libfmt-dev
  libnats-dev libre2-dev libsimdjson-dev libspdlog-dev libsqlite3-dev libssl-dev libxxhash-dev libyaml-cpp-dev
  libpq-dev libzstd-dev nlohmann-json3-dev prometheus-cpp-dev nats-server sqlite3 tzdata
"

missing=""
for p in $packages; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "error: these packages are missing and need root:$missing" >&2; exit 2; }
  as_root="sudo"
fi
echo "installing:$missing"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
