#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layer rules of the architecture that a grep can check.
set -u
bad=0

# only TEXT PATTERN ALLOWED: files that match PATTERN must match the path expression ALLOWED.
only() {
  hits=$(git grep -lE "$2" -- '*.hpp' '*.cpp' '*.h' | grep -vE "$3")
  if [ -n "$hits" ]; then
    printf 'layer rule: %s\n%s\n' "$1" "$hits" >&2
    bad=1
  fi
}

only 'nats.h is included in messaging/nats alone' '#include *<nats' '^messaging/nats/'
only 'prometheus is included in metrics alone' '#include *<prometheus' '^metrics/|^tests/unit/metrics/'
only 'CAF is included in actors/runtime and services alone' '#include *<caf/' '^actors/runtime/|^services/|^tests/'
only 'databases are included in actors/storage alone' '#include *<(sqlite3|libpq|pqxx)' '^actors/storage/|^tests/unit/storage/'
only 'simdjson is included in messaging/codec alone' '#include *<simdjson' '^messaging/codec/|^bench/'
only 'the system clock is read in one file' 'system_clock::now\(' '^actors/runtime/clock.cpp$|^tests/|^bench/'
only 'metrics include nothing above them' '#include "(messaging|actors|services)/' '^(messaging|actors|services|tests|bench)/'
only 'messaging includes nothing above it' '#include "(actors|services)/' '^(actors|services|tests|bench)/'
only 'actors include nothing above them' '#include "services/' '^(services|tests|bench)/'

# No service includes another.
for s in ingest enrich window_aggregate alert storage; do
  for t in ingest enrich window_aggregate alert storage; do
    [ "$s" = "$t" ] && continue
    if git grep -lE "#include \"services/$t/" -- "services/$s" >/dev/null; then
      echo "layer rule: services/$s includes services/$t" >&2
      bad=1
    fi
  done
done

[ $bad -eq 0 ] && echo "layers: ok"
exit $bad
