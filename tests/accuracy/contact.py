"""How many numbers, addresses and documents are found in invented text, and how much else is taken for them.

On real texts: what was hit among ticket numbers, amounts, dates and law articles, by patterns; counts only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from normalizer.personal import find
from normalizer.steps.cleaning import clean
from tests import people
from tests.accuracy import measures
from tests.accuracy.result import DATA, Result
from tests.real_numbers import counted

BASELINE: Final = "a plain pattern each: 11 digits from 1, 0 and area code, 400, 18 digits, 16 to 19 digits, x@y.z"
_PLAIN: Final = {
    "phone": re.compile(r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|400-?\d{3}-?\d{4})(?!\d)"),
    "resident_id": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "bank_card": re.compile(r"(?<!\d)\d{16,19}(?!\d)"),
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
}


def measure() -> Iterator[Result]:
    """The invented text, then the real ones."""
    cases = [(one, clean(one.text)) for one in people.cases()]
    wanted = [one.kind is not None for one, _ in cases]
    ours = [{(d.kind, d.value) for d in find(text)} for _, text in cases]
    hits = [(one.kind, one.value) in found for (one, _), found in zip(cases, ours, strict=True)]
    given = [
        (kind, value) == (one.kind, one.value)
        for (one, _), found in zip(cases, ours, strict=True)
        for kind, value in found
    ]
    plain = [{kind for kind, pattern in _PLAIN.items() if pattern.search(text)} for _, text in cases]
    plain_hits = [one.kind in found for (one, _), found in zip(cases, plain, strict=True)]
    plain_given = [kind == one.kind for (one, _), found in zip(cases, plain, strict=True) for kind in found]
    yield Result(
        "Phones, mail, identity documents, bank cards",
        f"invented, seed {people.SEED}: {len(people.SHAPES)} shapes, {len(people.TRAPS)} traps, {people.A_SHAPE} each",
        "written by the session that wrote the patterns",
        (
            measures.figure("precision", measures.share(given), measures.share(plain_given), 0.99),
            measures.figure(
                "recall",
                measures.share([hit for hit, want in zip(hits, wanted, strict=True) if want]),
                measures.share([hit for hit, want in zip(plain_hits, wanted, strict=True) if want]),
                0.99,
            ),
        ),
        BASELINE,
        measures.milliseconds(find, [text for _, text in cases]),
        more=tuple(_on_real_text()),
    )


def _on_real_text() -> Iterator[str]:
    stand, hit = counted(DATA)
    for kind, many in sorted(stand.items()):
        yield f"real texts: {hit[kind]} of {many:,} {kind} were hit."
