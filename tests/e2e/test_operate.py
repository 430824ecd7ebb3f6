# SPDX-License-Identifier: Apache-2.0
"""What an operator does on a real server: `millrace rejected list|retry` and `millrace doctor`."""

import json
import os
import unittest

from support import SERVICES, Dev, Nats, NatsClient, Service, get, millrace, wait_for, workspace

PIPELINE = """pipeline: e2e-operate
partitions: 2
event:
  fields: {symbol: string, size: int, ts: timestamp}
  time: ts
  key: symbol
ingest:
  sources: [{nats: {subject: operate.in}}]
windows:
  - {name: sums, tumbling: 1m, aggregate: {n: count(), total: sum(size)}}
"""


class Operate(unittest.TestCase):
    def start(self, folder, children):
        self.path = os.path.join(folder, "operate.yaml")
        with open(self.path, "w") as f:
            f.write(PIPELINE)
        self.dev = Dev(self.path, folder)
        children.append(self.dev)
        self.dev.start()
        self.env = {"MILLRACE_NATS_URL": self.dev.nats}

    def publish(self, *lines, end=False):
        millrace("publish", "-", "--subject", "operate.in", *(["--end"] if end else []),
                 stdin=b"".join(line + b"\n" for line in lines), env=self.env)

    def rejected(self, *args, ok=True):
        p = millrace("rejected", *args, "--nats", self.dev.nats, ok=ok)
        return p.stdout.decode() if ok else p

    def listed(self, *args):
        return [json.loads(line) for line in self.rejected("list", self.path, "--json", *args).splitlines()]

    def test_a_rejected_event_is_found_mended_sent_once_and_counted_in_its_window(self):
        with workspace() as (folder, children):
            self.start(folder, children)
            self.assertIn("no rejected events", self.rejected("list", self.path))
            self.publish(b'{"symbol":"A","size":1,"ts":"2026-01-05T14:30:01Z"}',
                         b'{"symbol":"A","size":"two","ts":"2026-01-05T14:30:02Z"}',
                         b'{"symbol":"A","size":')
            wait_for("two to be rejected", lambda: len(self.listed()) == 2, 20)
            client = NatsClient(int(self.dev.nats.rsplit(":", 1)[1]))
            before = client.stream_messages("MILLRACE_e2e-operate_rejected")
            text = self.rejected("list", self.path)
            self.assertIn("ingest type: 1", text)
            self.assertIn("ingest malformed: 1", text)
            one, = self.listed("--reason", "type")
            self.assertEqual(one["event"]["size"], "two")
            self.assertEqual((one["stage"], one["retried"]), ("ingest", False))
            self.assertEqual(len(self.listed("--since", "1h")), 2)
            self.assertEqual(self.listed("--since", "2199-01-01T00:00:00Z"), [])

            mend = ["retry", "--reason", "type", "--set", "size=2", self.path]
            self.assertIn("would send 1 event to operate.in", self.rejected(*mend, "--dry-run"))
            self.assertIn("sent 1 event to operate.in again", self.rejected(*mend))
            self.assertIn("nothing to send again", self.rejected(*mend))
            self.assertTrue(self.listed("--reason", "type")[0]["retried"])
            headers, payload = client.stream_messages("MILLRACE_e2e-operate_source_0")[-1][1:]
            self.assertEqual(json.loads(payload)["size"], 2)
            self.assertIn(f"Millrace-Retry-Of: {one['sequence']}\r\n", headers)

            # Unmended it is rejected again; the old message stays, a new one comes.
            self.rejected("retry", self.path, "--reason", "malformed", "--yes")
            wait_for("the malformed one to come back", lambda: len(self.listed("--reason", "malformed")) == 2, 20)
            self.assertEqual(client.stream_messages("MILLRACE_e2e-operate_rejected")[:2], before)
            self.assertEqual(client.api("CONSUMER.NAMES.MILLRACE_e2e-operate_rejected")["consumers"] or [], [])
            client.close()

            self.publish(end=True)

            def window():
                items = json.loads(get(f"{self.dev.http}/v1/windows/sums")[1])["items"]
                return items and items[0]["final"] and items[0]["values"]
            self.assertEqual(wait_for("the window", window, 20), {"n": 2, "total": 3})
            self.assertEqual(self.dev.stop(), 0)

    def test_mistakes_are_named_with_their_remedy(self):
        with workspace() as (folder, children):
            self.start(folder, children)
            cases = [(["list", self.path, "--reason", "tipe"], 2, "did you mean `type`?"),
                     (["list", self.path, "--since", "yesterday"], 2, "--since 15m"),
                     (["retry", self.path, "--subject", "elsewhere"], 2, "its sources read operate.in"),
                     (["retry", self.path, "--set", "venue=XNYS"], 2, "text needs its quotes"),
                     (["retry", "--sequence", "99", self.path], 3, "no rejected event with sequence 99")]
            for args, code, says in cases:
                p = self.rejected(*args, ok=False)
                self.assertEqual(p.returncode, code, p.stderr)
                self.assertIn(says, p.stderr.decode())
            p = millrace("rejected", "list", self.path, "--nats", "nats://127.0.0.1:1", ok=False)
            self.assertEqual(p.returncode, 3)
            self.dev.stop()

    def doctor(self, *args, code=0):
        p = millrace("doctor", *args, "--json", ok=False)
        self.assertEqual(p.returncode, code, p.stdout.decode() + p.stderr.decode())
        self.assertNotIn(b"secret", p.stdout + p.stderr)
        findings = json.loads(p.stdout)
        for f in findings:
            self.assertEqual(f["status"] == "ok", f["remedy"] == "", f)
        return findings

    def not_ok(self, *args, code=0):
        """Findings that are not ok, but for the version of the server that this machine happens to have."""
        return {f["check"]: f for f in self.doctor(*args, code=code) if f["status"] != "ok" and f["check"] != "version"}

    def test_doctor_finds_nothing_in_a_pipeline_that_runs_and_names_what_was_broken(self):
        with workspace() as (folder, children):
            self.path = os.path.join(folder, "operate.yaml")
            with open(self.path, "w") as f:
                f.write(PIPELINE)
            server = Nats(folder).start()
            children.append(server)
            on = [self.path, "--nats", server.url.replace("//", "//user:secret@")]
            self.assertEqual(self.not_ok(*on[1:]), {})
            self.assertIn("has never run here", self.not_ok(*on)["logs"]["seen"])
            services = {n: Service(n, self.path, server.url, folder).start() for n in SERVICES}
            children.extend(services.values())
            wait_for("services", lambda: all(s.ready() for s in services.values()))
            self.env = {"MILLRACE_NATS_URL": server.url}
            self.publish(b'{"symbol":"A","size":1,"ts":"2026-01-05T14:30:01Z"}')
            wait_for("a healthy pipeline", lambda: self.not_ok(*on) == {}, 30)
            text = millrace("doctor", *on).stdout.decode()
            self.assertNotIn("secret", text)
            self.assertIn(f"127.0.0.1:{server.port} answers", text)

            self.assertEqual(services["enrich"].stop(), 0)
            self.assertIn("millrace.e2e-operate.enriched.0", self.not_ok(*on)["writers"]["seen"])
            client = NatsClient(server.port)
            config = client.api("STREAM.INFO.MILLRACE_e2e-operate_events_0")["config"]
            self.assertNotIn("error", client.api("STREAM.UPDATE.MILLRACE_e2e-operate_events_0",
                                                 {**config, "discard": "old", "max_age": 3600 * 10**9}))
            client.close()
            found = self.not_ok(*on, code=1)["log settings"]
            self.assertEqual(found["status"], "FAIL")
            self.assertIn("MILLRACE_e2e-operate_events_0 discards old messages", found["seen"])
            self.assertIn("MILLRACE_e2e-operate_events_0 deletes messages by age", found["seen"])

            with open(self.path, "w") as f:
                f.write(PIPELINE.replace("count()", "max(size)"))
            self.assertIn("written under another definition", self.not_ok(*on, code=1)["definition"]["seen"])
            with open(self.path, "w") as f:
                f.write(PIPELINE.replace("tumbling", "tumbing"))
            self.assertIn("tumbing", self.not_ok(*on, code=1)["pipeline file"]["seen"])
            server.stop()
            self.assertEqual(list(self.not_ok(*on[1:], code=3)), ["broker"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
