#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throughput and latency of the five services on a real nats-server with file storage, all on this machine.

  MILLRACE_BIN=build/release/bin python3 bench/live.py [--events N] [--rate R]

Publishes generated ysb events as fast as they are acknowledged and reports the rate at which they went through the last
stage; then publishes at half that rate and reports the 50th and 99th percentile of millrace_end_to_end_seconds.
"""

import argparse
import os
import re
import subprocess
import sys
import time

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
os.environ.setdefault("MILLRACE_SOURCE", root)
os.environ.setdefault("MILLRACE_BIN", os.path.join(root, "build/release/bin"))
sys.path.insert(0, os.path.join(root, "tests/e2e"))

from support import SERVICES, Nats, Service, get, metrics, millrace, total, wait_for, workspace  # noqa: E402

# Events per second of event time: with 10 s windows, a result frame for every 20 000 events.
EVENT_RATE = "2000"
PIPELINE = os.path.join(root, "examples/ads.yaml")


def histogram(http, family):
    """Upper bound -> cumulative count, over all series of a histogram."""
    out = {}
    for line in get(http + "/metrics")[1].splitlines():
        m = re.match(family + r'_bucket\{.*le="([^"]+)".*\} (\S+)', line)
        if m:
            bound = float("inf") if m[1] == "+Inf" else float(m[1])
            out[bound] = out.get(bound, 0) + float(m[2])
    return out


def quantile(before, after, q):
    """The bucket bound below which a fraction q of the new observations lie."""
    counts = {b: after[b] - before.get(b, 0) for b in after}
    if not counts:
        return None, 0
    n = counts[float("inf")]
    return next((b for b in sorted(counts) if counts[b] >= q * n), None), n


def cpu_seconds(process):
    """User and system time a process has used."""
    with open(f"/proc/{process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(nats, path, rate=None):
    args = [f"{os.environ['MILLRACE_BIN']}/millrace", "publish", path, "--subject", "ads.events", "--batch", "500"]
    if rate:
        args += ["--rate", str(rate)]
    begin = time.monotonic()
    subprocess.run(args, env={**os.environ, "MILLRACE_NATS_URL": nats.url}, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--events", type=int, default=3_000_000)
    p.add_argument("--rate", type=float, help="events/s of the latency run; default: half of what was sustained")
    p.add_argument("--seconds", type=int, default=20, help="length of the latency run")
    p.add_argument("--verbose", action="store_true", help="whole histograms")
    a = p.parse_args()
    with workspace() as (folder, children):
        first, second = os.path.join(folder, "a.ndjson"), os.path.join(folder, "b.ndjson")
        nats = Nats(folder)
        children.append(nats)
        nats.start()
        services = {n: Service(n, PIPELINE, nats.url, folder) for n in SERVICES}
        children.extend(services.values())
        for s in services.values():
            s.start()
        for s in services.values():
            wait_for(f"{s.name} to be ready", s.ready)
        with open(first, "wb") as f:
            subprocess.run([f"{os.environ['MILLRACE_BIN']}/millrace", "generate", "ysb", "--rate", EVENT_RATE, "--events", str(a.events)], stdout=f, check=True)
        through = lambda: total(metrics(services["window-aggregate"].http), "millrace_events_total", stage="window", outcome="in")
        passed = lambda: total(metrics(services["enrich"].http), "millrace_events_total", stage="enrich", outcome="in")
        begin = time.monotonic()
        published = publish(nats, first)
        wait_for("every event to pass enrich", lambda: passed() >= a.events, 300, 0.1)
        seconds = time.monotonic() - begin
        sustained = a.events / seconds
        used = {"nats-server": cpu_seconds(nats.process), **{n: cpu_seconds(s.process) for n, s in services.items()}}
        print("processor seconds: " + ", ".join(f"{n} {t:.1f}" for n, t in used.items()))
        print(f"published {a.events} events in {published:.1f} s ({a.events / published:,.0f}/s)")
        print(f"sustained through five processes: {sustained:,.0f} events/s ({seconds:.1f} s, {through():,.0f} windowed)")
        rate = a.rate or sustained / 2
        n = int(rate * a.seconds)
        with open(second, "wb") as f:
            # The same stream goes on: later event times close the windows of the first run.
            tail = subprocess.Popen([f"{os.environ['MILLRACE_BIN']}/millrace", "generate", "ysb", "--rate", EVENT_RATE, "--events", str(a.events + n)], stdout=subprocess.PIPE)
            subprocess.run(["tail", "-n", str(n)], stdin=tail.stdout, stdout=f, check=True)
            tail.wait()
        # What writing the input left in the page cache must not stall the broker and the database.
        os.sync()
        time.sleep(3)
        before = histogram(services["storage"].http, "millrace_end_to_end_seconds")
        took = publish(nats, second, rate)
        time.sleep(2)
        after = histogram(services["storage"].http, "millrace_end_to_end_seconds")
        if a.verbose:
            counts = {b: after[b] - before.get(b, 0) for b in after}
            print("cumulative:", {b: int(counts[b]) for b in sorted(counts) if counts[b] > 0})
            for name, h in services.items():
                print(name, "stage p99 <=", quantile({}, histogram(h.http, "millrace_stage_seconds"), 0.99))
        p50, count = quantile(before, after, 0.5)
        p99, _ = quantile(before, after, 0.99)
        print(f"at {n / took:,.0f} events/s: end to end p50 <= {p50} s, p99 <= {p99} s ({count:.0f} result frames)")


if __name__ == "__main__":
    main()
