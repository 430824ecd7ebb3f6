# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: real processes, a real nats-server, a small NATS client, queries over HTTP."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

BIN = os.environ["MILLRACE_BIN"]
SOURCE = os.environ["MILLRACE_SOURCE"]
SERVICES = ["ingest", "enrich", "window-aggregate", "alert", "storage"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds=60, pause=0.05):
    """Polls `check` until it is true; its last answer otherwise names what was seen."""
    end = time.monotonic() + seconds
    seen = None
    while time.monotonic() < end:
        seen = check()
        if seen:
            return seen
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s for {what}")


def millrace(*args, env=None, stdin=None, ok=True):
    p = subprocess.run([f"{BIN}/millrace", *args], capture_output=True, input=stdin, env={**os.environ, **(env or {})})
    if ok:
        assert p.returncode == 0, f"millrace {' '.join(args)}: exit {p.returncode}\n{p.stderr.decode()}"
    return p


def get(url, headers=None):
    """Status, body text, headers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as r:
            return r.status, r.read().decode(), dict(r.headers)
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(), dict(e.headers)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, "", {}


def post(url, body, content_type="application/json", headers=None):
    r = urllib.request.Request(url, data=body, headers={"Content-Type": content_type, **(headers or {})})
    try:
        with urllib.request.urlopen(r, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


class Nats:
    """A real nats-server with JetStream on 127.0.0.1, its own folder, stopped by its own pid."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        binary = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
        config = os.path.join(self.folder, "nats.conf")
        with open(config, "w") as f:
            f.write(f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.folder}/js" }}\n')
        self.process = subprocess.Popen([binary, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("nats-server", self.answers, 20)
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            return True
        return False

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None


class NatsClient:
    """Just enough of the NATS protocol for tests: publish with headers, request, read a stream by sequence."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nPING\r\n')
        while self.file.readline().strip() != b"PONG":
            pass
        self.next_id = 0

    def publish(self, subject, payload, headers=None):
        if headers:
            head = b"NATS/1.0\r\n" + b"".join(f"{k}: {v}\r\n".encode() for k, v in headers.items()) + b"\r\n"
            self.socket.sendall(f"HPUB {subject} {len(head)} {len(head) + len(payload)}\r\n".encode() + head + payload + b"\r\n")
        else:
            self.socket.sendall(f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n")

    def close(self):
        self.file.close()
        self.socket.close()

    def request(self, subject, payload=b""):
        self.next_id += 1
        inbox = f"_INBOX.test.{self.next_id}"
        self.socket.sendall(f"SUB {inbox} {self.next_id}\r\nUNSUB {self.next_id} 1\r\n".encode())
        self.socket.sendall(f"PUB {subject} {inbox} {len(payload)}\r\n".encode() + payload + b"\r\n")
        while True:
            line = self.file.readline().decode().split()
            if not line:
                raise ConnectionError("nats-server closed the connection")
            if line[0] == "PING":
                self.socket.sendall(b"PONG\r\n")
            elif line[0] in ("MSG", "HMSG"):
                body = self.file.read(int(line[-1]))
                self.file.read(2)
                return body[int(line[-2]):] if line[0] == "HMSG" else body

    def api(self, subject, request=None):
        return json.loads(self.request("$JS.API." + subject, json.dumps(request or {}).encode()))

    def stream_messages(self, stream):
        """(subject, headers text, payload) of everything a stream holds."""
        import base64

        state = self.api(f"STREAM.INFO.{stream}")["state"]
        out = []
        for seq in range(state["first_seq"], state["last_seq"] + 1):
            m = self.api(f"STREAM.MSG.GET.{stream}", {"seq": seq}).get("message")
            if m:
                out.append((m["subject"], base64.b64decode(m.get("hdrs", "")).decode(), base64.b64decode(m.get("data", ""))))
        return out


class Subscriber(threading.Thread):
    """Collects the payloads of plain messages on some subjects."""

    def __init__(self, port, *subjects):
        super().__init__(daemon=True)
        self.client = NatsClient(port)
        self.payloads = []
        for i, subject in enumerate(subjects):
            self.client.socket.sendall(f"SUB {subject} {i + 1}\r\n".encode())
        self.client.socket.sendall(b"PING\r\n")
        while self.client.file.readline().strip() != b"PONG":
            pass
        self.client.socket.settimeout(None)
        self.start()

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            while line := self.client.file.readline().decode().split():
                if line[0] == "PING":
                    self.client.socket.sendall(b"PONG\r\n")
                elif line[0] in ("MSG", "HMSG"):
                    body = self.client.file.read(int(line[-1]))
                    self.client.file.read(2)
                    self.payloads.append((body[int(line[-2]):] if line[0] == "HMSG" else body).decode())


class Service:
    """One of the five executables."""

    def __init__(self, name, pipeline, nats_url, data):
        self.name = name
        self.command = [f"{BIN}/millrace-{name}", pipeline, "--data", data]
        self.env = {**os.environ, "MILLRACE_NATS_URL": nats_url}
        self.log = os.path.join(data, f"{name}.log")
        self.port = free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command + ["--http", f"127.0.0.1:{self.port}"], env=self.env,
                                            stdout=log, stderr=log)
        return self

    def ready(self):
        return get(self.http + "/readyz")[0] == 200

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(60)

    def logged(self):
        with open(self.log) as f:
            return f.read()


class Dev:
    """`millrace dev` with free ports."""

    def __init__(self, pipeline, data):
        self.command = [f"{BIN}/millrace", "dev", pipeline, "--port", "0", "--nats-port", "0", "--data", data]
        self.log = os.path.join(data, "dev.log")
        self.process = None

    def start(self):
        begin = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdout=log)

        def ready():
            assert self.process.poll() is None, open(self.log).read()
            with open(self.log) as f:
                f.seek(begin)
                return [line for line in f if line.startswith("ready ")]

        words = wait_for("dev to be ready", ready)[0].split()
        self.http = words[1].removeprefix("http=")
        self.nats = words[2].removeprefix("nats=")
        return self

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(60)


@contextlib.contextmanager
def workspace():
    folder = tempfile.mkdtemp(prefix="millrace-e2e-")
    children = []
    try:
        yield folder, children
    finally:
        for c in children:
            p = getattr(c, "process", None)
            if p and p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(folder, ignore_errors=True)


def stored(http, windows):
    """Every stored window result and alert transition, as sorted output records."""
    lines = []

    def page(path):
        cursor = ""
        while True:
            status, body, _ = get(f"{http}{path}?limit=10000&order=asc" + (f"&cursor={cursor}" if cursor else ""))
            assert status == 200, body
            # The records are compared byte for byte, so they are cut out of the text, not re-encoded.
            answer = json.loads(body)
            text = body[body.index("[") + 1: body.rindex("]")]
            decoder = json.JSONDecoder()
            at = 0
            while at < len(text):
                _, end = decoder.raw_decode(text, at)
                lines.append(text[at:end])
                at = end + 1
            cursor = answer["next"]
            if not cursor:
                return

    for w in windows:
        page(f"/v1/windows/{w}")
    page("/v1/alerts")
    return sorted(lines)


def metrics(http):
    """name{labels} -> value."""
    status, body, _ = get(http + "/metrics")
    assert status == 200
    out = {}
    for line in body.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            out[name] = float(value)
    return out


def total(values, family, **labels):
    return sum(v for k, v in values.items()
               if k.split("{")[0] == family and all(f'{a}="{b}"' in k for a, b in labels.items()))


def assert_balanced(values):
    """The ledger: no imbalance anywhere, and each stage's `in` is the sum of its outcomes."""
    assert total(values, "millrace_ledger_imbalance") == 0
    stages = {k.split('stage="')[1].split('"')[0] for k in values if k.startswith("millrace_events_total{")}
    for s in stages:
        outcomes = ["forwarded", "absorbed", "filtered", "duplicate", "late", "rejected", "skipped"]
        came = total(values, "millrace_events_total", stage=s, outcome="in")
        went = sum(total(values, "millrace_events_total", stage=s, outcome=o) for o in outcomes)
        assert came == went, f"{s}: {came} in, {went} accounted for"
