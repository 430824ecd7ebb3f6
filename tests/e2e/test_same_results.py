# SPDX-License-Identifier: Apache-2.0
"""The same pipeline on the same input gives byte-identical sorted results from `batch`, `dev` and five processes, and
a kill -9 of any service in the middle changes nothing in them."""

import os
import signal
import unittest

from support import (SERVICES, SOURCE, Dev, Nats, Service, Subscriber, assert_balanced, get, metrics, millrace,
                     stored, total, wait_for, workspace)

PIPELINE = os.path.join(SOURCE, "tests/e2e/pipelines/trades.yaml")
WINDOWS = ["ohlc", "trend"]
EVENTS = 30_000


def generate(folder):
    """Disordered, partly late and partly malformed input."""
    path = os.path.join(folder, "trades.ndjson")
    lines = millrace("generate", "trades", "--events", str(EVENTS), "--disorder", "3s", "--late", "0.01").stdout
    lines = lines.decode().splitlines()
    for i, bad in enumerate(['{"trade_id": "x"', '{"trade_id": 7}', '{"symbol": "AAPL", "price": "high"}']):
        lines.insert(1000 * (i + 1), bad)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return path, len(lines)


def batch_results(path):
    return sorted(millrace("batch", PIPELINE, path).stdout.decode().splitlines())


def publish(nats_url, path):
    millrace("publish", path, "--subject", "e2e.trades.x", "--batch", "50", "--end", env={"MILLRACE_NATS_URL": nats_url})


def wait_for_end(http, seconds=120):
    """Until storage has everything: its watermark says that all input has ended."""
    wait_for("the end to reach storage",
             lambda: get(http + "/v1/alerts?limit=1")[2].get("Millrace-Watermark") == "end", seconds, 0.1)


def expect_same(case, expected, found):
    case.assertEqual(len(expected), len(found))
    for e, f in zip(expected, found):
        case.assertEqual(e, f)


class SameResults(unittest.TestCase):
    def test_dev_equals_batch_and_a_second_start_continues(self):
        with workspace() as (folder, children):
            path, lines = generate(folder)
            expected = batch_results(path)
            self.assertGreater(len(expected), 1000)
            dev = Dev(PIPELINE, folder)
            children.append(dev)
            dev.start()
            subscriber = Subscriber(int(dev.nats.rsplit(":", 1)[1]), "millrace.e2e-trades.results.>",
                                    "millrace.e2e-trades.alert.*")
            publish(dev.nats, path)
            wait_for_end(dev.http)
            expect_same(self, expected, stored(dev.http, WINDOWS))
            # Any subscriber gets the same records as JSON; nothing failed, so each came once.
            wait_for("every record at the subscriber", lambda: len(subscriber.payloads) >= len(expected), 20)
            expect_same(self, expected, sorted(subscriber.payloads))
            # The counters are refreshed once a second.
            wait_for("the ledger", lambda: total(metrics(dev.http), "millrace_events_total", stage="ingest", outcome="in") == lines)
            wait_for("the last stage", lambda: total(metrics(dev.http), "millrace_events_total", stage="storage", outcome="in") >= len(expected))
            assert_balanced(metrics(dev.http))
            looked = lambda outcome: total(metrics(dev.http), "millrace_lookups_total", table="instruments", outcome=outcome)
            passed = total(metrics(dev.http), "millrace_events_total", stage="enrich", outcome="forwarded")
            wait_for("every lookup to be counted", lambda: looked("hit") + looked("miss") == passed, 20)
            self.assertEqual(dev.stop(), 0)
            dev.start()
            wait_for_end(dev.http)
            expect_same(self, expected, stored(dev.http, WINDOWS))
            assert_balanced(metrics(dev.http))
            self.assertEqual(dev.stop(signal.SIGTERM), 0)

    def test_five_processes_equal_batch_though_each_is_killed_in_the_middle(self):
        with workspace() as (folder, children):
            path, lines = generate(folder)
            expected = batch_results(path)
            nats = Nats(folder)
            children.append(nats)
            nats.start()
            services = {name: Service(name, PIPELINE, nats.url, folder) for name in SERVICES}
            children.extend(services.values())
            for s in services.values():
                s.start()
            for s in services.values():
                wait_for(f"{s.name} to be ready", s.ready)
            with open(path) as f:
                text = f.read().splitlines()
            part = len(text) // (len(SERVICES) + 1) + 1
            for i, name in enumerate(SERVICES + [None]):
                chunk = "\n".join(text[i * part:(i + 1) * part]) + "\n"
                args = ["publish", "-", "--subject", "e2e.trades.x", "--batch", "50"] + ([] if name else ["--end"])
                millrace(*args, env={"MILLRACE_NATS_URL": nats.url}, stdin=chunk.encode())
                if name:
                    services[name].kill()
                    services[name].start()
            storage = services["storage"]
            wait_for_end(storage.http)
            expect_same(self, expected, stored(storage.http, WINDOWS))
            for name, s in services.items():
                values = metrics(s.http)
                assert_balanced(values)
            wait_for("the ledger", lambda: total(metrics(services["ingest"].http), "millrace_events_total", stage="ingest", outcome="in") == lines)
            stage_in = lambda name, stage: total(metrics(services[name].http), "millrace_events_total", stage=stage, outcome="in")
            stage_out = lambda name, stage: total(metrics(services[name].http), "millrace_events_total", stage=stage, outcome="forwarded")
            wait_for("ingest's rows to equal what enrich read", lambda: stage_out("ingest", "ingest") == stage_in("enrich", "enrich"), 20)
            wait_for("enrich's rows to equal what windows read", lambda: stage_out("enrich", "enrich") == stage_in("window-aggregate", "window"), 20)
            for s in services.values():
                self.assertEqual(s.stop(), 0, s.logged())


if __name__ == "__main__":
    unittest.main(verbosity=2)
