"""What the whole of `normalize()` costs: time a request of 300 characters on one core, import, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.accuracy.result import DATA, ROOT, Result

_PROBE = """
import json, sys, time
start = time.perf_counter()
from normalizer import Inbound, normalize
loaded = time.perf_counter() - start
from tests.accuracy import drafts
texts = json.load(sys.stdin)
for text in texts[:50]:
    normalize(drafts.raw(text), Inbound(text=text, digest="0" * 64), number=drafts.NUMBER)
spent = []
for text in texts:
    before = time.perf_counter_ns()
    normalize(drafts.raw(text), Inbound(text=text, digest="0" * 64), number=drafts.NUMBER)
    spent.append((time.perf_counter_ns() - before) / 1e6)
spent.sort()
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"import": loaded, "median": spent[len(spent) // 2], "p99": spent[int(len(spent) * 0.99)],
                  "memory": peak / 1024, "texts": len(spent)}))
"""


def measure() -> Iterator[Result]:
    """In a process of its own, so that nothing is loaded before."""
    texts = list(_texts())
    command = [sys.executable, "-c", _PROBE]
    done = subprocess.run(command, input=json.dumps(texts), cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    yield Result(
        "What it costs",
        f"petitions_messages, {found['texts']} texts of 270 to 330 characters",
        "`normalize()` whole, one core, each text once after 50 to warm up",
        (),
        milliseconds=found["median"],
        more=(
            f"median {found['median']:.2f} ms (asked: 0.5), 99th percentile {found['p99']:.2f} ms (asked: 3), import "
            f"{found['import']:.2f} s (asked: 1), peak memory of the process {found['memory']:.0f} MB (asked: 150).",
        ),
    )


def _texts() -> Iterator[str]:
    for line in (DATA / "petitions_messages.jsonl").read_text("utf-8").splitlines():
        text = " ".join(json.loads(line)["留言详情"].split())
        if 270 <= len(text) <= 330:
            yield text
