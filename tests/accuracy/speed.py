"""What the whole of `normalize()` costs: time a request of 300 characters on one core, import, memory.

The baseline, which is known to take about 0.5 ms on a machine of today, is timed in the same process on the same texts:
what a busy or slower machine adds, it adds to both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from gateway.training import recipes
from tests.accuracy.baseline import NAME
from tests.accuracy.result import DATA, ROOT, Result

WARM: Final = 2_000
"""Rows of haikou12345 before those that are timed: expressions are compiled when a text first asks for them."""
_PROBE: Final = """
import json, sys, time
start = time.perf_counter()
from normalizer import Inbound, normalize
loaded = time.perf_counter() - start
from tests.accuracy import drafts
known, warm, texts = json.load(sys.stdin)

def timed(work):
    for text in warm:
        work(text)
    spent = []
    for text in texts:
        before = time.perf_counter_ns()
        work(text)
        spent.append((time.perf_counter_ns() - before) / 1e6)
    return sorted(spent)

ours = timed(lambda text: normalize(drafts.raw(text), Inbound(text=text, digest="0" * 64), number=drafts.NUMBER))
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
from tests.accuracy.baseline import Baseline
baseline = Baseline(*known)
theirs = timed(lambda text: baseline.best([text]))
print(json.dumps({"import": loaded, "median": ours[len(ours) // 2], "p99": ours[int(len(ours) * 0.99)],
                  "memory": peak / 1024, "texts": len(ours), "baseline": theirs[len(theirs) // 2]}))
"""


def measure() -> Iterator[Result]:
    """In a process of its own, so that nothing is loaded before."""
    rows = recipes.petitions(DATA)
    known = [one.text for one in rows], [one.label for one in rows]
    said = json.dumps((known, list(_warm()), list(_texts())))
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], input=said, cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    yield Result(
        "What it costs",
        f"petitions_messages, {found['texts']} texts of 270 to 330 characters",
        f"`normalize()` whole, one core, each text once, after {WARM:,} rows of haikou12345",
        (),
        milliseconds=found["median"],
        more=(
            f"Median {found['median']:.2f} ms (asked: 0.5), 99th percentile {found['p99']:.2f} ms (asked: 3), import "
            f"{found['import']:.2f} s (asked: 1), peak memory of the process {found['memory']:.0f} MB (asked: 150).",
            f"The category baseline alone ({NAME}) takes {found['baseline']:.2f} ms on that machine then: "
            f"`normalize()` is {found['median'] / found['baseline']:.2f} times that (asked: 1, if it takes 0.5).",
        ),
    )


def _warm() -> Iterator[str]:
    lines = (DATA / "haikou12345.jsonl").read_text("utf-8").splitlines()
    yield from (json.loads(line)["诉求内容"] for line in lines[:WARM])


def _texts() -> Iterator[str]:
    for line in (DATA / "petitions_messages.jsonl").read_text("utf-8").splitlines():
        text = " ".join(json.loads(line)["留言详情"].split())
        if 270 <= len(text) <= 330:
            yield text
