# SPDX-License-Identifier: Apache-2.0
"""Every kind of window gives the same final results in `batch` and in five processes with four partitions, windows over
all partitions included, and a kill -9 of the stages in between changes nothing."""

import json
import os
import unittest

from support import (SERVICES, SOURCE, Nats, Service, assert_balanced, get, metrics, millrace, stored, total, wait_for,
                     workspace)

PIPELINE = os.path.join(SOURCE, "tests/e2e/pipelines/engine.yaml")
WINDOWS = ["own", "slide", "visits", "every", "ever", "total", "by_venue", "grand"]
EVENTS = 20_000


def finals(lines):
    """The last thing said about each window; transitions of alerts as they are."""
    out = {}
    for line in lines:
        r = json.loads(line)
        if r["kind"] == "window":
            identity = json.dumps([r["window"], r["key"], r["start"], r.get("seq")])
            if identity not in out or out[identity]["version"] < r["version"]:
                out[identity] = r
        elif r["kind"] == "alert":
            out[json.dumps([r["rule"], r["id"], r["state"]])] = r
    return out


def alike(a, b):
    """Equal, doubles within 1e-9 relative."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return type(a) is type(b) and a == b


class Engine(unittest.TestCase):
    def test_five_processes_with_four_partitions_equal_batch(self):
        with workspace() as (folder, children):
            path = os.path.join(folder, "trades.ndjson")
            made = millrace("generate", "trades", "--events", str(EVENTS), "--disorder", "6s", "--late", "0.02",
                            "--duplicates", "0.05", "--seed", "7").stdout
            with open(path, "wb") as f:
                f.write(made)
            lines = made.decode().splitlines()
            expected = finals(millrace("batch", PIPELINE, path).stdout.decode().splitlines())
            for w in WINDOWS:
                self.assertTrue(any(r.get("window") == w for r in expected.values()), w)
            self.assertTrue(any(r["kind"] == "alert" for r in expected.values()))
            nats = Nats(folder)
            children.append(nats)
            nats.start()
            services = {name: Service(name, PIPELINE, nats.url, folder) for name in SERVICES}
            children.extend(services.values())
            for s in services.values():
                s.start()
            for s in services.values():
                wait_for(f"{s.name} to be ready", s.ready)
            killed = ["window-aggregate", "enrich", "window-aggregate", "alert"]
            part = len(lines) // (len(killed) + 1) + 1
            # Whatever the size of a message: 4000 trades are cut into several frames.
            sizes = ["40", "4000", "1000", "7", "4000"]
            for i, name in enumerate(killed + [None]):
                chunk = "\n".join(lines[i * part:(i + 1) * part]) + "\n"
                args = ["publish", "-", "--subject", "engine.trades.x", "--batch", sizes[i]] + ([] if name else ["--end"])
                millrace(*args, env={"MILLRACE_NATS_URL": nats.url}, stdin=chunk.encode())
                if name:
                    services[name].kill()
                    services[name].start()
            storage = services["storage"]
            wait_for("the end to reach storage",
                     lambda: get(storage.http + "/v1/alerts?limit=1")[2].get("Millrace-Watermark") == "end", 120, 0.1)
            found = finals(stored(storage.http, WINDOWS))
            self.assertEqual(sorted(expected), sorted(found))
            for identity, record in expected.items():
                if not alike(record, found[identity]):
                    self.fail(f"\nbatch {json.dumps(record)}\nlive  {json.dumps(found[identity])}")
            for s in services.values():
                assert_balanced(metrics(s.http))
            read = lambda: total(metrics(services["window-aggregate"].http), "millrace_events_total", stage="window", outcome="in")
            sent = lambda: total(metrics(services["enrich"].http), "millrace_events_total", stage="enrich", outcome="forwarded")
            wait_for("windows to have read what enrich wrote", lambda: read() == sent(), 20)
            for s in services.values():
                self.assertEqual(s.stop(), 0, s.logged())


if __name__ == "__main__":
    unittest.main(verbosity=2)
