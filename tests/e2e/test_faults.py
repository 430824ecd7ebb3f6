# SPDX-License-Identifier: Apache-2.0
"""Bad input, no broker, foreign bytes on a log: said clearly, never a crash, never harm to neighbours."""

import json
import os
import unittest

from support import (SERVICES, SOURCE, Dev, Nats, NatsClient, Service, assert_balanced, get, metrics, millrace, post,
                     stored, total, wait_for, workspace)

HTTP_PIPELINE = os.path.join(SOURCE, "tests/e2e/pipelines/clicks.yaml")


class BadInput(unittest.TestCase):
    def test_bad_events_over_http_are_rejected_with_reason_and_bytes_and_the_rest_goes_on(self):
        good = [{"user": f"u{i % 3}", "n": i, "at": f"2026-01-05T10:00:{i:02d}Z"} for i in range(10)]
        bad = [b'{"user": "u1", "n": ', b'{"user": "u1"}', b'{"user": 5, "n": 1, "at": "2026-01-05T10:00:00Z"}',
               b'{"user": "u1", "n": 99999999999999999999, "at": "2026-01-05T10:00:00Z"}',
               b'{"user": "\xff\xfe", "n": 1, "at": "2026-01-05T10:00:00Z"}', b'[' * 2000, b'{"user": "u1", "n": NaN}',
               b'{"user": "' + b'x' * (1 << 19) + b'", "n": 1, "at": "2026-01-05T10:00:00Z"}']
        lines = []
        for i, g in enumerate(good):
            lines.append(json.dumps(g).encode())
            if i < len(bad):
                lines.append(bad[i])
        with workspace() as (folder, children):
            dev = Dev(HTTP_PIPELINE, folder)
            children.append(dev)
            dev.start()
            status, answer = post(dev.http + "/v1/clicks", b"\n".join(lines) + b"\n", "application/x-ndjson")
            self.assertEqual((status, answer), (202, {"accepted": len(lines)}))
            status, _ = post(dev.http + "/v1/clicks", b"  ")
            self.assertEqual(status, 400)
            wait_for("every event", lambda: total(metrics(dev.http), "millrace_events_total", stage="ingest", outcome="in") == len(lines))
            values = metrics(dev.http)
            assert_balanced(values)
            self.assertEqual(total(values, "millrace_rejected_total", stage="ingest"), len(bad))
            # Idle for a second: the source says so, and the windows close.
            wait_for("windows", lambda: len(stored(dev.http, ["per-user"])) == 3, 60)
            found = [json.loads(r) for r in stored(dev.http, ["per-user"])]
            self.assertEqual(sum(r["values"]["clicks"] for r in found), len(good))
            client = NatsClient(int(dev.nats.rsplit(":", 1)[1]))
            rejected = client.stream_messages("MILLRACE_e2e-clicks_rejected")
            self.assertEqual(len(rejected), len(bad))
            for subject, headers, payload in rejected:
                self.assertEqual(subject, "millrace.e2e-clicks.rejected.ingest.0")
                self.assertIn("Millrace-Reason: ", headers)
                self.assertIn("Millrace-Origin: ", headers)
                event = json.loads(payload)
                self.assertEqual(event["specversion"], "1.0")
                self.assertTrue("data" in event or "data_base64" in event)
            self.assertEqual(dev.stop(), 0)

    def test_empty_input_gives_no_results_and_exit_0(self):
        p = millrace("batch", HTTP_PIPELINE, "-", stdin=b"")
        self.assertEqual(p.stdout, b"")


class Broker(unittest.TestCase):
    def test_services_start_without_a_broker_say_so_and_run_once_it_is_there(self):
        with workspace() as (folder, children):
            nats = Nats(folder)
            children.append(nats)
            services = [Service(name, HTTP_PIPELINE, nats.url, folder) for name in SERVICES]
            children.extend(services)
            for s in services:
                s.start()
            for s in services:
                wait_for(f"{s.name} to answer", lambda: get(s.http + "/healthz")[0] == 200)
                status, body, _ = get(s.http + "/readyz")
                self.assertEqual(status, 503)
                self.assertIn("unavailable", body)
            nats.start()
            for s in services:
                wait_for(f"{s.name} to be ready", s.ready)
                self.assertIsNone(s.process.poll())
            for s in services:
                self.assertEqual(s.stop(), 0, s.logged())

    def test_foreign_bytes_on_a_log_halt_the_partition_that_reads_them_with_the_reason(self):
        with workspace() as (folder, children):
            dev = Dev(HTTP_PIPELINE, folder)
            children.append(dev)
            dev.start()
            wait_for("readiness", lambda: get(dev.http + "/readyz")[0] == 200)
            client = NatsClient(int(dev.nats.rsplit(":", 1)[1]))
            client.request("millrace.e2e-clicks.enriched.0", b"not a frame")
            wait_for("the partition to halt", lambda: "halted" in get(dev.http + "/readyz")[1])
            status, body, _ = get(dev.http + "/readyz")
            self.assertEqual(status, 503)
            self.assertIn("no Millrace frame", body)
            self.assertEqual(get(dev.http + "/healthz")[0], 200)
            self.assertEqual(dev.stop(), 0)

    def test_publishing_to_a_subject_that_no_stream_covers_exits_3(self):
        with workspace() as (folder, children):
            nats = Nats(folder)
            children.append(nats)
            nats.start()
            p = millrace("publish", "-", "--subject", "nobody.listens", stdin=b"{}\n",
                         env={"MILLRACE_NATS_URL": nats.url}, ok=False)
            self.assertEqual(p.returncode, 3)
            self.assertIn(b"no stream covers", p.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
