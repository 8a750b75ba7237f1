"""How often the kind is found: on appeals whose clerk gave one, and on cases written for the rare kinds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial

from gateway.training import recipes
from gateway.training.fit import fit
from gateway.training.splits import by_group
from normalizer import models
from normalizer.kinds import declared
from normalizer.simplified import simplified
from normalizer.steps.kind import find_kind
from normalizer.ticket import Inbound, Kind
from tests.accuracy import measures
from tests.accuracy.baseline import NAME, Baseline
from tests.accuracy.drafts import draft
from tests.accuracy.result import DATA, SETS, Result


def measure() -> Iterator[Result]:
    """Both sets."""
    yield appeals()
    for which in SETS:
        yield cases(which)


def appeals() -> Result:
    """Three kinds, five groups; the model alone must answer every row, as the baseline does."""
    own, beside = recipes.appeals(DATA), [*recipes.notes(DATA), *recipes.written()]
    right, ours, ruled, base = [], [], [], []
    for seen, asked in by_group(own):
        known = [own[at] for at in seen]
        model = fit([*known, *beside], recipes.KIND)
        texts = [own[at].text for at in asked]
        right += [own[at].label for at in asked]
        given = [model.guesses(simplified(text), 1)[0].label for text in texts]
        ours += given
        ruled += [_ruled(text) or label for text, label in zip(texts, given, strict=True)]
        base += [best for (best,) in Baseline([one.text for one in known], [one.label for one in known]).best(texts)]
    figures = (
        measures.figure("macro-F1, model alone", measures.macro_f1(right, ours), measures.macro_f1(right, base)),
        measures.figure("macro-F1, words before the model", measures.macro_f1(right, ruled)),
    )
    return Result(
        "Kind of appeals",
        f"fuzhou12345, {len(own)} rows: {_counted(right)}",
        f"5-fold, equal texts in one fold; ours learns besides from {len(beside):,} notes and written texts",
        figures,
        NAME,
        measures.milliseconds(model.guesses, [simplified(one.text) for one in own]),
        measures.confusions(right, ours),
    )


def cases(which: str) -> Result:
    """What the step as it ships says of cases that another wrote."""
    rows = [json.loads(line) for line in (SETS[which] / "kinds.jsonl").read_text("utf-8").splitlines()]
    step = partial(find_kind, model=models.shipped("kind"))
    right, ours = [row["kind"] for row in rows], []
    for row in rows:
        inbound = Inbound(text=row["text"], digest="0" * 64)
        ours.append(step(inbound, draft(inbound)).kind.value)
    told = [kind != Kind.OTHER for kind in ours]
    hits = [y == p for y, p in zip(right, ours, strict=True) if p != Kind.OTHER]
    each = [
        measures.figure(
            f"recall of {kind}", measures.share([p == kind for y, p in zip(right, ours, strict=True) if y == kind])
        )
        for kind in sorted(set(right))
    ]
    return Result(
        f"Kind, {which} set",
        f"{len(rows)} written cases: {_counted(right)}",
        "none of them was seen by who wrote kinds.toml, nor by who wrote the texts that the model learned from",
        (
            measures.figure("macro-F1", measures.macro_f1(right, ours)),
            measures.figure("answered", measures.share(told)),
            measures.figure("right where answered", measures.share(hits)),
            *each,
        ),
        confusions=measures.confusions(right, ours),
    )


def _ruled(text: str) -> str | None:
    title, _, body = text.partition("\n")
    said = declared(title, body)
    return said.value if said in (Kind.COMPLAINT, Kind.CONSULTATION, Kind.SUGGESTION) else None


def _counted(labels: list[str]) -> str:
    return ", ".join(f"{label} {many}" for label, many in Counter(labels).most_common())
