# SPDX-License-Identifier: Apache-2.0
"""Every pipeline in examples/ passes lint, has a test file that passes, and has a page. A day of events takes less than
a second."""

import glob
import os
import re
import resource
import unittest

from support import SOURCE, millrace, workspace

PIPELINES = sorted(glob.glob(os.path.join(SOURCE, "examples/*.yaml")))


def name_of(path):
    return os.path.splitext(os.path.basename(path))[0]


class Examples(unittest.TestCase):
    def test_there_are_examples(self):
        self.assertGreaterEqual(len(PIPELINES), 6)

    def test_every_example_passes_lint(self):
        millrace("lint", *PIPELINES)

    def test_every_example_has_a_test_file_that_passes(self):
        for path in PIPELINES:
            with self.subTest(name_of(path)):
                tests = os.path.join(SOURCE, "examples/tests", name_of(path) + ".test.yaml")
                out = millrace("test", tests).stdout.decode()
                self.assertGreaterEqual(out.count("ok "), 1)

    def test_every_example_has_a_page(self):
        for path in PIPELINES:
            with self.subTest(name_of(path)):
                page = os.path.join(SOURCE, "docs/examples", name_of(path) + ".md")
                with open(page) as f:
                    self.assertIn(f"examples/{name_of(path)}.yaml", f.read())

    def test_output_is_the_same_in_every_run_and_without_a_terminal_has_no_colours(self):
        tests = glob.glob(os.path.join(SOURCE, "examples/tests/*.test.yaml"))
        runs = [re.sub(r"\([0-9.]+ ms\)", "", millrace("test", *tests).stdout.decode()) for _ in range(2)]
        self.assertEqual(*runs)
        self.assertNotIn("\033", runs[0])

    def test_a_day_of_event_time_takes_less_than_a_second(self):
        with workspace() as (folder, _):
            data = os.path.join(folder, "day.ndjson")
            with open(data, "w") as f:
                for second in range(0, 86400, 2):
                    h, m, s = second // 3600, second // 60 % 60, second % 60
                    f.write(f'{{"sensor_id":"s-{second // 2 % 50 + 1:03}","ts":"2026-01-05T{h:02}:{m:02}:{s:02}Z",'
                            f'"temperature":20.0,"humidity":40.0}}\n')
            test = os.path.join(folder, "day.test.yaml")
            with open(test, "w") as f:
                f.write(f"pipeline: {SOURCE}/examples/sensors.yaml\ntests:\n"
                        f"  - {{name: file, file: {data}, expect: {{rejected: []}}}}\n"
                        f"  - name: clock\n"
                        f"    events:\n"
                        f"      - {{sensor_id: s-001, ts: '2026-01-05T00:00:00Z', temperature: 1, humidity: 1}}\n"
                        f"      - advance: 1d\n"
                        f"    expect: {{rejected: []}}\n")
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            out = millrace("test", test).stdout.decode()
            self.assertEqual(out.count("ok "), 2)
            # Processor time: how long the clock runs meanwhile is the machine's business.
            self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, 1)

    def test_a_failing_test_exits_1_and_a_broken_file_2(self):
        with workspace() as (folder, _):
            path = os.path.join(folder, "t.yaml")
            text = f"pipeline: {SOURCE}/examples/nab.yaml\ntests:\n  - name: t\n    events: []\n    expect: {{windows: %s}}\n"
            with open(path, "w") as f:
                f.write(text % "[{window: hourly}]")
            p = millrace("test", path, ok=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn("expected, not produced", p.stdout.decode())
            with open(path, "w") as f:
                f.write(text % "nothing")
            p = millrace("test", path, ok=False)
            self.assertEqual(p.returncode, 2)
            self.assertIn("t.yaml:5:", p.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
