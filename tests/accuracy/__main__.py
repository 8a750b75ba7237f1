"""`make accuracy`: measures every task and writes docs/reference/accuracy.md; with names, only prints those tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from tests.accuracy import page
from tests.accuracy.result import DATA, Result

TASKS: Final[Mapping[str, str]] = {
    "category": "tests.accuracy.category",
    "units": "tests.accuracy.units",
    "kind": "tests.accuracy.kind",
    "contact": "tests.accuracy.contact",
    "times": "tests.accuracy.times",
    "place": "tests.accuracy.place",
    "urgency": "tests.accuracy.urgency",
    "linking": "tests.accuracy.linking",
    "speed": "tests.accuracy.speed",
}
"""Name -> module with `measure() -> Iterator[Result]`, in the order of the page; a new task is a module and a line."""


def main(names: list[str]) -> int:
    if not DATA.is_dir():
        print(f"no shared data at {DATA}: nothing can be measured", file=sys.stderr)
        return 66
    if unknown := set(names) - set(TASKS):
        print(f"no such task: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}", file=sys.stderr)
        return 64
    results = list(_measured(names or list(TASKS)))
    if not names:
        page.PATH.write_text(page.text(results), encoding="utf-8", newline="\n")
        print(page.PATH)
    return 0


def _measured(names: list[str]) -> Iterator[Result]:
    for name in names:
        for result in import_module(TASKS[name]).measure():
            print(f"\n{result.name} — {result.split}")
            for one in result.figures:
                base = "" if one.baseline is None else f"  baseline {one.baseline:.3f}"
                print(f"  {one.metric:34} {one.value:.3f} ({one.low:.3f}–{one.high:.3f}){base}  {one.met}")
            for sentence in result.more:
                print(f"  {sentence}")
            yield result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
