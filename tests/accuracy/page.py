"""Writes docs/reference/accuracy.md from results. May not measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tests.accuracy.result import ROOT, Figure, Result

PATH: Final = ROOT / "docs/reference/accuracy.md"
ERRORS: Final = ROOT / "tests/accuracy/errors.md"

HEAD: Final = """# How right it is

Written by `make accuracy` from the shared data (`../shared/data/text`) and from labels in `tests/labels`. Seeds are
fixed; intervals are 95 %, by bootstrap over rows. A baseline is measured in the same run, on the same split. Figures
below their target are marked as missed. The models that ship are described in [models.md](models.md).
"""


def text(results: Iterable[Result]) -> str:
    """The whole page."""
    sections = ["\n".join(_section(result)) for result in results]
    return "\n".join((HEAD, *sections, ERRORS.read_text("utf-8")))


def _section(result: Result) -> Iterator[str]:
    yield f"## {result.name}\n"
    yield f"- data: {result.data}\n- split: {result.split}"
    if result.baseline:
        yield f"- baseline: {result.baseline}"
    if result.milliseconds is not None:
        yield f"- time a ticket, median: {result.milliseconds:.2f} ms"
    yield ""
    if result.figures:
        yield "| metric | ours | 95 % | baseline | 95 % | target | |\n|---|---|---|---|---|---|---|"
        yield from map(_row, result.figures)
        yield ""
    for sentence in result.more:
        yield f"{sentence}\n"
    if result.confusions:
        yield "| is | taken for | rows |\n|---|---|---|"
        yield from (f"| {right} | {given or '(nothing)'} | {many} |" for right, given, many in result.confusions)
        yield ""


def _row(figure: Figure) -> str:
    target = "" if figure.target is None else f"{figure.target:.2f}"
    base, around = "", ""
    if figure.baseline is not None and figure.baseline_low is not None and figure.baseline_high is not None:
        base, around = f"{figure.baseline:.3f}", f"{figure.baseline_low:.3f}–{figure.baseline_high:.3f}"
    own = f"{figure.value:.3f} | {figure.low:.3f}–{figure.high:.3f}"
    return f"| {figure.metric} | {own} | {base} | {around} | {target} | {figure.met} |"
