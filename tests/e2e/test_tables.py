# SPDX-License-Identifier: Apache-2.0
"""A lookup table changes while events flow and while the enrich service is killed: every event sees exactly one version,
versions never go back, and what is recorded is what a replay uses."""

import json
import os
import unittest

from support import SERVICES, Nats, Service, get, millrace, stored, wait_for, workspace

PIPELINE = """
pipeline: e2e-tables
partitions: 2
event:
  fields: {symbol: string, n: int, ts: timestamp}
  time: ts
  key: symbol
ingest:
  sources:
    - nats: {subject: "tables.in"}
enrich:
  tables:
    generations: {file: generations.csv, key: symbol, types: {generation: int}}
  steps:
    - lookup: {table: generations, on: symbol, add: [generation], missing: reject}
windows:
  - name: seen
    tumbling: 1s
    aggregate: {n: max(n), events: count(), low: min(generation), high: max(generation)}
"""
SYMBOLS = ["AAPL", "MSFT", "XOM", "V"]
CHUNK = 300
CHUNKS = 8


class Tables(unittest.TestCase):
    def test_versions_take_effect_once_and_in_order_though_enrich_is_killed(self):
        with workspace() as (folder, children):
            path = os.path.join(folder, "tables.yaml")
            with open(path, "w") as f:
                f.write(PIPELINE)

            def write(generation):
                new = os.path.join(folder, "new.csv")
                with open(new, "w") as f:
                    f.write("symbol,generation\n" + "".join(f"{s},{generation}\n" for s in SYMBOLS))
                os.replace(new, os.path.join(folder, "generations.csv"))

            write(0)
            nats = Nats(folder)
            children.append(nats)
            nats.start()
            services = {name: Service(name, path, nats.url, folder) for name in SERVICES}
            children.extend(services.values())
            for s in services.values():
                s.start()
            for s in services.values():
                wait_for(f"{s.name} to be ready", s.ready)
            enrich = services["enrich"]
            sent = 0
            certain = {}

            def publish(last=False):
                nonlocal sent
                lines = []
                for _ in range(CHUNK):
                    at = f"2026-01-05T{sent // 3600:02}:{sent // 60 % 60:02}:{sent % 60:02}Z"
                    lines.append(json.dumps({"symbol": SYMBOLS[sent % 4], "n": sent, "ts": at}))
                    sent += 1
                millrace("publish", "-", "--subject", "tables.in", "--batch", "7", *(["--end"] if last else []),
                         env={"MILLRACE_NATS_URL": nats.url}, stdin="\n".join(lines).encode() + b"\n")

            publish()
            for chunk in range(1, CHUNKS):
                write(chunk)
                begin = len(enrich.logged())
                if chunk % 3 == 1:
                    # Both partitions have it: whatever comes now must see it.
                    for p in range(2):
                        text = f"unit=e2e-tables/enrich/{p} table=generations"
                        wait_for(f"version {chunk} on partition {p}", lambda: text in enrich.logged()[begin:])
                    certain[sent] = chunk
                publish(chunk == CHUNKS - 1)
                if chunk % 3 != 1:
                    enrich.kill()
                    enrich.start()
            storage = services["storage"]
            wait_for("the end to reach storage",
                     lambda: get(storage.http + "/v1/alerts?limit=1")[2].get("Millrace-Watermark") == "end", 120, 0.1)
            rows = sorted((r["values"] for r in map(json.loads, stored(storage.http, ["seen"]))), key=lambda v: v["n"])
            self.assertEqual(sent, len(rows))
            last = {}
            least = 0
            for r in rows:
                self.assertEqual(1, r["events"])
                least = certain.get(r["n"], least)
                self.assertGreaterEqual(r["low"], least)
                self.assertLessEqual(r["low"], r["n"] // CHUNK)
                symbol = SYMBOLS[r["n"] % 4]
                self.assertGreaterEqual(r["low"], last.get(symbol, 0))
                last[symbol] = r["low"]
            for s in services.values():
                self.assertEqual(s.stop(), 0, s.logged())


if __name__ == "__main__":
    unittest.main(verbosity=2)
