# SPDX-License-Identifier: Apache-2.0
"""`millrace why` against a real server: names the source that holds a window, follows it to its release, and tells a
service that is gone from a source that is idle."""

import json
import os
import unittest

from support import Dev, Service, Nats, SERVICES, millrace, wait_for, workspace

PIPELINE = """pipeline: e2e-why
partitions: 2
event:
  fields: {symbol: string, price: double, ts: timestamp}
  time: ts
  key: symbol
  max_delay: 2s
  idle_timeout: %s
ingest:
  sources:
    - nats: {subject: "why.a.>"}
    - nats: {subject: "why.b.>"}
windows:
  - {name: ohlc, tumbling: 1m, aggregate: {n: count()}}
  - {name: total, key: [], tumbling: 1m, aggregate: {n: count()}}
"""


def event(time):
    return json.dumps({"symbol": "A", "price": 1.0, "ts": f"2026-01-05T{time}Z"}).encode() + b"\n"


class Why(unittest.TestCase):
    def write(self, folder, idle_timeout):
        self.path = os.path.join(folder, "why.yaml")
        with open(self.path, "w") as f:
            f.write(PIPELINE % idle_timeout)

    def publish(self, source, *times, end=False):
        millrace("publish", "-", "--subject", f"why.{source}.x", *(["--end"] if end else []),
                 stdin=b"".join(map(event, times)), env={"MILLRACE_NATS_URL": self.nats})

    def why(self, window, *more):
        out = millrace("why", self.path, window, "--nats", self.nats, "--json", *more).stdout.decode()
        return json.loads(out)["partitions"]

    def holders(self, window):
        return {(p["held_by"]["name"], p["held_by"]["state"]) if p["held_by"] else None for p in self.why(window)}

    def test_the_slower_source_holds_the_window_until_it_ends(self):
        with workspace() as (folder, children):
            self.write(folder, "1h")
            dev = Dev(self.path, folder)
            children.append(dev)
            self.nats = dev.start().nats
            self.publish("a", "14:32:30")
            wait_for("b to be named", lambda: self.holders("ohlc") == {("nats1", "active")}, 20)
            self.publish("b", "14:30:40")
            for window in ["ohlc", "total"]:
                wait_for("the end to be known",
                         lambda: {p["closes_at"] for p in self.why(window)} == {"2026-01-05T14:31:00.000Z"}, 20)
                for p in self.why(window):
                    self.assertEqual(p["held_by"]["name"], "nats1")
                    self.assertEqual(p["held_by"]["watermark"], "2026-01-05T14:30:38.000Z")
                    self.assertIn("14:31:02.000Z or later", p["held_by"]["released_by"])
            text = millrace("why", self.path, "ohlc", "--nats", self.nats).stdout.decode()
            self.assertIn("held open by source nats1 (subject why.b.>)", text)
            self.publish("b", "14:31:02")
            wait_for("the next window", lambda: {p["closes_at"] for p in self.why("ohlc")} ==
                     {"2026-01-05T14:32:00.000Z"}, 20)
            self.publish("b", end=True)
            wait_for("a to hold the last window", lambda: self.holders("total") == {("nats0", "active")}, 20)
            self.publish("a", end=True)
            wait_for("the end", lambda: all(p["watermark"] == "end" for w in ["ohlc", "total"] for p in self.why(w)), 20)
            self.assertEqual(self.holders("ohlc"), {None})
            dev.stop()

    def test_a_source_whose_service_is_gone_is_silent_and_idleness_is_not(self):
        with workspace() as (folder, children):
            self.write(folder, "1s")
            server = Nats(folder).start()
            children.append(server)
            self.nats = server.url
            p = millrace("why", self.path, "ohlc", "--nats", self.nats, ok=False)
            self.assertEqual(p.returncode, 3)
            self.assertIn("has never run here", p.stderr.decode())
            services = {n: Service(n, self.path, server.url, folder).start() for n in SERVICES}
            children.extend(services.values())
            wait_for("services", lambda: all(s.ready() for s in services.values()))
            self.publish("a", "14:30:10")
            wait_for("the source to be idle", lambda: self.holders("ohlc") == {("nats0", "idle")}, 20)
            services["ingest"].kill()
            wait_for("the source to be silent", lambda: self.holders("ohlc") == {("nats0", "silent")}, 20)
            services["ingest"].start()
            wait_for("the source to be idle again", lambda: self.holders("ohlc") == {("nats0", "idle")}, 20)
            services["ingest"].stop()
            self.assertEqual(self.holders("ohlc"), {("nats0", "released")})

    def test_an_unknown_window_is_a_usage_error_with_the_nearest_name(self):
        with workspace() as (folder, _):
            self.write(folder, "1s")
            p = millrace("why", self.path, "ohcl", ok=False)
            self.assertEqual(p.returncode, 2)
            self.assertIn("did you mean `ohlc`?", p.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
