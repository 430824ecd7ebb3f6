# SPDX-License-Identifier: Apache-2.0
"""`millrace batch` on real sensor data: hourly average, minimum and maximum per file, compared with an independent
calculation. Skipped when the data is not beside the checkout (MILLRACE_NAB names the folder)."""

import csv
import glob
import json
import math
import os
import unittest
from collections import defaultdict
from datetime import datetime, timedelta, timezone

from support import SOURCE, millrace

NAB = os.environ.get("MILLRACE_NAB", os.path.join(SOURCE, "../shared/data/nab"))
FILES = sorted(glob.glob(os.path.join(NAB, "*/*.csv")))


def hourly(path):
    groups = defaultdict(list)
    with open(path) as f:
        for row in csv.DictReader(f):
            t = datetime.strptime(row["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            groups[t.replace(minute=0, second=0)].append(float(row["value"]))
    return groups


@unittest.skipUnless(FILES, f"no NAB data in {NAB}: set MILLRACE_NAB to its folder")
class RealSensorData(unittest.TestCase):
    def test_hourly_statistics_equal_an_independent_calculation(self):
        out = millrace("batch", os.path.join(SOURCE, "examples/nab.yaml"), *FILES).stdout.decode()
        found = {}
        for line in out.splitlines():
            r = json.loads(line)
            if r["kind"] == "window":
                found[(r["key"]["file"], r["start"])] = r
        expected = 0
        for path in FILES:
            for hour, values in hourly(path).items():
                expected += 1
                r = found[(path, hour.strftime("%Y-%m-%dT%H:%M:%S.000Z"))]
                end = hour + timedelta(hours=1)
                self.assertEqual(r["end"], end.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
                v = r["values"]
                self.assertEqual(v["minimum"], min(values))
                self.assertEqual(v["maximum"], max(values))
                self.assertEqual(v["count"], len(values))
                self.assertTrue(math.isclose(v["average"], math.fsum(values) / len(values), rel_tol=1e-9, abs_tol=1e-12))
        self.assertGreater(expected, 1000)
        self.assertEqual(len(found), expected)


if __name__ == "__main__":
    unittest.main(verbosity=2)
