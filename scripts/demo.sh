#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From events to windows, an alert that fires and resolves, and a query: only commands that are printed.
# demo.sh BIN: where the executables are. Ends by itself; exit 1 when the alert or the query is missing.
set -eu
PATH="$(cd "$1" && pwd):$PATH"
cd "$(dirname "$0")/.."
work=$(mktemp -d)
dev=""
cleanup() {
  [ -n "$dev" ] && kill "$dev" 2>/dev/null && wait "$dev" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '\033[36m$ %s\033[0m\n' "$*"; }

say "1. All five services in one process, on a nats-server of their own"
show "millrace dev examples/trades.yaml --port 0 --nats-port 0 --data $work/data &"
millrace dev examples/trades.yaml --port 0 --nats-port 0 --data "$work/data" 2> "$work/dev.log" &
dev=$!
i=0
until grep -q '^ready ' "$work/dev.log"; do
  kill -0 "$dev" 2>/dev/null && [ $i -lt 300 ] || { cat "$work/dev.log" >&2; echo "error: dev did not get ready" >&2; exit 1; }
  i=$((i + 1))
  sleep 0.1
done
grep '^ready ' "$work/dev.log"
http=$(sed -n 's/^ready http=\([^ ]*\).*/\1/p' "$work/dev.log")
nats=$(sed -n 's/^ready .*nats=\([^ ]*\).*/\1/p' "$work/dev.log")

say "2. 20 000 trades, the same for the same seed"
show "millrace generate trades --events 20000 --disorder 2s > $work/trades.ndjson"
millrace generate trades --events 20000 --disorder 2s > "$work/trades.ndjson"
show "head -n 2 $work/trades.ndjson"
head -n 2 "$work/trades.ndjson"

say "3. Published to NATS; --end says that nothing follows, so the last windows can close"
show "MILLRACE_NATS_URL=$nats millrace publish $work/trades.ndjson --subject trades.demo --batch 100 --end"
MILLRACE_NATS_URL=$nats millrace publish "$work/trades.ndjson" --subject trades.demo --batch 100 --end

# The HTTP source says after its idle_timeout (10 s) that it is idle; until then it holds the watermark.
# Each log is stored by itself: only the watermark of all of them says that every window is there.
show "curl -sD - '$http/v1/alerts?limit=1'      # until it says Millrace-Watermark: end"
i=0
until curl -fsS -D - -o /dev/null "$http/v1/alerts?limit=1" 2>/dev/null | grep -qi '^millrace-watermark: end'; do
  [ $i -lt 300 ] || break
  i=$((i + 1))
  sleep 0.1
done

say "4. One-minute windows of one symbol, over HTTP"
show "curl '$http/v1/windows/ohlc?key.symbol=AAPL&limit=2'"
windows=$(curl -fsS "$http/v1/windows/ohlc?key.symbol=AAPL&limit=2") || windows=""
printf '%s\n' "$windows"

say "5. The alert: it fired, and it resolved"
show "curl '$http/v1/alerts?rule=spike&state=firing&limit=1'"
firing=$(curl -fsS "$http/v1/alerts?rule=spike&state=firing&limit=1") || firing=""
printf '%s\n' "$firing"
show "curl '$http/v1/alerts?rule=spike&state=resolved&limit=1'"
resolved=$(curl -fsS "$http/v1/alerts?rule=spike&state=resolved&limit=1") || resolved=""
printf '%s\n' "$resolved"

say "6. The ledger: nothing was lost in silence"
sleep 2 # the counters are refreshed once a second
show "curl -s $http/metrics | awk '/^millrace_events_total/ {split(\$1, l, \"\\\"\"); n[l[10] \" \" l[2]] += \$2} END {for (k in n) if (n[k]) print k, n[k]}' | sort"
curl -s "$http/metrics" | awk '/^millrace_events_total/ {split($1, l, "\""); n[l[10] " " l[2]] += $2} END {for (k in n) if (n[k]) print k, n[k]}' | sort
show "curl -s $http/metrics | awk '/^millrace_ledger_imbalance/ {n += \$2} END {print \"imbalance\", n}'"
curl -s "$http/metrics" | awk '/^millrace_ledger_imbalance/ {n += $2} END {print "imbalance", n}'

say "7. Stopped in order"
show "kill -INT $dev"
kill -INT "$dev"
code=0
wait "$dev" || code=$?
dev=""
[ $code -eq 0 ] || { echo "error: dev ended with exit $code" >&2; exit 1; }

printf '%s' "$windows" | grep -q '"kind":"window"' || { echo "error: the query found no window" >&2; exit 1; }
printf '%s' "$firing" | grep -q '"state":"firing"' || { echo "error: no alert fired" >&2; exit 1; }
printf '%s' "$resolved" | grep -q '"state":"resolved"' || { echo "error: no alert resolved" >&2; exit 1; }
say "Done: windows, an alert that fired and resolved, and a query."
